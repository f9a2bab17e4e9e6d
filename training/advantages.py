"""From rewards to advantages: GAE, whitening, KL estimators and KL's controller (tensor side).

Shapes: N answers, T tokens of the longest one. ``mask`` is 1 on an answer's own tokens, EOS
included, and 0 on the padding to their right; what lies under a 0 is never read.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-8  # below every variance that matters; equal values whiten to their mean
SLOWEST, FASTEST = -0.2, 0.2  # the controller's proportional error is clipped to these


def gae(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float = 1.0, lam: float = 0.95
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (Schulman et al., 2016, equation 16): two [N, T].

    (advantages, returns = advantages + values). delta_t = r_t + gamma V_{t+1} - V_t, and
    A_t = delta_t + gamma lam A_{t+1}; behind the last token both V and A are 0.

    Rewards -.1, -.2, 1 and values .5, .4, .3 at gamma 1, lam .95:
    delta = -.2, -.3, .7 -> A = -.2 + .95 * .365, -.3 + .95 * .7, .7 = .14675, .365, .7.
    """
    rewards, values = rewards * mask, values * mask
    advantages = torch.zeros_like(rewards)
    following, carried = torch.zeros_like(rewards[:, 0]), torch.zeros_like(rewards[:, 0])
    for step in reversed(range(rewards.shape[1])):
        delta = rewards[:, step] + gamma * following - values[:, step]
        carried = (delta + gamma * lam * carried) * mask[:, step]
        advantages[:, step], following = carried, values[:, step]
    return advantages, advantages + values


def token_rewards(penalties: Tensor, scores: Tensor, mask: Tensor) -> Tensor:
    """[N, T]: the penalty of every token, and the answer's score [N] on its last real one."""
    last = mask.sum(dim=1).long() - 1
    found = penalties * mask
    found[torch.arange(len(found), device=found.device), last] += scores
    return found


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean over the tokens under the mask, of whichever answer: a scalar."""
    return (values * mask).sum() / mask.sum()


def whiten(values: Tensor, mask: Tensor, *, shift_mean: bool) -> Tensor:
    """Values [N, T] over their standard deviation (biased), with mean 0 or, for rewards, with the
    mean they had: shifting it would pay for length, or against it (Ziegler et al., 2019).

    1.2, 1.3 .. 2.0 without the shift: mean 1.6, sd .258199, so 1.2 -> 1.6 - .4 / .258199 = .0508.
    """
    mean = masked_mean(values, mask)
    variance = masked_mean((values - mean) ** 2, mask)
    whitened = (values - mean) * torch.rsqrt(variance + EPSILON)
    return (whitened if shift_mean else whitened + mean) * mask


def kl_estimates(logps: Tensor, ref_logps: Tensor) -> dict[str, Tensor]:
    """Three estimates of KL(pi || ref) a token, drawn from pi (Schulman, 2020): each [N, T].

    l = log pi - log ref:  k1 = l (no bias, varies most),  k2 = l^2 / 2 (biased),
    k3 = e^-l - 1 + l (no bias, never negative).  l = .5: .5, .125, .106531.

    In a reward use k1. As a loss term, whose gradient counts and not its value, k2 is right, and
    k3 times the live ratio; k1 has gradient 0 on average, and k3 pulls towards another policy.
    """
    ratio = logps - ref_logps
    return {"k1": ratio, "k2": ratio**2 / 2, "k3": torch.expm1(-ratio) + ratio}


@dataclass
class KLController:
    """The coefficient of the KL penalty: fixed, or steered to a target in nats an answer.

    Adaptive (Ziegler et al., 2019): error = clip(KL / target - 1, -.2, .2), and the coefficient
    grows by the factor 1 + error * answers / horizon. KL 9 at target 6, 512 answers, horizon
    10,000: 1 + .2 * .0512 = 1.01024.
    """

    value: float
    target: float = 0.0  # 0: fixed
    horizon: float = 1.0

    def update(self, kl: float, answers: int) -> None:
        """After a round of so many answers whose mean KL was kl."""
        if self.target:
            error = min(FASTEST, max(SLOWEST, kl / self.target - 1))
            self.value *= 1 + error * answers / self.horizon

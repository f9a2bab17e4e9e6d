"""Losses of human feedback as pure functions of rewards or log-probabilities (tensor side).

Shapes: P pairs, C completions, G prompts. Log-probabilities are summed over completion tokens,
EOS included, prompt and padding masked, unless a function says otherwise. Every function
returns one value an example; the caller takes the mean.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def bradley_terry(chosen: Tensor, rejected: Tensor, margin: Tensor | float = 0.0) -> Tensor:
    """-log sigmoid(r_w - r_l - m): [P] rewards -> [P] losses (Llama 2, equation 2).

    r_w - r_l = 1, m = 0:    -log(1 / (1 + e^-1))   = log(1.367879) = .313262
    r_w - r_l = 1, m = 1:    -log(1 / 2)            = log 2         = .693147
    r_w - r_l = 1, m = 3:    -log(1 / (1 + e^2))    = log(8.389056) = 2.126928
    """
    return -logsigmoid(chosen - rejected - margin)


def centring(chosen: Tensor, rejected: Tensor) -> Tensor:
    """(r_w + r_l)^2: [P] -> [P]; keeps the free constant of a reward near 0.

    r_w = 1.5, r_l = -.5: (1.5 - .5)^2 = 1
    """
    return (chosen + rejected) ** 2


def k_wise(pair_losses: Tensor, weights: Tensor, prompt: Tensor, denominators: Tensor) -> Tensor:
    """sum over a prompt's pairs of w * loss, divided by that prompt's denominator: [P] -> [G].

    pair_losses, weights: [P]; prompt: [P] integers below G, the prompt of each pair;
    denominators: [G], the sum of the weights for a mean over the stated pairs, or C(K, 2).

    InstructGPT, equation 1: -1/C(K,2) * sum log sigmoid(r_w - r_l), all pairs of a prompt in
    one batch element. Rewards 1.5, .5, 0, -1 in rank order: differences 1, 1.5, 2.5, .5, 1.5, 1
    -> (.313262 + .201413 + .078889 + .474077 + .201413 + .313262) / 6 = .263719
    """
    sums = torch.zeros_like(denominators).index_add(0, prompt, weights * pair_losses)
    return sums / denominators


def first_among(winner: Tensor, losers: Tensor, present: Tensor) -> Tensor:
    """-log softmax of the winner among itself and its losers: [S], [S, L], [S, L] -> [S].

    losers are rewards (plus margins, if any); present is true where there is a loser. One loser
    gives the loss of a pair. Over the best of N answers it is Ziegler et al. (2019), equation 1;
    as the mean over each answer among those below it, Plackett-Luce (Xia et al., 2008: ListMLE).

    Rewards 1.5, .5, 0, -1 in rank order. The best: log(1 + e^-1 + e^-1.5 + e^-2.5) = .514675.
    The second log(1 + e^-.5 + e^-1.5) = .604131, the third log(1 + e^-1) = .313262: mean .477356.
    """
    barred = losers.masked_fill(~present, -torch.inf)
    return torch.logsumexp(torch.cat([winner[:, None], barred], dim=1), dim=1) - winner


def squared_error(rewards: Tensor, targets: Tensor) -> Tensor:
    """(r - t)^2: [C] rewards and [C] points -> [C]; 1.5 against 1 is .25."""
    return (rewards - targets) ** 2


def completion_nll(logps: Tensor) -> Tensor:
    """-log pi(y|x) of [N] completions whose log-probabilities are summed: SFT's and RAFT's loss.

    Divided by the number of trained tokens in the optimiser batch, not per row, it is the
    cross-entropy over completion tokens.
    """
    return -logps


def dpo(h: Tensor, beta: float) -> Tensor:
    """-log sigmoid(beta * h): [P] -> [P] (Rafailov et al., 2023, equation 7).

    h = (log pi(y_w) - log pi(y_l)) - (log ref(y_w) - log ref(y_l)).
    log pi -10, -12 and log ref -11, -11.5: h = 2 - .5 = 1.5; beta .1: -log sigmoid(.15) = .620957.
    The gradient's weight is beta * sigmoid(-beta * h), larger where the implicit reward is
    wrong: sigmoid(-.15) = .462570. At the start pi = ref, so h = 0 and the loss is log 2.
    """
    return -logsigmoid(beta * h)


def log_ratio(
    chosen: Tensor, rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor
) -> Tensor:
    """h of a pair, from four [P] tensors of log-probabilities: (w - l) - (ref_w - ref_l)."""
    return (chosen - rejected) - (ref_chosen - ref_rejected)

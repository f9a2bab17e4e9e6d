"""Losses that learn a policy from preferences and that the library does not have.

Shapes: P pairs, n answers of one ranking. Log-probabilities are summed over completion tokens,
EOS included, unless a name says mean: those are divided by the number of completion tokens.
Every function returns one value an example; the caller takes the mean.

    the pair of the examples    log pi -10, -12, log ref -11, -11.5, lengths 5 and 8: h = 1.5,
                                means -2 and -1.5
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, relu

NEARLY_CERTAIN = -1e-6  # a mean log-probability of 0 has infinite odds


def odpo(h: Tensor, beta: float, margin: Tensor | float) -> Tensor:
    """-log sigmoid(beta * h - m): [P] -> [P] (Amini et al., 2024, equation 8).

    beta .1, m 1/3: -log sigmoid(.15 - .333333) = .789009; m 1: -log sigmoid(-.85) = 1.205865.
    Without a margin it is DPO.
    """
    return -logsigmoid(beta * h - margin)


def simpo(chosen_mean: Tensor, rejected_mean: Tensor, beta: float, gamma: float) -> Tensor:
    """-log sigmoid(beta * (p_w - p_l) - gamma): [P] -> [P] (Meng et al., 2024, equation 6).

    p is the mean log-probability of a token. beta 2, gamma 1, p -2 and -1.5:
    -log sigmoid(-1 - 1) = log(1 + e^2) = 2.126928.
    """
    return -logsigmoid(beta * (chosen_mean - rejected_mean) - gamma)


def odds_ratio(chosen_mean: Tensor, rejected_mean: Tensor) -> Tensor:
    """-log sigmoid(log odds_w - log odds_l): [P] -> [P] (Hong et al., 2024, equation 7).

    odds = P / (1 - P), P = e^p the geometric mean of the tokens' probabilities. p -2 and -1.5:
    log odds -1.854587 and -1.247558, -log sigmoid(-.607029) = 1.042058.
    """
    return -logsigmoid(_log_odds(chosen_mean) - _log_odds(rejected_mean))


def orpo(chosen_mean: Tensor, rejected_mean: Tensor, weight: float) -> Tensor:
    """-p_w + weight * odds_ratio: [P] -> [P] (Hong et al., 2024, equation 6).

    The likelihood is of the completion's tokens; the library's is of prompt and response.
    p -2 and -1.5, weight .1: 2 + .1042058 = 2.104206.
    """
    return -chosen_mean + weight * odds_ratio(chosen_mean, rejected_mean)


def slic(chosen: Tensor, rejected: Tensor, delta: float, weight: float) -> Tensor:
    """max(0, delta - log pi_w + log pi_l) - weight * log pi_w: [P] -> [P] (Zhao et al., 2023).

    delta 1, log pi -10 and -12: max(0, 1 - 2) = 0, and .5 * 10 = 5 beside it. The other way
    round: max(0, 1 + 2) = 3, and .5 * 12 = 6. No reference; the library's hinge has one.
    """
    return relu(delta - chosen + rejected) - weight * chosen


def tdpo(
    h: Tensor, chosen_kl: Tensor, rejected_kl: Tensor, beta: float, weight: float = 1.0
) -> Tensor:
    """-log sigmoid(beta * (h - weight * (D_l - D_w))): [P] -> [P] (Zeng et al., 2024, eq. 13, 15).

    D is the forward KL of the reference to the policy, summed over the positions of an answer.
    TDPO1: weight 1. TDPO2: weight alpha, and the caller detaches chosen_kl. h 1.5, D_w .2, D_l
    .7, beta .1: weight 1: -log sigmoid(.1) = .644397; weight .5: -log sigmoid(.125) = .632598.
    """
    return -logsigmoid(beta * (h - weight * (rejected_kl - chosen_kl)))


def batch_beta(h: Tensor, centre: Tensor, beta: float, alpha: float) -> Tensor:
    """[1 + alpha * (mean h - M0)] * beta, at least .001: [P] -> [] (Wu et al., 2024, equation 7).

    No gradient goes through it. h 1 and 2, M0 .5, beta .1, alpha .6: (1 + .6 * 1) * .1 = .16.
    """
    return (beta * (1 + alpha * (h.detach().mean() - centre))).clamp(min=1e-3)


def rank_hinge(winner_mean: Tensor, loser_mean: Tensor) -> Tensor:
    """max(0, p_l - p_w) of each stated pair: [P] -> [P] (RRHF: Yuan et al., 2023, equation 2).

    p -1.2, -.8, -1.5 in rank order: the first loses to the second by .4, the rest hold: sum .4.
    """
    return relu(loser_mean - winner_mean)


def pro(means: Tensor, scores: Tensor, above: Tensor) -> Tensor:
    """sum over k of -log e^(p_k T_k) / (e^(p_k T_k) + sum_i e^(p_i T_ki)): [] (PRO: Song et al.,
    2023, equation 8), i over the answers that k is stated to be above.

    means: [n] mean log-probabilities; scores: [n]; above: [n, n] bool, above[k, i]: k over i.
    T_ki = r_k - r_i, T_k its largest. p -1.2, -.8, -1.5, r 3, 2, 1:
        k = 1: e^-2.4 / (e^-2.4 + e^-.8 + e^-3) = .153833
        k = 2: e^-.8 / (e^-.8 + e^-1.5) = .668188          -log of both: 2.275272
    """
    gaps = scores[:, None] - scores[None, :]
    widest = gaps.masked_fill(~above, 0.0).amax(dim=1)
    losers = (means[None, :] * gaps).masked_fill(~above, -torch.inf)
    own = means * widest
    lost = torch.logsumexp(torch.cat([own[:, None], losers], dim=1), dim=1) - own
    return lost[above.any(dim=1)].sum()


def _log_odds(mean: Tensor) -> Tensor:
    """log(P / (1 - P)) of P = e^mean."""
    certain = mean.clamp(max=NEARLY_CERTAIN)
    return certain - torch.log(-torch.expm1(certain))

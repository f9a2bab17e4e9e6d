"""Losses of pairs and rankings: figures computed independently, brute force, and the library's."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer

from training.losses import dpo, log_ratio
from training.pair_losses import (
    batch_beta,
    odds_ratio,
    odpo,
    orpo,
    pro,
    rank_hinge,
    simpo,
    slic,
    tdpo,
)
from training.rankings import chain_lengths

pytestmark = [pytest.mark.training, pytest.mark.closed_form]


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


# The pair of the examples: log-probabilities, and the mean of a token's.
W, L = tensor(-10.0), tensor(-12.0)
H = log_ratio(W, L, tensor(-11.0), tensor(-11.5))
MEAN_W, MEAN_L = W / 5, L / 8


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (odpo(H, 0.1, 1 / 3), 0.789009),
        (odpo(H, 0.1, 1.0), 1.205865),
        (simpo(MEAN_W, MEAN_L, 2.0, 1.0), 2.126928),
        (odds_ratio(MEAN_W, MEAN_L), 1.042058),
        (orpo(MEAN_W, MEAN_L, 0.1), 2.104206),
        (slic(W, L, 1.0, 0.5), 5.0),
        (slic(L, W, 1.0, 0.5), 9.0),
        (tdpo(H, tensor(0.2), tensor(0.7), 0.1), 0.644397),
        (tdpo(H, tensor(0.2), tensor(0.7), 0.1, 0.5), 0.632599),
    ],
)
def test_the_worked_examples(loss: torch.Tensor, expected: float) -> None:
    assert loss.item() == pytest.approx(expected, abs=5e-7)


def test_without_a_margin_odpo_is_dpo_and_so_is_tdpo_without_kl() -> None:
    h, nothing = torch.randn(20, dtype=torch.float64), torch.zeros(20, dtype=torch.float64)
    torch.testing.assert_close(odpo(h, 0.3, 0.0), dpo(h, 0.3))
    torch.testing.assert_close(tdpo(h, nothing, nothing, 0.3, 0.5), dpo(h, 0.3))


def test_a_wider_margin_asks_for_more() -> None:
    assert odpo(H, 0.1, 0.0) < odpo(H, 0.1, 1 / 3) < odpo(H, 0.1, 1.0)


def test_the_odds_of_a_certain_answer_are_finite_and_so_is_their_gradient() -> None:
    mean = tensor(0.0, -1e-9, -50.0).requires_grad_()
    odds_ratio(mean, tensor(-1.0, -1.0, -1.0)).sum().backward()
    assert mean.grad is not None
    assert torch.isfinite(mean.grad).all()


def test_beta_follows_what_the_batch_is_above_the_running_mean() -> None:
    assert batch_beta(tensor(1.0, 2.0), tensor(0.5)[0], 0.1, 0.6).item() == pytest.approx(0.16)
    assert batch_beta(tensor(-9.0), tensor(0.5)[0], 0.1, 0.6).item() == 1e-3


RANKED = tensor(-1.2, -0.8, -1.5)
ABOVE = torch.ones(3, 3).triu(1).bool()
ONE_PAIR = torch.tensor([[False, True], [False, False]])


def test_rrhf_counts_by_how_much_a_pair_is_in_the_wrong_order() -> None:
    pairs = ABOVE.nonzero()
    losses = rank_hinge(RANKED[pairs[:, 0]], RANKED[pairs[:, 1]])
    assert losses.sum().item() == pytest.approx(0.4)


def test_pro_of_the_worked_example_and_by_brute_force() -> None:
    assert pro(RANKED, tensor(3, 2, 1), ABOVE).item() == pytest.approx(2.275272, abs=5e-7)
    means, scores = torch.randn(5, dtype=torch.float64), tensor(5, 4, 3, 2, 1)
    expected = 0.0
    for k in range(4):
        widest = max(scores[k] - scores[i] for i in range(k + 1, 5))
        own = math.exp(means[k] * widest)
        others = sum(math.exp(means[i] * (scores[k] - scores[i])) for i in range(k + 1, 5))
        expected -= math.log(own / (own + others))
    above = torch.ones(5, 5).triu(1).bool()
    assert pro(means, scores, above).item() == pytest.approx(expected)


def test_pro_of_a_partial_order_leaves_out_what_nobody_stated() -> None:
    """Of three, only the first over the last: a pair, with a step of 1."""
    above = torch.zeros(3, 3).bool()
    above[0, 2] = True
    loss = pro(RANKED, tensor(2, 1, 1), above)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1.5 + 1.2)))


@pytest.mark.parametrize(
    ("pairs", "scores"),
    [
        ([(0, 1), (0, 2), (1, 2)], [3, 2, 1]),
        ([(0, 1), (0, 2)], [2, 1, 1]),
        ([(0, 1), (1, 2), (2, 0)], None),
    ],
)
def test_scores_are_the_steps_of_a_ranking(
    pairs: list[tuple[int, int]], scores: list[int] | None
) -> None:
    assert chain_lengths(3, pairs) == scores


@pytest.mark.parametrize(
    "loss",
    [
        lambda high, low: odpo(high - low, 0.1, 0.5),
        lambda high, low: tdpo(high - low, tensor(0.1), tensor(0.3), 0.1),
        lambda high, low: simpo(high / 5, low / 8, 2.0, 1.0),
        lambda high, low: orpo(high / 5, low / 8, 0.1),
        lambda high, low: slic(high, low, 10.0, 0.5),
        lambda high, low: rank_hinge(high / 5 - 3, low / 8),
        lambda high, low: pro(torch.cat([high / 5, low / 8]), tensor(2, 1), ONE_PAIR),
    ],
    ids=["odpo", "tdpo", "simpo", "orpo", "slic", "rrhf", "pro"],
)
def test_every_loss_raises_the_chosen_answer_and_lowers_the_rejected(loss) -> None:
    chosen, rejected = W.clone().requires_grad_(), L.clone().requires_grad_()
    loss(chosen, rejected).sum().backward()
    assert chosen.grad is not None
    assert rejected.grad is not None
    assert chosen.grad.item() < 0 < rejected.grad.item()


MEANS = -3 * torch.rand(2, 32, dtype=torch.float64) - 0.05


def test_the_odds_term_is_the_librarys() -> None:
    """The library's likelihood is over prompt and response, ours over the completion: only the
    odds term compares. It is the library's loss with the sign turned."""
    owner = SimpleNamespace(beta=1.0, accelerator=SimpleNamespace(device="cpu"))
    theirs = ORPOTrainer.odds_ratio_loss(owner, *MEANS)[0]
    torch.testing.assert_close(odds_ratio(*MEANS).float(), -theirs, atol=1e-5, rtol=0)


def test_simpo_is_the_librarys() -> None:
    owner = SimpleNamespace(
        alpha=0.0, beta=2.0, simpo_gamma=1.0, label_smoothing=0.0, loss_type="simpo",
        accelerator=SimpleNamespace(device="cpu"),
    )  # fmt: skip
    theirs = CPOTrainer.cpo_loss(owner, *MEANS)[0]
    torch.testing.assert_close(simpo(*MEANS, 2.0, 1.0), theirs, atol=1e-5, rtol=0)

"""The losses that the library computes for us: the right one under each name, to the digit."""

from __future__ import annotations

import math

import pytest
import torch

from tests.training.library import dpo_loss, kto_loss
from training.configs import BadOption, DPOConfig, parse
from training.configs.preferences import PAIR_LOSSES
from training.losses import dpo
from training.trl_adapter import LibraryLoss

pytestmark = [pytest.mark.training, pytest.mark.closed_form]

LOGPS = torch.tensor([-10.0, -12.0], dtype=torch.float64)
REFERENCE = torch.tensor([-11.0, -11.5], dtype=torch.float64)
SAME = torch.tensor([-10.0, -12.0, -9.0, -20.0], dtype=torch.float64)


def loss_of(options: dict) -> LibraryLoss:
    """As methods.dpo makes it of a config."""
    config: DPOConfig = parse("dpo", options)
    return LibraryLoss(config.loss, config.strength, config.smoothing, config.discopop_tau)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 0.620957),
        ({"loss": "cdpo"}, 0.635957),  # label smoothing .1 is its default
        ({"loss": "robust"}, 0.602207),
        ({"loss": "ipo"}, 22.443906),  # on log-ratios averaged over tokens, tau .1
        ({"loss": "hinge", "beta": 0.1}, 0.85),
        ({"loss": "hinge"}, 0.925),  # the authors' .05
    ],
)
def test_the_worked_example(options: dict, expected: float) -> None:
    loss = dpo_loss(loss_of(options), LOGPS, REFERENCE)
    assert loss.item() == pytest.approx(expected, abs=5e-7)


def test_ipo_of_answers_of_one_token_is_that_of_summed_log_ratios() -> None:
    loss = dpo_loss(loss_of({"loss": "ipo"}), LOGPS, REFERENCE, lengths=(1, 1))
    assert loss.item() == pytest.approx(12.25, abs=5e-7)  # (1.5 - 1 / .2)^2


def test_cdpo_is_the_mean_of_both_directions_by_the_share_of_wrong_labels() -> None:
    h = torch.tensor(1.5, dtype=torch.float64)
    for epsilon in (0.01, 0.2, 0.45):
        expected = (1 - epsilon) * dpo(h, 0.1) + epsilon * dpo(-h, 0.1)
        loss = dpo_loss(loss_of({"loss": "cdpo", "label_smoothing": epsilon}), LOGPS, REFERENCE)
        torch.testing.assert_close(loss, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_a_run_that_starts_at_its_reference_starts_at_a_known_loss(name: str) -> None:
    loss = loss_of({"loss": name})
    if loss.at_start() is None:
        assert name == "sft"
        return
    assert dpo_loss(loss, SAME, SAME).item() == pytest.approx(loss.at_start(), rel=1e-6)


@pytest.mark.parametrize(
    "name", [name for name in PAIR_LOSSES if name not in ("apo_down", "discopop")]
)
def test_every_loss_raises_the_chosen_answer_and_none_raises_the_rejected(name: str) -> None:
    """(apo_down lowers both, the rejected one more. discopop is not monotone: near 0 it rises.)"""
    logps = REFERENCE.clone().requires_grad_()
    dpo_loss(loss_of({"loss": name}), logps, REFERENCE).backward()
    assert logps.grad is not None
    assert logps.grad[0] < 0 <= logps.grad[1]


def test_kto_of_the_worked_example() -> None:
    desirable = kto_loss(LOGPS[:1], REFERENCE[:1], [True], 0.3)
    undesirable = kto_loss(LOGPS[1:], REFERENCE[1:], [False], 0.3)
    assert desirable.item() == pytest.approx(0.482507, abs=5e-7)
    assert undesirable.item() == pytest.approx(0.480011, abs=5e-7)


def test_kto_starts_at_half_its_weights_and_z_is_never_below_0() -> None:
    assert kto_loss(SAME, SAME, [True, False, True, False], 0.0).item() == pytest.approx(0.5)
    weighed = kto_loss(SAME[:2], SAME[:2], [True, False], -7.0, weights=(2.0, 1.0))
    assert weighed.item() == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label_smoothing": 0.1}, "no part in the loss sigmoid of dpo"),
        ({"loss": "cdpo", "label_smoothing": 0.5}, "must be below 0.5 with the loss cdpo"),
        ({"loss": "ipo", "beta": 0.3}, "has no beta: set tau"),
        ({"tau": 0.3}, "Only the loss ipo of dpo has tau"),
        ({"loss": "best"}, "must be one of sigmoid, cdpo, robust"),
    ],
)
def test_an_option_without_a_part_in_the_loss_is_refused(options: dict, words: str) -> None:
    with pytest.raises(BadOption, match=words):
        parse("dpo", options)


def test_the_population_optimum_of_ipo_is_its_own() -> None:
    """h* = (P(y_w > y_l) - 1/2) / tau, of 16 answers with P = 1/2 + (i - j) / 40: each ordered
    pair occurs as often in forty as it is preferred."""
    first, second = torch.combinations(torch.arange(16), 2).T
    chosen = torch.cat([first.repeat_interleave(20 + first - second),
                        second.repeat_interleave(20 + second - first)])  # fmt: skip
    rejected = torch.cat([second.repeat_interleave(20 + first - second),
                          first.repeat_interleave(20 + second - first)])  # fmt: skip
    both = torch.cat([chosen, rejected])
    torch.manual_seed(0)
    reference = torch.randn(16, dtype=torch.float64).log_softmax(0)
    logits = reference.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        logps = logits.log_softmax(0)
        loss = dpo_loss(loss_of({"loss": "ipo", "tau": 0.5}), logps[both], reference[both], (1, 1))
        loss.backward()
        return loss

    optimizer.step(closure)
    ratios = (logits.log_softmax(0) - reference).detach()
    expected = (first - second) / 40 / 0.5
    torch.testing.assert_close(
        ratios[first] - ratios[second], expected.double(), atol=1e-4, rtol=0
    )
    assert math.isclose(ratios.exp().mul(reference.exp()).sum().item(), 1.0, rel_tol=1e-6)

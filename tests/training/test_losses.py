"""Losses against figures computed independently and against brute force."""

from __future__ import annotations

import math

import pytest
import torch

from models_runtime.records import MARGINS
from training.losses import (
    bradley_terry,
    centring,
    completion_nll,
    dpo,
    k_wise,
    log_ratio,
)

pytestmark = pytest.mark.closed_form


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        (0, 0.313262),
        (1 / 3, 0.414370),
        (2 / 3, 0.540306),
        (1, 0.693147),
        (2, 1.313262),
        (3, 2.126928),
    ],
)
def test_bradley_terry_with_a_margin(margin: float, expected: float) -> None:
    assert bradley_terry(tensor(1.5), tensor(0.5), margin).item() == pytest.approx(
        expected, abs=5e-7
    )


def test_bradley_terry_of_equal_rewards_is_log_2() -> None:
    assert bradley_terry(tensor(0.3), tensor(0.3)).item() == pytest.approx(math.log(2))


def test_swapping_the_pair_gives_the_other_probability() -> None:
    chosen, rejected = torch.randn(50, dtype=torch.float64), torch.randn(50, dtype=torch.float64)
    forth, back = bradley_terry(chosen, rejected), bradley_terry(rejected, chosen)
    torch.testing.assert_close(torch.exp(-forth) + torch.exp(-back), torch.ones(50).double())
    torch.testing.assert_close(back - forth, chosen - rejected)


def test_margins_fall_with_the_rating_and_are_never_negative() -> None:
    assert MARGINS["small"] == {
        "significantly": 1.0,
        "better": 2 / 3,
        "slightly": 1 / 3,
        "negligibly": 0.0,
        None: 0.0,  # a plain choice, without a rating
    }
    assert list(MARGINS["large"].values()) == [3.0, 2.0, 1.0, 0.0, 0.0]
    assert set(MARGINS["none"].values()) == {0.0}


RANKED = tensor(1.5, 0.5, 0.0, -1.0)
ALL_PAIRS = [(i, j) for i in range(4) for j in range(i + 1, 4)]


def k_wise_of(
    pairs: list[tuple[int, int, float]], denominator: float, prompt: int = 0
) -> torch.Tensor:
    chosen, rejected, weight = zip(*pairs, strict=True)
    losses = bradley_terry(RANKED[list(chosen)], RANKED[list(rejected)])
    prompts = torch.full((len(pairs),), prompt)
    return k_wise(losses, tensor(*weight), prompts, tensor(denominator))


def test_ranking_of_four_is_the_mean_over_six_pairs() -> None:
    loss = k_wise_of([(i, j, 1.0) for i, j in ALL_PAIRS], 6)
    assert loss.item() == pytest.approx(0.263719, abs=5e-7)


def test_a_dropped_tie_leaves_the_mean_over_the_five_stated_pairs() -> None:
    loss = k_wise_of([(i, j, 1.0) for i, j in ALL_PAIRS if (i, j) != (1, 2)], 5)
    assert loss.item() == pytest.approx(0.221648, abs=5e-7)


def test_a_tie_of_one_half_counts_each_way() -> None:
    stated = [(i, j, 1.0) for i, j in ALL_PAIRS if (i, j) != (1, 2)]
    loss = k_wise_of([*stated, (1, 2, 0.5), (2, 1, 0.5)], 6)
    assert loss.item() == pytest.approx(0.305386, abs=5e-7)


def test_every_prompt_weighs_one_however_many_pairs_it_has() -> None:
    losses, weights = tensor(1.0, 2.0, 3.0, 10.0), tensor(1.0, 1.0, 1.0, 1.0)
    means = k_wise(losses, weights, torch.tensor([0, 0, 0, 1]), tensor(3.0, 1.0))
    assert means.tolist() == [2.0, 10.0]


def test_centring_is_the_square_of_the_sum() -> None:
    assert centring(tensor(1.5), tensor(-0.5)).item() == 1.0


H = log_ratio(tensor(-10.0), tensor(-12.0), tensor(-11.0), tensor(-11.5))


def test_dpo_of_the_worked_example() -> None:
    assert H.item() == 1.5
    assert dpo(H, 0.1).item() == pytest.approx(0.620957, abs=5e-7)


def test_dpo_gradient_weighs_wrong_implicit_rewards_more() -> None:
    h = tensor(1.5, -1.5).requires_grad_()
    (gradient,) = torch.autograd.grad(dpo(h, 0.1).sum(), h)
    assert -gradient[0].item() / 0.1 == pytest.approx(0.462570, abs=5e-7)
    assert abs(gradient[1]) > abs(gradient[0])


def test_dpo_starts_at_log_2_and_ignores_preferences_as_beta_vanishes() -> None:
    assert dpo(tensor(0.0), 0.1).item() == pytest.approx(math.log(2))
    assert dpo(tensor(50.0), 1e-9).item() == pytest.approx(math.log(2), abs=1e-7)


def test_dpo_of_a_swapped_pair_is_that_of_the_negated_ratio() -> None:
    swapped = log_ratio(tensor(-12.0), tensor(-10.0), tensor(-11.5), tensor(-11.0))
    torch.testing.assert_close(swapped, -H)


def test_completion_nll_is_the_negated_log_probability() -> None:
    assert completion_nll(tensor(-3.0, -4.0)).tolist() == [3.0, 4.0]

"""Safety and helpfulness as one reward: Llama 2's choice, OR and strictly below the floor."""

from __future__ import annotations

import pytest
import torch

from training.combining import piecewise, piecewise_scores

pytestmark = pytest.mark.closed_form

FIXTURES = [
    (False, 0.10, 0.90, 0.10, -2.197225),  # an unsafe answer to an ordinary prompt
    (False, 0.15, 0.90, 0.90, 2.197225),  # the floor itself is safe
    (True, 0.90, 0.40, 0.90, 2.197225),  # a tagged prompt asks for safety alone
    (True, 0.05, 0.90, 0.05, -2.944439),
]


@pytest.mark.parametrize(("tagged", "safety", "helpful", "chosen", "logit"), FIXTURES)
def test_the_reward_is_the_one_that_the_paper_chooses(
    tagged: bool, safety: float, helpful: float, chosen: float, logit: float
) -> None:
    rewards = [torch.tensor([value], dtype=torch.float64) for value in (safety, helpful)]
    found = piecewise(*rewards, torch.tensor([tagged]))
    assert found.item() == chosen
    assert torch.logit(found).item() == pytest.approx(logit, abs=5e-7)


def test_scores_are_chosen_as_their_sigmoids_are() -> None:
    torch.manual_seed(0)
    safety, helpful = 3 * torch.randn(2, 500, dtype=torch.float64)
    tagged = torch.rand(500) < 0.5
    by_output = piecewise(torch.sigmoid(safety), torch.sigmoid(helpful), tagged)
    by_score = piecewise_scores(safety, helpful, tagged)
    torch.testing.assert_close(torch.logit(by_output), by_score)


def test_a_score_beyond_what_a_sigmoid_can_hold_stays_a_number() -> None:
    found = piecewise_scores(torch.tensor([40.0]), torch.tensor([60.0]), torch.tensor([False]))
    assert found.item() == 60.0

"""Every loss of the reward model recovers the utilities by which its preferences were drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import combinations, permutations

import pytest
import torch

from models_runtime.chat import Encoded
from training.configs import parse
from training.data import Group, Pair
from training.methods.reward import RewardObjective

pytestmark = pytest.mark.closed_form

UTILITIES = [1.2, 0.3, -0.4, -1.1]  # their mean is 0: a reward's zero is free
ANSWERS = [Encoded([1, 2], [0, 1])] * len(UTILITIES)
WORTH = [math.exp(utility) for utility in UTILITIES]


class Free(torch.nn.Module):
    """A reward of its own for each answer."""

    def __init__(self) -> None:
        super().__init__()
        self.config = type("Config", (), {"pad_token_id": 0})
        self.rewards = torch.nn.Parameter(torch.zeros(len(UTILITIES), 1))

    def forward(self, **_: torch.Tensor) -> object:
        return type("Output", (), {"logits": self.rewards})


def compared() -> Iterator[Pair]:
    """Each pair both ways, as often as people who follow Bradley and Terry would say so."""
    for number, (one, other) in enumerate(combinations(range(len(UTILITIES)), 2)):
        share = WORTH[one] / (WORTH[one] + WORTH[other])
        yield Pair(one, other, None, share, number, 0)
        yield Pair(other, one, None, 1 - share, number, 0)


def best_chosen() -> Iterator[Pair]:
    """Each answer as the best, as often as people who follow Luce would choose it."""
    for best, worth in enumerate(WORTH):
        for other in range(len(WORTH)):
            if other != best:
                yield Pair(best, other, None, worth / sum(WORTH), best, 0)


def ranked() -> Iterator[Pair]:
    """Each of the 24 rankings, as often as Plackett and Luce have it."""
    for number, order in enumerate(permutations(range(len(WORTH)))):
        left = [WORTH[answer] for answer in order]
        chance = math.prod(left[k] / sum(left[k:]) for k in range(len(left)))
        for one, other in combinations(order, 2):
            yield Pair(one, other, None, chance, number, 0)


def learned(loss: str, pairs: Iterator[Pair]) -> list[float]:
    model, group = Free(), Group(0, ANSWERS, list(pairs))
    objective = RewardObjective(parse("reward", {"loss": loss}))
    optimizer = torch.optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = objective.sums(model, [group]).loss
        value.backward()
        return value

    for _ in range(5):
        optimizer.step(closure)
    found = model.rewards.detach()[:, 0]
    return (found - found.mean()).tolist()


@pytest.mark.parametrize(
    ("loss", "pairs"), [("pairs", compared), ("best_of_n", best_chosen), ("listwise", ranked)]
)
def test_rewards_become_the_utilities(loss: str, pairs: Callable[[], Iterator[Pair]]) -> None:
    assert learned(loss, pairs()) == pytest.approx(UTILITIES, abs=5e-3)


def test_the_pairs_of_rankings_recover_them_as_well() -> None:
    """Any two answers of a Plackett-Luce ranking are ordered as Bradley and Terry have it."""
    assert learned("pairs", ranked()) == pytest.approx(UTILITIES, abs=5e-3)

"""The loss as a choice among answers: the best of all, or each among those below it."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import pytest
import torch

from models_runtime.chat import Encoded
from models_runtime.records import MARGINS
from training.choices import Choices, best_of, with_a_best
from training.configs import BadOption, parse
from training.data import Group, Pair
from training.losses import bradley_terry, first_among, squared_error
from training.methods.reward import RewardObjective

ANSWERS = [Encoded([1, 2], [0, 1])] * 4
RANKED = [1.5, 0.5, 0.0, -1.0]


class Planted(torch.nn.Module):
    """Says these rewards, whatever it reads."""

    def __init__(self, rewards: list[float]) -> None:
        super().__init__()
        self.config = type("Config", (), {"pad_token_id": 0})
        self.rewards = torch.nn.Parameter(torch.tensor(rewards, dtype=torch.float64)[:, None])

    def forward(self, **_: torch.Tensor) -> object:
        return type("Output", (), {"logits": self.rewards})


def pairs(*ends: tuple[int, int], comparison: int = 0, tie: bool = False) -> list[Pair]:
    return [Pair(won, lost, "better", 1.0, comparison, 0, tie) for won, lost in ends]


def ranking(count: int) -> list[Pair]:
    return pairs(*combinations(range(count), 2))


def loss_of(options: dict, stated: list[Pair], rewards: list[float] = RANKED) -> float:
    group = Group(0, ANSWERS[: len(rewards)], stated)
    objective = RewardObjective(parse("reward", options))
    return objective.sums(Planted(rewards), [group]).loss.item()


def test_the_best_of_four_by_hand() -> None:
    """log(1 + e^-1 + e^-1.5 + e^-2.5)"""
    assert loss_of({"loss": "best_of_n"}, ranking(4)) == pytest.approx(0.514675, abs=5e-7)


def test_each_among_those_below_it_by_hand() -> None:
    """(.514675 + .604131 + .313262) / 3"""
    assert loss_of({"loss": "listwise"}, ranking(4)) == pytest.approx(0.477356, abs=5e-7)


def test_plackett_luce_is_the_probability_of_the_whole_ranking() -> None:
    worth = [math.exp(reward) for reward in RANKED]
    chance = math.prod(worth[k] / sum(worth[k:]) for k in range(4))
    found = loss_of({"loss": "listwise"}, ranking(4))
    assert found * 3 == pytest.approx(-math.log(chance), abs=1e-6)


@pytest.mark.parametrize("loss", ["best_of_n", "listwise"])
@pytest.mark.parametrize("margin", ["none", "small", "large"])
def test_of_two_answers_every_loss_is_that_of_the_pair(loss: str, margin: str) -> None:
    options = {"margin": margin, "centring": 0.1}
    two = loss_of({**options, "loss": loss}, ranking(2), [1.0, 0.2])
    assert two == pytest.approx(loss_of(options, ranking(2), [1.0, 0.2]), abs=1e-6)


def test_a_tie_leaves_both_out_of_each_others_choice() -> None:
    """Ranks 2 and 3 tied: 1 among all, 2 among {2, 4}, 3 among {3, 4}."""
    stated = pairs((0, 1), (0, 2), (0, 3), (1, 3), (2, 3))
    terms = [0.514675, math.log(1 + math.exp(-1.5)), math.log(1 + math.exp(-1))]
    assert loss_of({"loss": "listwise"}, stated) == pytest.approx(sum(terms) / 3, abs=1e-6)


def test_answers_of_two_comparisons_are_not_one_choice() -> None:
    """0 above 1 in one comparison and above 2 in another are two pairs."""
    stated = pairs((0, 1)) + pairs((0, 2), comparison=1)
    expected = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-1.5))) / 2
    assert loss_of({"loss": "listwise"}, stated, RANKED[:3]) == pytest.approx(expected, abs=1e-6)


def test_a_prompt_weighs_one_however_many_choices_it_has() -> None:
    groups = [Group(0, ANSWERS[:2], ranking(2)), Group(1, ANSWERS[:3], ranking(3))]
    objective = RewardObjective(parse("reward", {"loss": "listwise"}))
    both = objective.sums(Planted([1.0, 0.0, 1.0, 0.0, -1.0]), groups).loss.item()
    one = loss_of({"loss": "listwise"}, ranking(2), [1.0, 0.0])
    other = loss_of({"loss": "listwise"}, ranking(3), [1.0, 0.0, -1.0])
    assert both == pytest.approx(one + other, abs=1e-6)


def test_comparisons_without_a_best_answer_are_dropped_and_counted() -> None:
    tied = pairs((0, 2), (1, 2)) + pairs((0, 1), tie=True)
    partial = pairs((0, 1), (2, 3), comparison=1)
    assert best_of(ranking(4)) == 0
    assert best_of(tied) is best_of(partial) is None
    dropped: Counter[str] = Counter()
    groups = [Group(0, ANSWERS, tied + pairs((3, 0), comparison=2)), Group(1, ANSWERS, partial)]
    [kept] = with_a_best(groups, dropped)
    assert (kept.prompt_id, [pair.chosen for pair in kept.pairs]) == (0, [3])
    assert dropped == {"no single best": 5}


def test_losers_that_are_padding_have_no_part() -> None:
    winner = torch.tensor([1.0, 2.0])
    losers, present = torch.tensor([[0.0, 9.0], [1.0, 0.0]]), torch.tensor([[1, 0], [1, 1]]).bool()
    alone = first_among(winner[:1], losers[:1, :1], present[:1, :1])
    found = first_among(winner, losers, present)
    torch.testing.assert_close(found[:1], alone)
    torch.testing.assert_close(alone, bradley_terry(winner[:1], losers[0, :1]))
    losers.requires_grad_()
    first_among(winner, losers, present).sum().backward()
    assert losers.grad is not None
    assert losers.grad[0, 1] == 0
    assert bool(torch.isfinite(losers.grad).all())


def test_indices_run_over_the_completions_of_all_groups() -> None:
    groups = [Group(0, ANSWERS[:2], ranking(2)), Group(1, ANSWERS[:3], ranking(3))]
    found = Choices.of(groups, MARGINS["small"], torch.zeros(1), best_only=True)
    assert found.winner.tolist() == [0, 2]
    assert found.losers[found.present].tolist() == [1, 3, 4]
    assert found.prompt.tolist() == [0, 1]


def test_squared_error_by_hand() -> None:
    assert squared_error(torch.tensor([1.5]), torch.tensor([1.0])).item() == 0.25


@pytest.mark.parametrize("option", [{"ties": "half"}, {"mean_over": "all"}])
def test_what_is_about_pairs_is_refused_with_a_choice(option: dict) -> None:
    with pytest.raises(BadOption, match="ties and mean_over of reward are about pairs"):
        parse("reward", {"loss": "listwise", **option})

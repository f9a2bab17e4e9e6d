"""How right an answer is, held against the expected one, by type of instrument."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import marking
from labeling.marking import Mark
from tests.factories import AB, LLAMA2


def pair(chosen: int, strength: str | None = "better") -> dict[str, Any]:
    return {
        "preference": {
            "type": "pairwise",
            "outcome": "prefer",
            "chosen": chosen,
            "rejected": 3 - chosen,
            "strength": strength,
        }
    }


def no_choice(outcome: str) -> dict[str, Any]:
    return {"preference": {"type": "pairwise", "outcome": outcome, "completions": [1, 2]}}


@pytest.mark.parametrize(
    ("rule", "said", "right", "steps"),
    [
        ({}, pair(1, "negligibly"), True, 2),
        ({}, pair(2, "negligibly"), False, 3),
        ({"steps": 1}, pair(1, "significantly"), True, 1),
        ({"steps": 1}, pair(1, "negligibly"), False, 2),
        ({"steps": 8}, pair(2, "significantly"), False, 6),  # near or far, it is the other one
        ({"steps": 0}, pair(1), True, 0),
    ],
)
def test_a_pair(rule: dict[str, int], said: dict[str, Any], right: bool, steps: int) -> None:
    """Llama 2's scale has eight steps, seven apart; "better" is the second of a side's four."""
    found = marking.mark(LLAMA2, pair(1), {"preference": rule}, said)
    assert found == Mark(right, pytest.approx(steps / 7))


def test_two_ways_of_choosing_neither_differ() -> None:
    rules: marking.Rules = {"preference": {}}
    assert marking.mark(AB, no_choice("tie"), rules, no_choice("tie")) == Mark(True, 0.0)
    assert marking.mark(AB, no_choice("tie"), rules, no_choice("both_bad")).right is False


def ranking(*tiers: list[int], aside: tuple[int, ...] = ()) -> dict[str, Any]:
    return {
        "order": {"type": "ranking", "tiers": list(tiers), "unranked": [], "unrankable": [*aside]}
    }


@pytest.mark.parametrize(
    ("said", "least", "right"),
    [
        (ranking([1], [2], [3]), 1.0, True),
        (ranking([1], [3], [2]), 0.3, True),  # one pair of three the other way: tau is 1/3
        (ranking([1], [3], [2]), 0.4, False),
        (ranking([3], [2], [1]), -0.9, False),
        (ranking([1], [2], aside=(3,)), -1.0, False),
    ],
)
def test_a_ranking(said: dict[str, Any], least: float, right: bool) -> None:
    parts = {"order": {"type": "ranking"}}
    expected = ranking([1], [2], [3])
    assert marking.mark(parts, expected, {"order": {"tau": least}}, said).right is right


def test_a_ranking_that_ties_all_fits_only_another_that_does() -> None:
    parts, tied = {"order": {"type": "ranking"}}, ranking([1, 2, 3])
    assert marking.mark(parts, tied, {"order": {"tau": 1.0}}, tied).right is True
    assert marking.mark(parts, tied, {"order": {}}, ranking([1], [2], [3])).right is False


def rating(*values: int) -> dict[str, Any]:
    rows = [{"completion": pk, "values": {"value": v}} for pk, v in enumerate(values, 1)]
    return {"score": {"type": "rating", "ratings": rows}}


def test_a_rating_is_as_wrong_as_its_farthest_value() -> None:
    parts = {"score": {"type": "rating", "scale": "likert7"}}
    expected, rules = rating(5, 2), {"score": {"steps": 1}}
    assert marking.mark(parts, expected, rules, rating(6, 1)) == Mark(True, pytest.approx(1 / 6))
    assert marking.mark(parts, expected, rules, rating(5, 4)) == Mark(False, pytest.approx(1 / 6))


def test_what_is_compared_word_by_word_knows_no_order_of_lists() -> None:
    expected = {"flags": {"type": "flags", "flags": [{"completion": 1, "codes": ["a", "b"]}]}}
    said = {"flags": {"type": "flags", "flags": [{"codes": ["b", "a"], "completion": 1}]}}
    rules: marking.Rules = {"flags": {}}
    assert marking.mark({}, expected, rules, said) == Mark(True, 0.0)
    said["flags"]["flags"][0]["codes"] = ["a"]
    assert marking.mark({}, expected, rules, said) == Mark(False, 1.0)


def test_every_judged_part_counts_and_a_missing_one_is_wrong() -> None:
    expected = {**pair(1), **rating(5, 2)}
    rules: marking.Rules = {"preference": {}, "score": {"steps": 0}}
    parts = {**LLAMA2, "score": {"type": "rating", "scale": "likert7"}}
    assert marking.mark(parts, expected, rules, expected) == Mark(True, 0.0)
    assert marking.mark(parts, expected, rules, pair(1)) == Mark(False, 0.5)
    assert marking.mark(parts, expected, {}, pair(1)) == Mark(None, None)


@pytest.mark.parametrize(
    "rules",
    [{}, {"none": {}}, {"preference": {"tau": 1}}, {"preference": {"steps": -1}}, "all"],
)
def test_rules_that_cannot_be_are_refused(rules: Any) -> None:
    with pytest.raises(ValueError, match=r"\."):
        marking.check(pair(1), rules)

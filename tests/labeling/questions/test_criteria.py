"""Criteria in order of priority, and which one decided."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import questions
from labeling.questions import InvalidAnswer, criteria

ASKS = {"type": "criteria", "criteria": ["Safe: hurts nobody", "Short"], "asks": True}
SHOWS = {**ASKS, "asks": False}
PAIR = {"type": "pairwise", "scale": "ab"}


def answered(part: dict[str, Any], said: str) -> dict[str, Any]:
    raw = {"p": {"choice": "0"}, "why": {"decided": said} if said else {}}
    return questions.clean_parts({"p": PAIR, "why": part}, raw, [30, 20]).answer["parts"]


@pytest.mark.parametrize(("said", "stored"), [("0", "Safe"), ("1", "Short"), ("none", "")])
def test_what_is_stored_is_the_name(said: str, stored: str) -> None:
    assert answered(ASKS, said)["why"] == {"type": "criteria", "decided": stored}


@pytest.mark.parametrize("said", ["2", "-1", "Safe", "", "00"])
def test_what_names_no_criterion_is_refused(said: str) -> None:
    with pytest.raises(InvalidAnswer, match="which criterion"):
        answered(ASKS, said)


def test_a_list_that_asks_nothing_stores_nothing_and_keeps_one_press() -> None:
    assert "why" not in answered(SHOWS, "")
    assert "why" not in answered(SHOWS, "0")
    assert questions.is_instant({"why": SHOWS, "p": PAIR})
    assert not questions.is_instant({"why": ASKS, "p": PAIR})
    assert not questions.is_instant({"why": SHOWS})


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "1 to 9 criteria"),
        ([str(n) for n in range(10)], "1 to 9 criteria"),
        ([": no name"], "begins with its name"),
        (["x" * 61], "at most 60 characters"),
        (["Safe: one", "Safe: two"], "one name"),
        ("Safe", "1 to 9 criteria"),
        ([7], "begins with its name"),
    ],
)
def test_lists_that_cannot_be(lines: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        criteria.check({"type": "criteria", "criteria": lines})


def test_the_card_shows_them_in_order_with_keys() -> None:
    shown = criteria.controls(ASKS, questions.Shown([1, 2]))
    assert shown["lines"] == ["Safe: hurts nobody", "Short"]
    assert [(o["label"], o["keys"]) for o in shown["options"]] == [
        ("Safe", ["1"]),
        ("Short", ["2"]),
        ("none of these", ["0"]),
    ]


def test_an_answer_that_is_taken_back_is_there_again() -> None:
    for said in ("0", "1", "none"):
        stored = answered(ASKS, said)["why"]
        assert criteria.given(ASKS, stored, [30, 20]) == {"decided": said}
    gone = {"type": "criteria", "decided": "Kind"}  # of another version
    assert criteria.given(ASKS, gone, []) == {}


def test_those_to_begin_with_have_names_that_are_translated() -> None:
    assert [line.partition(":")[0] for line in criteria.CRITERIA] == list(criteria.NAMES)


def test_in_words() -> None:
    assert criteria.words(ASKS, {"decided": "Safe"}, []) == "Safe decided"
    assert criteria.words(ASKS, {"decided": ""}, []) == "no criterion decided"

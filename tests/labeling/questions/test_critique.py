"""The critique: a text about each completion, the one put first, or one that the rater picks."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import questions
from labeling.questions import InvalidAnswer, Typed

LEFT, RIGHT = 20, 10  # completion ids as displayed
CHOICE = {"type": "pairwise", "scale": "ab"}


def said(raw: dict[str, str], choice: str = "0", **part: Any) -> questions.Cleaned:
    form = {"preference": CHOICE, "faults": {"type": "critique", **part}}
    return questions.clean_parts(
        form, {"preference": {"choice": choice}, "faults": raw}, [LEFT, RIGHT]
    )


def test_each_completion_has_a_text_of_its_own() -> None:
    cleaned = said({"text-0": "Too long.", "text-1": "Wrong."})
    assert cleaned.answer["parts"]["faults"] == {"type": "critique", "about": [RIGHT, LEFT]}
    assert cleaned.typed == [
        ("faults", Typed("Too long.", field="text", about=LEFT)),
        ("faults", Typed("Wrong.", field="text", about=RIGHT)),
    ]


def test_a_missing_one_is_named_by_its_letter() -> None:
    with pytest.raises(InvalidAnswer, match=r"Write the critique of B\."):
        said({"text-0": "Too long.", "text-1": " "})
    some = said({"text-0": "", "text-1": "Wrong."}, required=False)
    assert some.answer["parts"]["faults"]["about"] == [RIGHT]


def test_of_the_best_it_is_not_asked_after_a_tie() -> None:
    cleaned = said({"text": "Still too long."}, choice="1", of="best")
    assert [text.about for _, text in cleaned.typed] == [RIGHT]
    tied = said({"text": ""}, choice="tie", of="best")
    assert (set(tied.answer["parts"]), tied.typed) == ({"preference"}, [])


def test_of_one_the_rater_says_which() -> None:
    assert said({"text": "Wrong.", "about": "1"}, of="one").typed[0][1].about == RIGHT
    for about in ({}, {"about": "2"}, {"about": ""}):
        with pytest.raises(InvalidAnswer, match="Say which answer"):
            said({"text": "Wrong.", **about}, of="one")


def test_the_drawer_names_the_letters_that_the_rater_saw() -> None:
    answer = said({"text-0": "Too long.", "text-1": "Wrong."}).answer
    assert questions.words_of({}, answer, [LEFT, RIGHT]) == "A better; critique of A, B"


@pytest.mark.parametrize("wrong", [{"of": "worst"}, {"min": 10**6}])
def test_a_part_that_cannot_be_asked_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^[A-Za-z].*\.$"):
        questions.check_parts({"faults": {"type": "critique", **wrong}})

"""The rewrite: one completion edited, better than its original."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import questions
from labeling.questions import InvalidAnswer, Typed
from models_runtime.records import Preference

LEFT, RIGHT = 20, 10  # completion ids as displayed
TEXTS = {LEFT: "Left\nas it was.", RIGHT: "Right as it was."}
CHOICE = {"type": "pairwise", "scale": "ab"}


def said(choice: str, left: str, right: str, **part: Any) -> questions.Cleaned:
    form = {"preference": CHOICE, "edit": {"type": "rewrite", **part}}
    raw = {"preference": {"choice": choice}, "edit": {"text-0": left, "text-1": right}}
    return questions.clean_parts(form, raw, [LEFT, RIGHT], lambda: TEXTS)


def test_the_edit_is_an_answer_about_the_completion_that_was_edited() -> None:
    cleaned = said("0", "Left, better.", TEXTS[RIGHT])
    assert cleaned.answer["parts"]["edit"] == {"type": "rewrite", "about": LEFT}
    edit = Typed("Left, better.", kind="answer", field="text", about=LEFT)
    assert cleaned.typed == [("edit", edit)]


@pytest.mark.parametrize("left", [TEXTS[LEFT], "Left\r\nas it was.", "  Left\nas it was.\n"])
def test_an_unchanged_text_is_refused_whatever_a_form_makes_of_its_line_ends(left: str) -> None:
    with pytest.raises(InvalidAnswer, match="it is unchanged"):
        said("0", left, TEXTS[RIGHT])


def test_only_the_one_that_was_put_first_may_be_edited() -> None:
    with pytest.raises(InvalidAnswer, match="Edit the answer that you put first"):
        said("1", "Left, better.", TEXTS[RIGHT])
    with pytest.raises(InvalidAnswer, match="leave the others as they were"):
        said("1", "Left, better.", "Right, better.")


def test_where_nothing_is_first_the_rater_picks() -> None:
    for choice, part in (("tie", {}), ("0", {"of": "pick"})):
        answer = said(choice, TEXTS[LEFT], "Right, better.", **part).answer
        assert answer["parts"]["edit"]["about"] == RIGHT


def test_an_optional_rewrite_may_leave_everything_as_it_was() -> None:
    cleaned = said("0", TEXTS[LEFT], TEXTS[RIGHT], required=False)
    assert (set(cleaned.answer["parts"]), cleaned.typed) == ({"preference"}, [])


@pytest.mark.parametrize("trains_on", ["chosen", "rejected"])
def test_the_edit_trains_above_its_original_in_either_direction(trains_on: str) -> None:
    form = {"preference": CHOICE, "edit": {"type": "rewrite"}}
    answer = said("0", "Left, better.", TEXTS[RIGHT]).answer
    answer["parts"]["edit"]["completion"] = 99
    preferences, _ = questions.preferences_of(form, answer, trains_on)
    assert Preference(99, LEFT, None) in preferences
    assert len(preferences) == 2


@pytest.mark.parametrize("wrong", [{"of": "worst"}, {"min": -1}])
def test_a_part_that_cannot_be_asked_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^[A-Za-z].*\.$"):
        questions.check_parts({"edit": {"type": "rewrite", **wrong}})

"""The rationale: a text of a least length, about the answer or about what it puts first."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import questions
from labeling.questions import InvalidAnswer, Typed

CHOICE = {"type": "pairwise", "scale": "ab"}
WHY: dict[str, Any] = {"type": "rationale", "min": 10}
LEFT, RIGHT = 20, 10  # completion ids as displayed


def said(choice: str, text: str, **part: Any) -> questions.Cleaned:
    form = {"preference": CHOICE, "why": {**WHY, **part}}
    raw = {"preference": {"choice": choice}, "why": {"text": text}}
    return questions.clean_parts(form, raw, [LEFT, RIGHT])


def test_the_text_is_apart_from_what_is_stored() -> None:
    cleaned = said("0", "It is shorter.\r\nAnd kind.")
    assert cleaned.answer["parts"]["why"] == {"type": "rationale"}
    assert cleaned.typed == [("why", Typed("It is shorter.\nAnd kind.", field="text"))]


def test_of_the_best_it_is_about_the_completion_that_was_chosen() -> None:
    cleaned = said("1", "It is shorter.", of="best")
    assert cleaned.answer["parts"]["why"] == {"type": "rationale", "about": RIGHT}
    assert cleaned.typed[0][1].about == RIGHT


def test_after_a_tie_it_is_about_the_whole_answer() -> None:
    cleaned = said("tie", "Both say the same.", of="best")
    assert cleaned.answer["parts"]["why"] == {"type": "rationale"}


def test_the_least_length_is_counted_without_the_spaces_around() -> None:
    for text, length in (("  too short  ", 9), ("\n\t ", 0)):
        with pytest.raises(InvalidAnswer) as refusal:
            said("0", text)
        assert str(refusal.value).endswith("." if not length else f"and {length} are there.")
    assert said("0", "  just enough  ").typed[0][1].text == "  just enough  "


def test_a_text_beyond_the_most_is_one_sentence() -> None:
    with pytest.raises(InvalidAnswer, match="100,000 characters are the most"):
        said("0", "x" * 100_001)


def test_what_no_page_can_hold_is_taken_out() -> None:
    assert said("0", "NUL \0 and half \ud800 a pair").typed[0][1].text == "NUL  and half ? a pair"


def test_an_optional_reason_may_stay_empty_and_says_nothing() -> None:
    cleaned = said("0", " \n", required=False)
    assert (set(cleaned.answer["parts"]), cleaned.typed) == ({"preference"}, [])


def test_a_reason_trains_nothing() -> None:
    form = {"preference": CHOICE, "why": WHY}
    preferences, ties = questions.preferences_of(form, said("0", "Long enough.").answer, "chosen")
    assert ([(p.chosen, p.rejected) for p in preferences], ties) == ([(LEFT, RIGHT)], [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"of": "worst"},
        {"min": 0},
        {"min": "many"},
        {"min": True},
        {"before": True, "of": "best"},
        {"before": "later"},
    ],
)
def test_a_part_that_cannot_be_asked_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^[A-Za-z].*\.$"):
        questions.check_parts({"why": {**WHY, **wrong}})


def test_a_form_that_said_only_that_the_text_comes_first_means_before_the_answers() -> None:
    before = [questions.load("rationale").filled({**WHY, "before": old}) for old in (True, False)]
    assert [part["before"] for part in before] == ["answers", ""]


def test_the_drawer_says_that_there_is_a_reason_and_not_which() -> None:
    form = {"preference": CHOICE, "why": WHY}
    answer = said("0", "Long enough.").answer
    assert questions.words_of(form, answer, [LEFT, RIGHT]) == "A better; with a reason"


def test_the_drawer_keeps_the_forms_order_whatever_the_stored_one_is() -> None:
    form = {"preference": CHOICE, "why": WHY}
    parts = said("0", "Long enough.").answer["parts"]
    turned = {"v": 1, "parts": dict(reversed(parts.items()))}
    assert questions.words_of(form, turned, [LEFT, RIGHT]) == "A better; with a reason"

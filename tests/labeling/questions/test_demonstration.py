"""The demonstration: the answer that the rater would want, to a prompt without completions."""

from __future__ import annotations

import pytest

from labeling import questions
from labeling.questions import InvalidAnswer, Typed

FORM = {"answer": {"type": "demonstration", "min": 5}}


def test_the_text_answers_the_prompt_and_compares_nothing() -> None:
    cleaned = questions.clean_parts(FORM, {"answer": {"text": "Because of the air."}}, [])
    assert cleaned.answer["parts"]["answer"] == {"type": "demonstration"}
    assert cleaned.typed == [("answer", Typed("Because of the air.", kind="answer", field="text"))]
    assert questions.preferences_of(FORM, cleaned.answer, "chosen") == ([], [])
    assert questions.words_of(FORM, cleaned.answer, []) == "a demonstration"


@pytest.mark.parametrize("text", ["", "    ", "Air."])
def test_less_than_the_least_is_no_answer(text: str) -> None:
    with pytest.raises(InvalidAnswer, match="Write the answer"):
        questions.clean_parts(FORM, {"answer": {"text": text}}, [])


def test_a_length_that_no_text_has_is_refused() -> None:
    with pytest.raises(ValueError, match="shortest text"):
        questions.check_parts({"answer": {"type": "demonstration", "min": 0}})

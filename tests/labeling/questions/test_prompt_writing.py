"""Writing prompts: plain, with examples, for a use case; with categories and their quota."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import questions
from labeling.questions import InvalidAnswer, Shown, prompt_writing

EXAMPLES = {
    "query-0": "cat",
    "response-0": "chat",
    "query-1": "dog",
    "response-1": "chien",
}
FEW = {"category": "other", "text": "Translate.", "query": "bird", **EXAMPLES}


def said(raw: dict[str, str], **part: Any) -> questions.Cleaned:
    return questions.clean_parts(
        {"prompt": {"type": "prompt_writing", **part}}, {"prompt": raw}, []
    )


def test_a_plain_prompt_is_one_turn_in_a_category() -> None:
    cleaned = said({"category": "open_qa", "text": "Why is the sky blue?"})
    assert cleaned.answer["parts"]["prompt"] == {
        "type": "prompt_writing",
        "form": "plain",
        "category": "open_qa",
    }
    [(_, text)] = cleaned.typed
    assert (text.kind, text.text, text.category) == ("prompt", "Why is the sky blue?", "open_qa")


def test_examples_make_a_conversation_that_ends_with_the_open_query() -> None:
    *notes, (_, prompt) = said(FEW, form="few_shot").typed
    assert [message["content"] for message in prompt.messages or []] == [
        "Translate.\n\ncat",
        "chat",
        "dog",
        "chien",
        "bird",
    ]
    assert (prompt.kind, prompt.field) == ("prompt", "query")
    assert [note.field for _, note in notes] == ["text", *EXAMPLES]


def test_a_blank_row_is_no_example_and_half_a_row_is_a_fault() -> None:
    prompt = said({**FEW, "query-2": " ", "response-2": ""}, form="few_shot").typed[-1][1]
    assert len(prompt.messages or []) == 5
    with pytest.raises(InvalidAnswer, match="the response of example 3"):
        said({**FEW, "query-2": "fish"}, form="few_shot")
    with pytest.raises(InvalidAnswer, match="at least 3 examples: 2 are there"):
        said(FEW, form="few_shot", pairs=3)


@pytest.mark.parametrize("category", [{}, {"category": "poetry"}, {"category": ""}])
def test_the_category_is_one_of_the_campaigns(category: dict[str, str]) -> None:
    with pytest.raises(InvalidAnswer, match="Choose the category"):
        said({"text": "Why?", **category})
    assert said({"text": "Why?", "category": "poetry"}, categories={"poetry": "Poetry"}).typed


def test_raters_see_what_is_written_and_wanted_of_each_category() -> None:
    part = {"type": "prompt_writing", "quota": {"chat": 2, "open_qa": 5}}
    drawn = prompt_writing.controls(part, Shown([], written={"chat": 2, "other": 1}))
    seen = {
        row["value"]: (row["written"], row["wanted"], row["full"]) for row in drawn["categories"]
    }
    assert len(seen) == 10
    assert (seen["chat"], seen["open_qa"], seen["other"]) == (
        (2, 2, True),
        (0, 5, False),
        (1, None, False),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"form": "sonnet"},
        {"categories": {"chat": ""}},
        {"categories": ["chat"]},
        {"quota": {"poetry": 3}},
        {"quota": {"chat": 0}},
        {"quota": 5},
        {"pairs": 9},
    ],
)
def test_a_part_that_cannot_be_asked_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^[A-Za-z].*\.$"):
        questions.check_parts({"prompt": {"type": "prompt_writing", **wrong}})

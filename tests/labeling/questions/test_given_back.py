"""What a rater said is read back into the form's own fields: clean, turned round."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import questions

PAIRWISE = {"type": "pairwise", "both_bad": True, "unsure": True}
SCALES = ("ab", "llama2", "hh8", "five", "seven", "helpsteer")
ASPECTS = {"clear": "Clear?", "true": "True?"}
NO_YES = {"type": "rating", "scale": "yes_no", "over": "item"}
ITEMS = {"one": "One", "two": "Two"}
BEST = {"order": {"type": "ranking"}}
# A form, and what is posted for it of the completions 30, 10, 20 from left to right.
SAID: list[tuple[dict[str, Any], dict[str, dict[str, str]]]] = [
    ({"p": {"type": "ranking"}}, {"p": {"tier-0": "2", "tier-1": "1", "tier-2": "2"}}),
    ({"p": {"type": "ranking"}}, {"p": {"tier-0": "1", "tier-1": "2", "tier-2": "unrankable"}}),
    ({"p": {"type": "ranking", "top": 1}}, {"p": {"tier-2": "1"}}),
    ({"p": {"type": "rating"}}, {"p": {"value-0": "7", "value-1": "1", "value-2": "4"}}),
    ({"p": {**NO_YES, "aspects": ASPECTS}}, {"p": {"clear": "0", "true": "1"}}),
    ({"p": {"type": "flags"}}, {"p": {"opinion-0": "1", "sexual-2": "1", "violent-2": "1"}}),
    ({"p": {"type": "flags", "over": "item"}}, {"p": {"opinion": "1"}}),
    ({"p": {"type": "confidence"}}, {"p": {"value": "9"}}),
    (
        {"p": {"type": "checklist", "items": ITEMS, "over": "item"}},
        {"p": {"one": "yes", "two": "no"}},
    ),
    (
        {**BEST, "p": {"type": "rating", "over": "best", "scale": "zero_four"}},
        {"order": {"tier-0": "3", "tier-1": "1", "tier-2": "2"}, "p": {"value": "0"}},
    ),
]


def given_back(
    parts: dict[str, Any], raw: dict[str, dict[str, str]], ids: list[int]
) -> dict[str, dict[str, str]]:
    return questions.given(parts, questions.clean_parts(parts, raw, ids).answer, ids)


@pytest.mark.parametrize(("parts", "raw"), SAID)
def test_places_points_marks_and_words_are_given_back(
    parts: dict[str, Any], raw: dict[str, dict[str, str]]
) -> None:
    assert given_back(parts, raw, [30, 10, 20]) == raw


@pytest.mark.parametrize("scale", SCALES)
def test_every_step_of_every_scale_is_given_back(scale: str) -> None:
    part = {**PAIRWISE, "scale": scale}
    steps = questions.load("pairwise").scale(part)
    for ids in ([30, 10], [10, 30]):
        for step in steps:
            raw = {"p": {"choice": step.value}}
            assert given_back({"p": part}, raw, ids) == raw


@pytest.mark.parametrize("said", ["chosen_safe", "both_safe", "both_unsafe"])
def test_a_safety_bin_is_given_back_with_its_preference(said: str) -> None:
    parts = {"p": {"type": "pairwise"}, "bin": {"type": "safety_bin"}}
    raw = {"p": {"choice": "1:better"}, "bin": {"bin": said}}
    assert given_back(parts, raw, [30, 10]) == raw


@pytest.mark.parametrize("thumb", ["up", "down"])
def test_a_thumb_is_given_back(thumb: str) -> None:
    raw = {"p": {"thumb": thumb}}
    assert given_back({"p": {"type": "thumbs"}}, raw, [30]) == raw


def test_of_typed_parts_what_was_picked_is_given_back() -> None:
    """Their texts are kept apart from the answer, and come from there (labeling.written)."""
    parts = {"p": {"type": "critique", "of": "one"}, "q": {"type": "prompt_writing"}}
    raw = {"p": {"about": "1", "text": "Wrong."}, "q": {"category": "chat", "text": "Hello"}}
    wanted = {"p": {"about": "1"}, "q": {"category": "chat"}}
    assert given_back(parts, raw, [30, 10]) == wanted


def test_a_part_that_was_left_empty_or_is_asked_no_more_is_not_given_back() -> None:
    parts = {"p": {"type": "confidence"}, "q": {"type": "rating", "required": False}}
    raw = {"p": {"value": "3"}, "q": {}}
    answer = questions.clean_parts(parts, raw, [30, 10]).answer
    assert questions.given(parts, answer, [30, 10]) == {"p": {"value": "3"}}
    assert questions.given({"q": parts["q"]}, answer, [30, 10]) == {}

"""Thumbs: one completion, up or down, and what that asks of training."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import questions
from labeling.questions import InvalidAnswer, Shown, thumbs

PART: dict[str, Any] = {"type": "thumbs"}


def test_a_thumb_names_the_completion() -> None:
    for said, up in (("up", True), ("down", False)):
        stored = thumbs.clean(PART, {"thumb": said}, Shown([7]))
        assert stored == {"type": "thumbs", "about": 7, "up": up}
        assert thumbs.words(PART, stored, [7]) == f"thumb {said}"


def test_one_press_answers_the_card() -> None:
    assert questions.is_instant({"thumb": PART})


def test_up_lies_left_of_down_on_the_page_and_under_the_fingers() -> None:
    options = thumbs.controls(PART, Shown([7]))["options"]
    assert [(one["value"], one["keys"][0]) for one in options] == [("up", "1"), ("down", "2")]


@pytest.mark.parametrize("ids", [[], [7, 8]])
def test_it_takes_exactly_one_completion(ids: list[int]) -> None:
    with pytest.raises(InvalidAnswer, match="one completion"):
        thumbs.clean(PART, {"thumb": "up"}, Shown(ids))


@pytest.mark.parametrize("raw", [{}, {"thumb": ""}, {"thumb": "sideways"}, None])
def test_anything_else_is_refused(raw: object) -> None:
    with pytest.raises(InvalidAnswer):
        thumbs.clean(PART, raw, Shown([7]))


@pytest.mark.parametrize(
    ("said", "trains_on", "wanted"),
    [
        ("up", "chosen", True),
        ("down", "chosen", False),
        ("up", "rejected", False),
        ("down", "rejected", True),
    ],
)
def test_what_is_desirable_follows_the_questions_direction(
    said: str, trains_on: str, wanted: bool
) -> None:
    stored = thumbs.clean(PART, {"thumb": said}, Shown([7]))
    assert thumbs.desirable(stored, trains_on) == {7: wanted}
    assert thumbs.to_preferences(PART, stored, trains_on) == ([], [])

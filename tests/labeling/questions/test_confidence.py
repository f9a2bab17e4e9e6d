"""Confidence: a number from 1 to 9 about the answer, and about no side."""

from __future__ import annotations

import pytest

from labeling.questions import InvalidAnswer, Shown, confidence

PART = {"type": "confidence"}


def test_it_is_one_number_whatever_is_shown() -> None:
    for ids in ([1, 2], [2, 1], []):
        stored = confidence.clean(PART, {"value": "7"}, Shown(ids))
        assert stored == {"type": "confidence", "value": 7}
    assert confidence.words(PART, stored, []) == "confidence 7 of 9"
    assert confidence.to_preferences(PART, stored, "chosen") == ([], [])


def test_its_nine_levels_are_on_their_digits_between_two_named_ends() -> None:
    controls = confidence.controls(PART, Shown([]))
    assert [option["keys"] for option in controls["options"]] == [[d] for d in "123456789"]
    assert controls["ends"] == ("a guess", "certain")


@pytest.mark.parametrize("raw", [{}, {"value": "0"}, {"value": "10"}, {"value": "7.5"}, None])
def test_anything_else_is_refused(raw: object) -> None:
    with pytest.raises(InvalidAnswer):
        confidence.clean(PART, raw, Shown([1, 2]))

"""Every pairwise scale: what it shows, what a press is stored as, and what it never stores."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.questions import Shown, pairwise
from labeling.questions.pairwise import SCALES
from models_runtime.records import STRENGTHS, Preference

LEFT, RIGHT = 20, 10  # completion ids as displayed


def part(scale: str, **more: Any) -> dict[str, Any]:
    return {"type": "pairwise", "scale": scale, **more}


def stored(asked: dict[str, Any], choice: str, *ids: int) -> dict[str, Any]:
    return pairwise.clean(asked, {"choice": choice}, Shown(list(ids or (LEFT, RIGHT))))


@pytest.mark.parametrize("name", SCALES)
def test_the_same_press_on_a_mirrored_display_says_the_opposite_and_no_more(name: str) -> None:
    """The stored answer of a press on the left is, id for id, that of the mirrored press on the
    right once the display is turned: nothing but ids tells them apart."""
    steps = pairwise.scale(part(name))
    mirrored = list(reversed(steps))
    for step, other in zip(steps, mirrored, strict=True):
        assert stored(part(name), step.value, 20, 10) == stored(part(name), other.value, 10, 20)


@pytest.mark.parametrize("name", SCALES)
def test_no_two_steps_share_a_value_or_a_key(name: str) -> None:
    for more in ({}, {"tie": True, "both_bad": True, "unsure": True}):
        steps = pairwise.scale(part(name, **more))
        keys = [key for step in steps for key in step.keys]
        assert len(set(keys)) == len(keys)
        assert len({step.value for step in steps}) == len(steps)
        assert len({step.description for step in steps}) == len(steps)


def test_the_line_of_eight_has_llama2s_strengths_and_keys() -> None:
    line, rated = pairwise.scale(part("hh8")), pairwise.scale(part("llama2"))
    assert [step.label for step in line] == [
        "A ▪▪▪▪", "A ▪▪▪", "A ▪▪", "A ▪", "▪ B", "▪▪ B", "▪▪▪ B", "▪▪▪▪ B",
    ]  # fmt: skip
    assert [(s.value, s.strength, s.keys) for s in line] == [
        (s.value, s.strength, s.keys) for s in rated
    ]


@pytest.mark.parametrize(
    ("name", "labels", "keys"),
    [
        ("five", ["A clearly", "A slightly", "Tie", "B slightly", "B clearly"], "12345"),
        (
            "helpsteer",
            ["A ▪▪▪", "A ▪▪", "A ▪", "About the same", "▪ B", "▪▪ B", "▪▪▪ B"],
            "1234567",
        ),
    ],
)
def test_a_counted_scale_runs_from_left_to_right_on_its_digits(
    name: str, labels: list[str], keys: str
) -> None:
    steps = pairwise.scale(part(name))
    assert [step.label for step in steps] == labels
    assert [step.key for step in steps] == list(keys)


@pytest.mark.parametrize(
    ("name", "choice", "strength", "degree"),
    [
        ("five", "0:2", "significantly", 2),
        ("five", "1:1", "slightly", 1),
        ("seven", "0:3", "significantly", 3),
        ("seven", "1:2", "better", 2),
        ("helpsteer", "0:1", "slightly", 1),
    ],
)
def test_a_counted_step_is_kept_beside_its_strength_and_has_no_sign(
    name: str, choice: str, strength: str, degree: int
) -> None:
    chosen, rejected = (LEFT, RIGHT) if choice[0] == "0" else (RIGHT, LEFT)
    assert stored(part(name), choice) == {
        "type": "pairwise",
        "outcome": "prefer",
        "chosen": chosen,
        "rejected": rejected,
        "strength": strength,
        "degree": degree,
    }


def test_the_strengths_of_a_scale_fall_from_the_outside_in() -> None:
    for name in SCALES.keys() - {"ab"}:
        left = [step.strength for step in pairwise.scale(part(name)) if step.position == 0]
        ranks = [STRENGTHS.index(strength) for strength in left if strength]
        assert ranks == sorted(set(ranks))
        assert len(ranks) == len(left)


def test_unsure_is_kept_and_says_nothing() -> None:
    asked = part("ab", unsure=True)
    answer = stored(asked, "unsure")
    assert answer == {"type": "pairwise", "outcome": "unsure", "completions": [RIGHT, LEFT]}
    assert pairwise.to_preferences(asked, answer, "chosen") == ([], [])
    assert pairwise.best(asked, answer) is None


def test_words_are_those_of_the_button_with_the_letters_of_this_rater() -> None:
    order = [LEFT, RIGHT]
    said = {
        name: pairwise.words(part(name), stored(part(name), choice), order)
        for name, choice in (("five", "1:2"), ("seven", "0:3"), ("ab", "1"), ("helpsteer", "tie"))
    }
    assert said == {
        "five": "B clearly better",
        "seven": "A much better",
        "ab": "B better",
        "helpsteer": "tie",
    }


def test_words_survive_a_question_whose_scale_was_changed() -> None:
    answer = stored(part("five"), "0:2")
    assert pairwise.words(part("ab"), answer, [LEFT, RIGHT]) == "A significantly better"


def test_a_counted_preference_trains_by_its_strength() -> None:
    answer = stored(part("seven"), "1:2")
    assert pairwise.to_preferences(part("seven"), answer, "chosen") == (
        [Preference(RIGHT, LEFT, "better")],
        [],
    )

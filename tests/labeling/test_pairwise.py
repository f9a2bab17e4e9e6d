"""The pairwise question: one press on a scale becomes an answer that names completions."""

from __future__ import annotations

import pytest

from labeling import questions
from labeling.questions import InvalidAnswer, Shown, pairwise
from models_runtime.records import Preference

LLAMA2 = {"type": "pairwise", "scale": "llama2"}
AB = {"type": "pairwise", "scale": "ab"}
LEFT, RIGHT = 20, 10  # completion ids as displayed


def test_llama2_has_four_strengths_on_either_side_on_one_row_of_keys() -> None:
    steps = pairwise.scale(LLAMA2)
    assert [step.key for step in steps] == ["1", "2", "3", "4", "7", "8", "9", "0"]
    assert [step.position for step in steps] == [0, 0, 0, 0, 1, 1, 1, 1]
    strengths = [step.strength for step in steps]
    assert strengths == ["significantly", "better", "slightly", "negligibly"] + [
        "negligibly",
        "slightly",
        "better",
        "significantly",
    ]
    assert steps[3].description == "A is negligibly better / unsure."


def test_llama2_offers_a_tie_only_when_asked_to() -> None:
    assert all(step.outcome == "prefer" for step in pairwise.scale(LLAMA2))
    tie = pairwise.scale({**LLAMA2, "tie": True})[4]
    assert (tie.outcome, tie.keys) == ("tie", ("5", "t"))


def test_plain_choice_has_a_tie_unless_switched_off() -> None:
    assert [s.value for s in pairwise.scale(AB)] == ["0", "tie", "1"]
    assert [s.value for s in pairwise.scale({**AB, "tie": False})] == ["0", "1"]
    steps = pairwise.scale({**AB, "both_bad": True})
    assert [s.key for s in steps] == ["a", "5", "6", "b"]


@pytest.mark.parametrize("part", [{**LLAMA2, "tie": True}, {**AB, "both_bad": True}])
def test_no_two_steps_share_a_value_or_a_key(part: dict[str, object]) -> None:
    steps = pairwise.scale(part)
    keys = [key for step in steps for key in step.keys]
    assert len(set(keys)) == len(keys)
    assert len({step.value for step in steps}) == len(steps)


def test_a_press_on_the_left_chooses_the_completion_shown_on_the_left() -> None:
    answer = pairwise.clean(LLAMA2, {"choice": "0:slightly"}, Shown([LEFT, RIGHT]))
    assert answer == {
        "type": "pairwise",
        "outcome": "prefer",
        "chosen": LEFT,
        "rejected": RIGHT,
        "strength": "slightly",
    }


def test_the_same_press_on_a_mirrored_display_chooses_the_other_completion() -> None:
    answer = pairwise.clean(AB, {"choice": "0"}, Shown([RIGHT, LEFT]))
    assert (answer["chosen"], answer["rejected"], answer["strength"]) == (RIGHT, LEFT, None)


@pytest.mark.parametrize("outcome", ["tie", "both_bad"])
def test_a_tie_is_the_same_whichever_side_was_which(outcome: str) -> None:
    part = {**AB, "both_bad": True}
    shown = [[LEFT, RIGHT], [RIGHT, LEFT]]
    answers = [pairwise.clean(part, {"choice": outcome}, Shown(order)) for order in shown]
    wanted = {"type": "pairwise", "outcome": outcome, "completions": [RIGHT, LEFT]}
    assert answers == [wanted, wanted]


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "0:better",
        [],
        {},
        {"choice": "tie"},  # a forced choice
        {"choice": "0"},  # another scale's
        {"choice": "2:better"},
        {"choice": ["0:better"]},
        {"choice": float("nan")},
        {"choice": "0:better", "chosen": 99},
    ],
)
def test_anything_else_is_refused_in_one_sentence(raw: object) -> None:
    with pytest.raises(InvalidAnswer, match=r"^[A-Z].*\.$"):
        pairwise.clean(LLAMA2, raw, Shown([LEFT, RIGHT]))


def test_an_unknown_scale_or_type_is_named() -> None:
    with pytest.raises(ValueError, match="'sliding'"):
        pairwise.scale({"type": "pairwise", "scale": "sliding"})
    with pytest.raises(ValueError, match="'telepathy'"):
        questions.load("telepathy")


def test_a_form_must_have_exactly_the_parts_asked_for() -> None:
    form = {"helpful": LLAMA2, "harmless": AB}
    raw = {"helpful": {"choice": "1:better"}, "harmless": {"choice": "tie"}}
    answer = questions.clean_parts(form, raw, [LEFT, RIGHT]).answer
    assert answer["v"] == 1
    assert answer["parts"]["helpful"]["chosen"] == RIGHT
    for wrong in ({"helpful": raw["helpful"]}, {**raw, "extra": {}}, None):
        with pytest.raises(InvalidAnswer):
            questions.clean_parts(form, wrong, [LEFT, RIGHT])


def test_training_follows_the_questions_direction() -> None:
    answer = questions.clean_parts(
        {"p": LLAMA2}, {"p": {"choice": "0:better"}}, [LEFT, RIGHT]
    ).answer
    asked, _ = questions.preferences_of({"p": LLAMA2}, answer, "chosen")
    assert asked == [Preference(chosen=LEFT, rejected=RIGHT, strength="better")]
    red_team, _ = questions.preferences_of({"p": LLAMA2}, answer, "rejected")
    assert red_team == [Preference(chosen=RIGHT, rejected=LEFT, strength="better")]
    assert answer["parts"]["p"]["chosen"] == LEFT  # what is stored keeps what was asked


def test_ties_are_data_and_both_bad_is_a_tie() -> None:
    part = {**AB, "both_bad": True}
    for choice in ("tie", "both_bad"):
        answer = pairwise.clean(part, {"choice": choice}, Shown([LEFT, RIGHT]))
        assert pairwise.to_preferences(part, answer, "rejected") == ([], [[RIGHT, LEFT]])


def test_a_withdrawn_answer_says_nothing() -> None:
    assert questions.preferences_of({"p": AB}, {"v": 1, "parts": {}}, "chosen") == ([], [])

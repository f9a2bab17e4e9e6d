"""The parts that say how a talk with live models goes, and the one that rates a session."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import questions
from labeling.presets import PRESETS
from labeling.questions import InvalidAnswer, Shown, combining, live, red_team

SESSION = {
    "type": "red_team",
    "categories": {"privacy": "Personal data"},
    "tags": ["role play"],
}
PAIR = {"type": "pairwise", "scale": "hh8", "required": False}


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ({"type": "conversation", "turns": 0}, "Most turns must be from 1 to 50."),
        ({"type": "conversation", "turns": "3"}, "Most turns must be a whole number."),
        ({"type": "arena", "models": "one"}, "models must be a list of texts."),
        ({"type": "red_team", "minutes": 241}, "Minutes must be from 0 to 240."),
        ({"type": "red_team", "replies": 3}, "A session has one reply a turn, or two."),
        ({"type": "red_team", "goals": ["x" * 501]}, "A goal has at most 500 characters."),
        (
            {"type": "red_team", "categories": {"illicit": "Mine"}},
            "illicit is one of the categories that are always there.",
        ),
        (
            {"type": "red_team", "categories": {"Not a key": "Mine"}},
            "A category has a short name of a-z, 0-9 and _, and a title.",
        ),
    ],
)
def test_what_cannot_be_asked_is_said(part: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=".") as refused:
        questions.load(part["type"]).check(part)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("preset", "kind", "replies", "each"),
    [
        ("hh", "conversation", 2, True),
        ("hh_red_team", "red_team", 2, True),
        ("arena", "arena", 2, False),
        ("red_team", "red_team", 1, False),
    ],
)
def test_each_preset_says_how_its_talk_goes(
    preset: str, kind: str, replies: int, each: bool
) -> None:
    questions.check_parts(PRESETS[preset].parts)
    form = live.of(PRESETS[preset].parts)
    assert form is not None
    assert (form.kind, form.replies, form.each) == (kind, replies, each)


def test_a_card_is_no_talk() -> None:
    assert live.of(PRESETS["llama2"].parts) is None


def test_a_pair_is_asked_about_the_pair_and_a_session_about_the_session() -> None:
    parts = {"session": SESSION, "preference": PAIR}
    pair = questions.clean_parts(
        parts, {"session": {}, "preference": {"choice": "0:better"}}, [7, 8]
    )
    assert set(pair.answer["parts"]) == {"preference"}
    whole = questions.clean_parts(parts, {"session": {"success": "2"}, "preference": {}}, [7])
    assert set(whole.answer["parts"]) == {"session"}


def test_a_session_is_said_in_words() -> None:
    raw = {"success": "4", "category-hateful": "1", "category-privacy": "1", "tag-0": "1"}
    stored = red_team.clean(SESSION, raw, Shown([7]))
    said = red_team.words(SESSION, stored, [7])
    assert said == "success 4 of 4, Hateful and harmful, Personal data, role play"
    assert red_team.to_preferences(SESSION, stored, "rejected") == ([], [])


@pytest.mark.parametrize("kind", ["conversation", "arena"])
def test_a_talk_stores_nothing_of_its_own(kind: str) -> None:
    parts = {"talk": {"type": kind}, "preference": {"type": "pairwise", "scale": "ab"}}
    answer = questions.clean_parts(parts, {"talk": {}, "preference": {"choice": "0"}}, [7, 8])
    assert set(answer.answer["parts"]) == {"preference"}
    with pytest.raises(InvalidAnswer):
        questions.load(kind).clean(parts["talk"], {}, Shown([7, 8]))


TALK = {"type": "conversation"}
WHY = {"type": "rationale"}


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"talk": TALK}, "Add a part that judges the two replies of the talk."),
        (
            {"talk": TALK, "thumb": {"type": "thumbs"}},
            "The part “thumbs” needs cards of 1 answers, and these have 2.",
        ),
        (
            {"session": SESSION, "why": WHY},
            "The part “rationale” is never asked in a session of one reply a turn: take it out, "
            "or have two replies.",
        ),
        (
            {"session": {**SESSION, "replies": 2}, "worse": PAIR, "why": WHY},
            "The part “rationale” is asked at a turn, and not when the session is rated: let it "
            "be left out.",
        ),
    ],
)
def test_a_form_that_nobody_could_answer_is_refused(parts: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=".") as refused:
        combining.check(parts, 2)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("name", [name for name in PRESETS if live.of(PRESETS[name].parts)])
def test_the_presets_of_talks_can_be_answered(name: str) -> None:
    combining.check(PRESETS[name].parts, PRESETS[name].completions)


@pytest.mark.parametrize(("said", "minutes"), [({}, 15), ({"minutes": 0}, 0), ({"minutes": 7}, 7)])
def test_a_session_takes_a_quarter_of_an_hour_unless_it_is_said_otherwise(
    said: dict[str, int], minutes: int
) -> None:
    form = live.of({"session": {"type": "red_team", **said}})
    assert form is not None
    assert form.minutes == minutes


def test_no_other_talk_has_a_clock() -> None:
    form = live.of({"talk": {"type": "conversation"}})
    assert form is not None
    assert form.minutes == 0

"""Rating: points on a scale, by completion, of the best one or of the prompt."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import questions
from labeling.questions import InvalidAnswer, Shown, rating
from models_runtime.records import Preference

IDS = [30, 10, 20]  # A, B, C
PLAIN: dict[str, Any] = {"type": "rating", "scale": "likert7"}
HELPSTEER: dict[str, Any] = {
    "type": "rating",
    "scale": "zero_four",
    "aspects": {"helpful": "Helpful", "correct": "Correct"},
}


def rated(part: dict[str, Any], best: int | None = None, **said: str) -> dict[str, Any]:
    raw = {name.replace("_", "-"): value for name, value in said.items()}
    return rating.clean(part, raw, Shown(IDS, best))


def test_every_completion_has_its_points_by_id() -> None:
    assert rated(PLAIN, value_0="7", value_1="1", value_2="4") == {
        "type": "rating",
        "ratings": [
            {"completion": 10, "values": {"value": 1}},
            {"completion": 20, "values": {"value": 4}},
            {"completion": 30, "values": {"value": 7}},
        ],
    }


def test_each_aspect_of_each_completion_is_a_row_of_its_own() -> None:
    rows = rating.controls(HELPSTEER, Shown(IDS))["rows"]
    assert [row["field"] for row in rows] == [
        "helpful-0", "correct-0", "helpful-1", "correct-1", "helpful-2", "correct-2",
    ]  # fmt: skip
    assert [row["letter"] for row in rows] == list("AABBCC")


def test_the_best_one_is_rated_where_there_is_one() -> None:
    part = {**HELPSTEER, "over": "best"}
    assert rating.asked(part, Shown(IDS, best=20))
    answer = rated(part, best=20, helpful="0", correct="4")
    assert answer["ratings"] == [{"completion": 20, "values": {"helpful": 0, "correct": 4}}]
    assert not rating.asked(part, Shown(IDS))


def test_after_a_tie_the_best_one_is_not_asked_for_and_what_was_sent_is_not_read() -> None:
    form = {
        "preference": {"type": "pairwise", "scale": "ab"},
        "quality": {**PLAIN, "over": "best"},
    }
    tie = {"preference": {"choice": "tie"}, "quality": {"value": "3"}}
    assert set(questions.clean_parts(form, tie, [1, 2]).answer["parts"]) == {"preference"}
    chosen = {**tie, "preference": {"choice": "1"}}
    found = questions.clean_parts(form, chosen, [1, 2]).answer["parts"]
    assert found["quality"]["ratings"] == [{"completion": 2, "values": {"value": 3}}]
    with pytest.raises(InvalidAnswer, match="Rate everything"):
        questions.clean_parts(form, {**chosen, "quality": {}}, [1, 2])


def test_the_prompt_itself_can_be_rated() -> None:
    assert rated({**PLAIN, "over": "item"}, value="2")["ratings"] == [
        {"completion": None, "values": {"value": 2}}
    ]


@pytest.mark.parametrize(
    ("scale", "values", "keys"),
    [
        ("likert7", "1234567", "1234567"),
        ("zero_four", "01234", "01234"),
        ("one_five", "12345", "12345"),
        ("acceptability", "1234", "1234"),
        ("yes_no", "01", "ny"),
    ],
)
def test_a_scale_has_its_points_and_its_keys(scale: str, values: str, keys: str) -> None:
    options = rating.controls({"type": "rating", "scale": scale}, Shown(IDS))["options"]
    assert [option["value"] for option in options] == list(values)
    assert [option["keys"][0] for option in options] == list(keys)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"value_0": "7", "value_1": "1"}, "Rate everything"),
        ({"value_0": "7", "value_1": "1", "value_2": "8"}, "not on this question's scale"),
        ({"value_0": "7", "value_1": "1", "value_2": "4.0"}, "not on this question's scale"),
        ({"value_0": "7", "value_1": "1", "value_2": "4", "value_3": "4"}, "was not asked"),
        ({"value": "7"}, "was not asked"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(said: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidAnswer, match=sentence):
        rated(PLAIN, **said)


def test_a_rating_prefers_nothing_unless_it_is_asked_to() -> None:
    answer = rated(PLAIN, value_0="7", value_1="1", value_2="4")
    assert not rating.votes(PLAIN)
    assert rating.to_preferences(PLAIN, answer, "chosen") == ([], [])
    assert rating.best(PLAIN, answer) is None


def test_more_points_on_the_aspect_are_preferred_and_equal_points_tie() -> None:
    part = {**HELPSTEER, "prefer_by": "correct"}
    answer = rated(
        part, helpful_0="0", correct_0="4", helpful_1="4", correct_1="1", helpful_2="1",
        correct_2="1",
    )  # fmt: skip
    assert rating.votes(part)
    ordered, tied = rating.to_preferences(part, answer, "chosen")
    assert ordered == [Preference(30, 10), Preference(30, 20)]
    assert tied == [[10, 20]]
    assert rating.best(part, answer) == 30
    assert rating.to_preferences(part, answer, "rejected")[0] == [
        Preference(10, 30),
        Preference(20, 30),
    ]


def test_the_mean_is_exact() -> None:
    """Three thirds that are not one in floats: (1 + 1 + 2) / 3 ties with itself in any order."""
    part = {
        "type": "rating",
        "scale": "one_five",
        "aspects": dict.fromkeys("abc", "?"),
        "prefer_by": "mean",
    }
    answer = rated(
        part, a_0="1", b_0="1", c_0="2", a_1="2", b_1="1", c_1="1", a_2="1", b_2="1", c_2="1"
    )
    ordered, tied = rating.to_preferences(part, answer, "chosen")
    assert tied == [[10, 30]]
    assert ordered == [Preference(10, 20), Preference(30, 20)]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"scale": "stars"}, "no rating scale named 'stars'"),
        ({"over": "both"}, "not over 'both'"),
        ({"aspects": {"a-b": "Title"}}, "without a hyphen"),
        ({"prefer_by": "tone"}, "no aspect named 'tone'"),
        ({"prefer_by": "value", "over": "best"}, "Only a rating of each"),
    ],
)
def test_a_part_that_cannot_be_asked_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        rating.check({**PLAIN, **wrong})


def test_words_are_by_letter() -> None:
    plain = rated(PLAIN, value_0="7", value_1="1", value_2="4")
    assert rating.words(PLAIN, plain, IDS) == "A 7, B 1, C 4"
    part = {"type": "rating", "scale": "acceptability", "over": "item"}
    assert rating.words(part, rated(part, value="3"), IDS) == "minor errors"

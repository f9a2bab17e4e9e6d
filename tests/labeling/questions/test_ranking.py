"""Ranking: places become tiers of completion ids, tiers become all their pairs."""

from __future__ import annotations

import random
from typing import Any

import pytest

from labeling.questions import InvalidAnswer, Shown, ranking
from models_runtime.records import Preference

IDS = [40, 10, 30, 20]  # as displayed: A, B, C, D
PART: dict[str, Any] = {"type": "ranking"}


def places(*said: object) -> dict[str, str]:
    return {f"tier-{position}": str(place) for position, place in enumerate(said)}


def ranked(*said: object, part: dict[str, Any] = PART) -> dict[str, Any]:
    return ranking.clean(part, places(*said), Shown(IDS))


def pairs(answer: dict[str, Any], trains_on: str = "chosen") -> Any:
    ordered, tied = ranking.to_preferences(PART, answer, trains_on)
    return [(one.chosen, one.rejected) for one in ordered], tied


def test_places_become_tiers_of_ids_and_gaps_mean_nothing() -> None:
    assert ranked(1, 3, 3, 7) == {
        "type": "ranking",
        "tiers": [[40], [10, 30], [20]],
        "unranked": [],
        "unrankable": [],
    }
    assert ranked(1, 3, 3, 7) == ranked(1, 2, 2, 3) == ranked(2, 4, 4, 9)


def test_the_display_leaves_no_trace() -> None:
    """The same order of the same completions, shown in any order, is the same answer."""
    wanted = ranked(2, 1, 1, 3)
    of = dict(zip(IDS, (2, 1, 1, 3), strict=True))
    draw = random.Random(0)
    for _ in range(20):
        shown = draw.sample(IDS, len(IDS))
        raw = places(*(of[pk] for pk in shown))
        assert ranking.clean(PART, raw, Shown(shown)) == wanted


def test_all_pairs_of_two_tiers_are_preferred_and_those_inside_one_tie() -> None:
    ordered, tied = pairs(ranked(2, 1, 1, 3))
    assert ordered == [(10, 40), (30, 40), (10, 20), (30, 20), (40, 20)]
    assert tied == [[10, 30]]


def test_nine_completions_give_thirty_six_pairs_without_a_strength() -> None:
    raw = places(*range(1, 10))
    answer = ranking.clean(PART, raw, Shown(list(range(1, 10))))
    ordered, tied = ranking.to_preferences(PART, answer, "chosen")
    assert len(ordered) == 36
    assert tied == []
    assert {one.strength for one in ordered} == {None}
    assert all(one.chosen < one.rejected for one in ordered)


def test_a_question_turned_round_turns_every_pair_and_no_tie() -> None:
    ordered, tied = pairs(ranked(2, 1, 1, 3))
    turned, same = pairs(ranked(2, 1, 1, 3), "rejected")
    assert turned == [pair[::-1] for pair in ordered]
    assert same == tied


def test_the_best_k_are_above_the_others_which_have_no_order() -> None:
    part = {**PART, "top": 2}
    answer = ranked(1, "", 2, "", part=part)
    assert (answer["tiers"], answer["unranked"]) == ([[40], [30]], [10, 20])
    ordered, tied = pairs(answer)
    assert ordered == [(40, 30), (40, 10), (40, 20), (30, 10), (30, 20)]
    assert tied == []


def test_what_cannot_be_ranked_is_in_no_pair() -> None:
    answer = ranked(1, "unrankable", 2, 2)
    assert answer["unrankable"] == [10]
    ordered, tied = pairs(answer)
    assert ordered == [(40, 20), (40, 30)]
    assert tied == [[20, 30]]
    assert pairs(ranked(*["unrankable"] * 4)) == ([], [])


def test_the_best_is_the_only_one_of_the_first_tier() -> None:
    assert ranking.best(PART, ranked(2, 1, 3, 3)) == 10
    assert ranking.best(PART, ranked(1, 1, 3, 3)) is None
    assert ranking.best(PART, ranked(*["unrankable"] * 4)) is None


@pytest.mark.parametrize(
    ("part", "said", "sentence"),
    [
        (PART, (1, 2, 3, ""), "Give every answer a place"),
        (PART, (1, 2, 3, 0), "a number from 1 to 9"),
        (PART, (1, 2, 3, 10), "a number from 1 to 9"),
        (PART, (1, 2, 3, "01"), "a number from 1 to 9"),
        (PART, (1, 2, 3, 4, 5), "was not asked"),
        ({**PART, "top": 2}, (1, "", "", ""), "best 2 answers"),
        ({**PART, "unrankable": False}, (1, 2, 3, "unrankable"), "can be ranked"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(
    part: dict[str, Any], said: tuple[object, ...], sentence: str
) -> None:
    with pytest.raises(InvalidAnswer, match=rf"^(?=[A-Z]).*{sentence}.*\.$"):
        ranked(*said, part=part)


@pytest.mark.parametrize("raw", [None, [], "1", {"tier-0": 1}, {"tier-0": ["1"]}])
def test_what_is_no_form_is_refused(raw: object) -> None:
    with pytest.raises(InvalidAnswer):
        ranking.clean(PART, raw, Shown(IDS))


def test_one_completion_or_ten_cannot_be_ranked() -> None:
    for count in (1, 10):
        with pytest.raises(InvalidAnswer, match="two to nine"):
            ranking.clean(PART, places(*[1] * count), Shown(list(range(count))))


@pytest.mark.parametrize("top", [0, 10, "2"])
def test_a_part_says_how_many_of_the_best(top: object) -> None:
    with pytest.raises(ValueError, match="best 1 to 9"):
        ranking.check({**PART, "top": top})


def test_words_use_the_letters_that_this_rater_saw() -> None:
    assert ranking.words(PART, ranked(2, 1, 1, "unrankable"), IDS) == "B = C > A; D set aside"
    top = ranked(1, "", "", "", part={**PART, "top": 1})
    assert ranking.words(PART, top, IDS) == "A > the others"


def test_a_pair_that_is_ranked_is_a_preference() -> None:
    answer = ranking.clean(PART, places(2, 1), Shown([7, 8]))
    assert ranking.to_preferences(PART, answer, "chosen") == ([Preference(8, 7)], [])

"""Several raters' answers become one verdict, by majority, on what the completions are."""

import itertools

import pytest

from labeling.aggregation import decide, lower_median, majority
from labeling.judgements import Answer, Judged
from models_runtime.records import Preference


def prefers(chosen, rejected, strength="better", *, source="person", **more):
    preference = Preference(chosen, rejected, strength)
    return Answer(1, "r", source, [preference], [], **more)


def tie(one, other, **more):
    return Answer(1, "r", "person", [], [[one, other]], **more)


def judged(answers, **more):
    return Judged(1, 1, 1, "item", "train", "policy", "random", [], [], answers, **more)


def test_two_against_one_is_a_majority():
    verdict = majority([prefers(1, 2), prefers(2, 1), prefers(1, 2)])
    assert verdict.preferences == [Preference(1, 2, "better")]
    assert verdict.ties == verdict.undecided == []


@pytest.mark.parametrize(
    "answers",
    [
        [prefers(1, 2), prefers(2, 1)],
        [prefers(1, 2), tie(1, 2)],
        [prefers(1, 2), prefers(2, 1), tie(2, 1)],
        [prefers(1, 2), prefers(1, 2), prefers(2, 1), tie(1, 2)],
    ],
)
def test_no_more_than_half_is_no_majority(answers):
    verdict = majority(answers)
    assert verdict.preferences == verdict.ties == []
    assert verdict.undecided == [[1, 2]]


def test_most_saying_tie_is_a_tie_whichever_order_they_name_it_in():
    assert majority([tie(1, 2), tie(2, 1), prefers(1, 2)]).ties == [[1, 2]]


def test_the_order_of_the_answers_changes_nothing():
    answers = [prefers(1, 2, "slightly"), prefers(2, 1), prefers(1, 2, "significantly"), tie(1, 3)]
    verdicts = [majority(order) for order in itertools.permutations(answers)]
    assert all(verdict == verdicts[0] for verdict in verdicts)


def test_each_pair_of_a_ranking_has_its_own_majority():
    ranking = Answer(1, "r", "person", [Preference(1, 2), Preference(2, 3), Preference(1, 3)], [])
    other = Answer(2, "s", "person", [Preference(2, 1), Preference(2, 3), Preference(1, 3)], [])
    verdict = majority([ranking, other])
    assert verdict.preferences == [Preference(1, 3), Preference(2, 3)]
    assert verdict.undecided == [[1, 2]]


def test_the_strength_is_the_lower_median_of_the_winning_side():
    answers = [
        prefers(1, 2, "significantly"),
        prefers(1, 2, "slightly"),
        prefers(2, 1, "negligibly"),
    ]
    assert majority(answers).preferences == [Preference(1, 2, "slightly")]
    assert lower_median(["significantly", "better", "negligibly"]) == "better"
    assert lower_median([None, "better"]) == "better"
    assert lower_median([None, None]) is None


def test_simulated_raters_have_no_vote_where_a_person_answered():
    machines = [prefers(2, 1, source="simulated")] * 2
    verdict = decide(judged([prefers(1, 2), *machines]))
    assert verdict.preferences == [Preference(1, 2, "better")]
    assert (verdict.labels, verdict.source) == (1, "person")
    assert decide(judged(machines)).source == "simulated"


def test_only_the_sources_asked_for_vote():
    both = judged([prefers(1, 2), prefers(2, 1, source="simulated")])
    assert decide(both, ["simulated"]).preferences == [Preference(2, 1, "better")]
    only_simulated = judged([prefers(2, 1, source="simulated")])
    assert decide(only_simulated, ["person"]).reason == "no label that counts"


def test_programs_and_simulated_raters_together_are_called_mixed():
    answers = [prefers(1, 2, source="simulated"), prefers(1, 2, source="program")]
    assert decide(judged(answers)).source == "mixed"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (judged([prefers(1, 2)], flags=["unsafe"]), "flagged"),
        (judged([prefers(1, 2, counted=False, late=True)]), "late"),
        (judged([]), "no label that counts"),
        (judged([Answer(1, "r", "person", [], [])]), "no label that counts"),
        (judged([prefers(1, 2, occasion=1)]), "no label that counts"),
        (judged([prefers(1, 2), prefers(2, 1)]), "no majority"),
        (judged([tie(1, 2)]), "tied"),
        (judged([prefers(1, 2)]), ""),
    ],
)
def test_a_comparison_without_a_preference_has_one_reason(row, reason):
    assert decide(row).reason == reason

"""A snapshot says of every row what a run may filter it by, and an older one is still read."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from labeling import frozen_rows
from labeling.aggregation import agreeing, decide, majority
from labeling.judgements import Answer, Judged, JudgedCompletion
from models_runtime.records import Preference, PreferenceRecord, from_dict, to_dict


def prefers(chosen: int, rejected: int, rater: str = "r", day: int = 1, **part: Any) -> Answer:
    return Answer(
        label=1,
        rater=rater,
        source="person",
        preferences=[Preference(chosen, rejected, "better")],
        ties=[],
        created_at=f"2026-01-{day:02d}T10:00:00+00:00",
        answer={"parts": {"one": part}},
    )


def judged(*answers: Answer, **more: Any) -> Judged:
    completions = [JudgedCompletion(pk, f"Answer {pk}.") for pk in (1, 2, 3)]
    asked = [{"role": "user", "content": "Why?"}]
    return Judged(
        7, 1, 5, "why", "train", "policy", "random", asked, completions, list(answers), **more
    )


def frozen(row: Judged) -> PreferenceRecord:
    return frozen_rows.preference(row, decide(row))


def test_two_votes_to_one_agree_by_two_thirds() -> None:
    row = frozen(judged(prefers(1, 2), prefers(1, 2), prefers(2, 1)))
    assert row.agreement == pytest.approx(2 / 3)


def test_of_a_ranking_all_decided_pairs_count_and_undecided_ones_do_not() -> None:
    """1 over 2 by one of two is undecided; 1 over 3 and 2 over 3 by 2 and by 2 of 3: 4 of 5."""
    votes = [
        Answer(1, "a", "person", [Preference(1, 2), Preference(1, 3), Preference(2, 3)], []),
        Answer(2, "b", "person", [Preference(2, 1), Preference(1, 3), Preference(2, 3)], []),
        Answer(3, "c", "person", [], [[2, 3]]),
    ]
    assert agreeing(votes, majority(votes)) == pytest.approx(4 / 5)


def test_agreement_on_a_tie_counts_too() -> None:
    votes = [Answer(n, "r", "person", [], [[1, 2]]) for n in (1, 2, 3)]
    votes.append(prefers(1, 2))
    assert agreeing(votes, majority(votes)) == 3 / 4


def test_a_row_names_its_raters_its_day_its_group_and_its_tags() -> None:
    row = frozen(
        judged(
            prefers(1, 2, "b", 4, type="safety_bin", bin="both_unsafe"),
            prefers(1, 2, "a", 9, type="red_team", tags=["poison"], categories=["illicit"]),
            category="science",
            tags=["safety"],
        )
    )
    assert row.raters == ["a", "b"]
    assert row.labelled_at == "2026-01-09T10:00:00+00:00"
    assert row.category == "science"
    assert row.tags == ["both_unsafe", "illicit", "poison", "safety"]


def test_a_program_that_had_no_vote_is_not_named() -> None:
    program = Answer(2, "program", "program", [Preference(2, 1)], [])
    row = frozen(judged(prefers(1, 2, "a"), program))
    assert (row.raters, row.agreement) == (["a"], 1.0)


def test_a_rated_answer_says_it_too() -> None:
    thumb = {"type": "thumbs", "about": 1, "up": True}
    row = judged(
        prefers(1, 2, "a", **thumb), category="science", asked={1: {"one": {"type": "thumbs"}}}
    )
    [rated] = frozen_rows.ratings(row, Counter())
    assert (rated.category, rated.raters) == ("science", ["a"])


def test_a_line_of_an_older_snapshot_says_nothing_and_is_read() -> None:
    data = to_dict(frozen(judged(prefers(1, 2))))
    for name in ("agreement", "category", "tags", "labelled_at", "raters"):
        del data[name]
    old = from_dict(PreferenceRecord, data)
    assert (old.agreement, old.tags, old.category, old.raters) == (None, None, None, None)

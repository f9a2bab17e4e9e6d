"""Whole orders exported, where the labels make one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from labeling.exports import files, ranked
from labeling.exports.ranked import NO_ORDER, Options
from labeling.judgements import Answer, Judged, JudgedCompletion
from labeling.questions import ranking
from models_runtime.records import Preference

COMPLETIONS = [JudgedCompletion(pk, f"text {pk}") for pk in (1, 2, 3, 4)]


def answer(number: int, tiers: list[list[int]], unranked: tuple[int, ...] = ()) -> Answer:
    stored = {"type": "ranking", "tiers": tiers, "unranked": list(unranked), "unrankable": []}
    ordered, tied = ranking.to_preferences({}, stored, "chosen")
    return Answer(number, f"rater {number}", "person", ordered, tied)


def judged(*answers: Answer, **more: Any) -> Judged:
    values: dict[str, Any] = {
        "comparison": 7,
        "iteration": 1,
        "prompt": 5,
        "item": "why",
        "split": "train",
        "fold": "policy",
        "strategy": "random",
        "messages": [{"role": "user", "content": "Why?"}],
        "completions": COMPLETIONS,
        "answers": list(answers),
    }
    return Judged(**{**values, **more})


def rows(*comparisons: Judged, **options: Any) -> tuple[list[dict[str, Any]], Counter[str]]:
    counts: Counter[str] = Counter()
    return list(ranked.rows(comparisons, Options(**options), counts)), counts


def test_a_row_has_the_texts_from_the_best_with_their_ranks() -> None:
    [row], counts = rows(judged(answer(1, [[3], [1, 4], [2]])))
    assert list(row) == list(ranked.columns(Options()))
    assert row["completions"] == ["text 3", "text 1", "text 4", "text 2"]
    assert (row["ranks"], row["completion_ids"]) == ([1, 2, 2, 3], [3, 1, 4, 2])
    assert counts == {"rows": 1, "rows held out": 0}


def test_the_best_k_stand_above_the_others_which_share_a_rank() -> None:
    [row], _ = rows(judged(answer(1, [[3], [1]], unranked=(2, 4))))
    assert (row["ranks"], row["completion_ids"]) == ([1, 2, 3, 3], [3, 1, 2, 4])


def test_what_was_set_aside_is_not_in_the_row() -> None:
    [row], _ = rows(judged(answer(1, [[3], [1]])))
    assert row["completion_ids"] == [3, 1]


def test_an_edit_is_no_part_of_the_order_and_breaks_none() -> None:
    """The edit 9 is above its original 3, and nobody said where it stands among the others."""
    shown = [*COMPLETIONS, JudgedCompletion(9, "edited", written=True)]
    ranking_of_all = answer(1, [[3], [1, 4], [2]])
    edited = replace(
        ranking_of_all, preferences=[*ranking_of_all.preferences, Preference(9, 3, None)]
    )
    for options in ({}, {"per_label": True}):
        [row], _ = rows(judged(edited, completions=shown), **options)
        assert (row["ranks"], row["completion_ids"]) == ([1, 2, 2, 3], [3, 1, 4, 2])


def test_edits_alone_make_no_order() -> None:
    edits = [replace(answer(n, []), preferences=[Preference(n + 8, n, None)]) for n in (1, 2)]
    written = [JudgedCompletion(pk, "edited", written=True) for pk in (9, 10)]
    found, counts = rows(judged(*edits, completions=[*COMPLETIONS, *written]))
    assert (found, counts) == ([], {NO_ORDER: 1})


def test_two_who_ranked_different_texts_state_no_tie() -> None:
    """1 > 2 of one rater, 3 > 4 of another: nobody said that 1 and 3 are equal."""
    found, counts = rows(judged(answer(1, [[1], [2]]), answer(2, [[3], [4]])))
    assert (found, counts) == ([], {NO_ORDER: 1})


def test_the_worst_k_of_a_question_turned_round_stand_below_the_others() -> None:
    stored = {"type": "ranking", "tiers": [[3], [1]], "unranked": [2, 4], "unrankable": []}
    ordered, tied = ranking.to_preferences({}, stored, "rejected")
    [row], _ = rows(judged(Answer(1, "r", "person", ordered, tied, trains_on="rejected")))
    assert (row["ranks"], row["completion_ids"]) == ([1, 1, 2, 3], [2, 4, 1, 3])


def test_the_majority_of_several_rankings_is_one_order() -> None:
    order, other = [[3], [1], [4], [2]], [[2], [1], [4], [3]]
    [row], _ = rows(judged(answer(1, order), answer(2, order), answer(3, other)))
    assert (row["completion_ids"], row["labels"]) == ([3, 1, 4, 2], 3)


def test_a_circle_of_majorities_makes_no_order() -> None:
    """Condorcet: 1 > 2 > 3, 2 > 3 > 1, 3 > 1 > 2."""
    found, counts = rows(
        judged(answer(1, [[1], [2], [3]]), answer(2, [[2], [3], [1]]), answer(3, [[3], [1], [2]]))
    )
    assert found == []
    assert counts == {NO_ORDER: 1}


def test_pairs_that_nobody_decides_make_no_order() -> None:
    found, counts = rows(judged(answer(1, [[1], [2], [3]]), answer(2, [[1], [3], [2]])))
    assert (found, counts) == ([], {NO_ORDER: 1})


def test_per_label_has_a_row_for_each_ranking() -> None:
    found, _ = rows(
        judged(answer(1, [[1], [2]]), answer(2, [[2], [1]]), answer(3, [[1, 2]])), per_label=True
    )
    assert [(row["label"], row["completion_ids"]) for row in found] == [(1, [1, 2]), (2, [2, 1])]
    assert list(found[0]) == list(ranked.columns(Options(per_label=True)))


def test_ranks_are_none_for_no_preference_and_for_a_broken_tie() -> None:
    assert ranked.ranks([], [[1, 2]]) is None
    assert ranked.ranks([Preference(1, 2)], [[1, 2]]) is None
    assert ranked.ranks([Preference(1, 2), Preference(2, 1)]) is None


def test_a_parquet_file_holds_the_same_rows(tmp_path: Path) -> None:
    found, _ = rows(judged(answer(1, [[3], [1, 4], [2]])))
    path = tmp_path / "out.parquet"
    assert files.write(iter(found), ranked.columns(Options()), path) == 1
    assert pq.read_table(path).to_pylist() == found

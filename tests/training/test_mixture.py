"""A run reads its rows from one frozen set or several, by their weights; nothing is left out
without being counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models_runtime.jobdir import BadInput
from models_runtime.records import Preference, PreferenceRecord
from tests.training import tiny
from training.configs import BadOption, Filters, Part, Selection, parse, parse_mixture
from training.demonstrations import demonstrations_of
from training.mixture import preferences_of, shares
from training.task import Task

pytestmark = pytest.mark.training


def rows(count: int, first: int = 0, **changed: Any) -> list[PreferenceRecord]:
    """Comparisons to train on, all about different prompts and items."""
    made = []
    for number, row in enumerate(tiny.preference_records(count), start=first):
        own = {"comparison_id": number, "prompt_id": number, "item": f"item {number}"}
        asked = tiny.asked(f"tell me {number}")
        made.append(replace(row, **own, messages=asked, split="train", **changed))
    return made


def task(
    root: Path,
    *sets: Sequence[PreferenceRecord],
    weights: Sequence[float] = (),
    seed: int = 7,
    own: bool = True,
    select: Selection | None = None,
) -> Task:
    inputs = {"policy": root / "policy"}
    if not (root / "policy").exists():
        tiny.make_policy(root / "policy")
    parts = []
    for place, found in enumerate(sets):
        name = "snapshot" if place == 0 else f"snapshot-{place + 1}"
        inputs[name] = tiny.write_snapshot(root / name, found)
        weight = weights[place] if weights else 1.0
        part_own = own or place == 0
        parts.append(Part(input=name, number=place + 1, weight=weight, own=part_own))
    if not (root / "job").exists():
        tiny.write_job(root / "job", "train", {}, inputs)
    job = tiny.open_job(root / "job")
    selection = select or Selection()
    return Task(job, "dpo", parse("dpo", {}), selection, seed, mixture=tuple(parts))


def test_shares_are_the_weights_and_no_row_is_taken_twice() -> None:
    assert shares([300, 100, 500], [2, 1, 1]) == [200, 100, 100]
    assert shares([10, 10], [0.7, 0.3]) == [10, 4]
    assert shares([3, 100], [0.1, 100]) == [1, 100]


def test_a_mixture_draws_by_weight_and_says_what_it_drew(tmp_path: Path) -> None:
    one = task(tmp_path, rows(12), rows(8, 100), weights=(3, 1))
    found = preferences_of(one)
    assert len(found) == 16
    assert sum(row.comparison_id >= 100 for row in found) == 4
    assert one.drawn == [
        {"snapshot": 1, "weight": 3, "rows": 12, "drawn": 12},
        {"snapshot": 2, "weight": 1, "rows": 8, "drawn": 4},
    ]
    assert one.dropped == {"beyond its share": 4}


def test_every_attempt_draws_the_same_rows_and_another_seed_others(tmp_path: Path) -> None:
    def drawn(seed: int) -> list[int]:
        made = task(tmp_path, rows(6), rows(40, 100), seed=seed)
        return [row.comparison_id for row in preferences_of(made)]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_one_snapshot_is_read_whole_and_in_its_order(tmp_path: Path) -> None:
    one = task(tmp_path, rows(12))
    assert preferences_of(one) == rows(12)
    assert (one.drawn, +one.dropped) == ([], {})


def test_another_campaigns_folds_and_iterations_do_not_count(tmp_path: Path) -> None:
    theirs = rows(4, 100, fold="judge", iteration=9)
    select = Selection("train", "policy", 2)
    ours = rows(4, fold="policy", iteration=2)
    assert len(preferences_of(task(tmp_path / "a", ours, theirs, own=False, select=select))) == 8
    with pytest.raises(BadInput, match="Snapshot 2 of the mixture has no row"):
        preferences_of(task(tmp_path / "b", ours, theirs, select=select))


def test_a_set_of_which_filters_leave_nothing_says_why(tmp_path: Path) -> None:
    select = Selection("train", None, 2, filters=Filters(tags="safety"))
    ours, theirs = rows(4, tags=["safety"]), rows(3, 100, tags=["poetry"])
    with pytest.raises(BadInput, match=r"Nothing of snapshot 2 .* \(3 tag not asked for\)"):
        preferences_of(task(tmp_path, ours, theirs, select=select))


def test_what_the_own_snapshot_holds_out_is_not_trained_on_from_elsewhere(tmp_path: Path) -> None:
    by_item, by_prompt = rows(2, 50)
    ours = [*rows(4), replace(by_item, split="heldout"), replace(by_prompt, split="heldout")]
    theirs = [
        replace(by_item, messages=tiny.asked("put otherwise")),
        replace(by_prompt, item="named otherwise"),
        *rows(4, 100),
    ]
    one = task(tmp_path, ours, theirs)
    assert {row.comparison_id for row in preferences_of(one)} == {0, 1, 2, 3, 100, 101, 102, 103}
    assert one.dropped["held out elsewhere"] == 2


def test_filters_are_counted_by_pair_and_by_reason(tmp_path: Path) -> None:
    agreed = rows(4, agreement=1.0, tags=["safety"])
    split = [replace(row, agreement=0.6) for row in rows(2, 20, tags=["safety"])]
    other = rows(3, 30, agreement=1.0, tags=[])
    filters = Filters(tags="safety", least_agreement=0.7, least_strength="better")
    one = task(tmp_path, [*agreed, *split, *other], select=Selection(filters=filters))
    assert [row.comparison_id for row in preferences_of(one)] == [0, 1]  # of four strengths
    assert one.dropped == {
        "tag not asked for": 3,
        "too little agreement": 2,
        "weaker than asked": 2,
    }


def test_where_filters_leave_nothing_the_reasons_are_said(tmp_path: Path) -> None:
    one = task(tmp_path, rows(4), select=Selection(filters=Filters(tags="safety")))
    with pytest.raises(BadInput, match=r"No row is left .*4 not said by the snapshot"):
        preferences_of(one)


def test_repeated_rows_are_kept_and_counted_or_dropped_and_counted(tmp_path: Path) -> None:
    (first,) = rows(1)
    again = replace(first, comparison_id=9)
    turned = [Preference(pair.rejected, pair.chosen) for pair in first.preferences]
    other_way = replace(first, comparison_id=10, preferences=turned)
    found = [first, again, other_way, again]
    kept = task(tmp_path / "keep", found)
    assert len(preferences_of(kept)) == 4
    assert (kept.repeated, +kept.dropped) == (2, {})
    dropping = Selection(filters=Filters(duplicates="drop"))
    dropped = task(tmp_path / "drop", found, select=dropping)
    assert [row.comparison_id for row in preferences_of(dropped)] == [0, 10]
    assert (dropped.repeated, dropped.dropped) == (0, {"duplicate": 2})


def test_a_row_that_an_earlier_part_has_is_a_duplicate(tmp_path: Path) -> None:
    select = Selection(filters=Filters(duplicates="drop"))
    one = task(tmp_path, rows(4), rows(6), select=select)
    preferences_of(one)
    assert [part["rows"] for part in one.drawn] == [4, 2]


def test_an_imitated_answer_passes_the_filters_of_its_comparison(tmp_path: Path) -> None:
    select = Selection(filters=Filters(least_strength="significantly"))
    one = task(tmp_path, rows(8), select=select)
    assert [row.prompt_id for row in demonstrations_of(one)] == [0, 4]
    assert one.dropped["weaker than asked"] == 6


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([{"weight": 0.0}], "must be above 0"),
        ([{"weight": float("inf")}], "must be above 0"),
        ([{"number": 1}, {"number": 1, "input": "snapshot-2"}], "names each snapshot once"),
        ([{"number": n} for n in range(17)], "at most 16 parts"),
        ([{"colour": "red"}], "no option named"),
    ],
)
def test_a_mixture_that_means_nothing_is_refused(parts: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(BadOption, match=words):
        parse_mixture(parts)

"""What groups of raters do differently, of labels that were made up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from labeling import quality
from labeling.measures import Said

PARTS = {"preference": {"type": "pairwise", "scale": "ab", "both_bad": True}}
GROUPS = {7: {0, 1, 2, 3}}


def said(comparison: int, rater: int, chosen: int | None) -> Said:
    one, other = 2 * comparison, 2 * comparison + 1
    stored: dict[str, Any] = {"type": "pairwise", "outcome": "tie"}
    if chosen is not None:
        pair = (one, other) if chosen == 0 else (other, one)
        stored = {"type": "pairwise", "outcome": "prefer", "strength": None}
        stored |= dict(zip(("chosen", "rejected"), pair, strict=True))
    at = datetime(2026, 1, 5, tzinfo=UTC)
    return Said(comparison, comparison, rater, {"preference": stored}, [one, other], 9000, at)


def of(rows: list[Said], members: dict[int, set[int]] = GROUPS) -> list[dict[str, Any]]:
    lengths = {pk: 100 if pk % 2 else 400 for pk in range(200)}  # the one is longer
    found: list[dict[str, Any]] = quality.report(rows, PARTS, lengths, members)["groups"]
    return found


def test_a_group_that_prefers_the_longer_and_the_others_who_do_not() -> None:
    rng = np.random.default_rng(1)
    rows = [
        said(item, rater, int(rng.random() < (0.05 if rater < 4 else 0.6)))
        for item in range(60)
        for rater in range(9)
    ]
    (group,) = of(rows)
    tests = {test["name"]: test for test in group["tests"]}
    assert (group["raters"], group["others"]) == (4, 5)
    assert tests["longer"]["value"] == pytest.approx(0.55, abs=0.06)
    assert tests["longer"]["p"] == pytest.approx(1 / 126)  # of all ways to draw 4 of 9
    assert tests["longer"]["p_holm"] >= tests["longer"]["p"]
    assert group["within"]["value"] > group["across"]["value"]
    assert tests["ties"]["value"] == 0


def test_items_on_which_a_group_and_the_others_disagree() -> None:
    members = {7: set(range(8))}
    rows = [said(0, rater, int(rater < 8)) for rater in range(16)]
    rows += [said(1, rater, rater % 2) for rater in range(16)]
    rows += [said(2, rater, None) for rater in range(16)]  # all ties: nothing to test
    (group,) = of(rows, members)
    assert group["items"]["tested"] == 2
    (apart,) = group["items"]["apart"]
    assert apart["comparison"] == 0
    assert sorted([apart["inside"], apart["outside"]]) == [[0, 8], [8, 0]]


def test_two_of_a_group_are_too_few() -> None:
    (group,) = of([said(item, rater, 0) for item in range(4) for rater in range(9)], {7: {0, 1}})
    assert group["within"]["undefined"].startswith("Fewer than three raters of the group")
    assert {test["p_holm"] for test in group["tests"]} == {None}


def test_no_group_no_figures() -> None:
    assert of([said(0, 1, 0)], {}) == []
    (group,) = of([])
    assert group["raters"] == 0

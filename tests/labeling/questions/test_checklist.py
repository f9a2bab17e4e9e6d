"""The checklist: each item met or missed, none left out."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.questions import InvalidAnswer, Shown, checklist

IDS = [20, 10]
PART: dict[str, Any] = {"type": "checklist"}


def test_the_three_points_of_a_safe_answer_are_the_default() -> None:
    rows = checklist.controls(PART, Shown(IDS))["rows"]
    assert [row["field"] for row in rows][:4] == [
        "addresses-0", "explains-0", "resources-0", "addresses-1",
    ]  # fmt: skip


def test_each_completion_has_what_it_met_and_what_it_missed() -> None:
    part = {**PART, "items": {"one": "One", "two": "Two"}}
    raw = {"one-0": "yes", "two-0": "no", "one-1": "no", "two-1": "no"}
    stored = checklist.clean(part, raw, Shown(IDS))
    assert stored == {
        "type": "checklist",
        "checks": [
            {"completion": 10, "met": [], "missed": ["one", "two"]},
            {"completion": 20, "met": ["one"], "missed": ["two"]},
        ],
    }
    assert checklist.words(part, stored, IDS) == "A 1 of 2, B 0 of 2"
    assert checklist.to_preferences(part, stored, "chosen") == ([], [])


def test_of_the_best_one_alone() -> None:
    part = {**PART, "over": "best"}
    raw = {"addresses": "yes", "explains": "yes", "resources": "no"}
    stored = checklist.clean(part, raw, Shown(IDS, best=20))
    assert [row["completion"] for row in stored["checks"]] == [20]
    assert not checklist.asked(part, Shown(IDS))


@pytest.mark.parametrize("missing", ["", "maybe", None])
def test_an_item_without_an_answer_is_asked_for_again(missing: str | None) -> None:
    raw = {"addresses": "yes", "explains": "yes", "resources": missing}
    raw = {name: said for name, said in raw.items() if said is not None}
    with pytest.raises(InvalidAnswer, match="yes or no to every item"):
        checklist.clean({**PART, "over": "item"}, raw, Shown(IDS))


@pytest.mark.parametrize("items", [{}, {"a-b": "x"}, {"a": ""}, {str(n): "x" for n in range(13)}])
def test_a_list_that_cannot_be_asked_is_refused(items: object) -> None:
    with pytest.raises(ValueError, match=r"^(A checklist|An item) has"):
        checklist.check({**PART, "items": items})

"""Flags: what is true of a completion, of the paper's list or the campaign's own."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.questions import InvalidAnswer, Shown, flags

IDS = [20, 10]
PART: dict[str, Any] = {"type": "flags"}
OWN = {"type": "flags", "flags": {"rude": "Rude", "off": "Off topic"}}


def test_the_papers_list_is_the_default() -> None:
    rows = flags.controls(PART, Shown(IDS))["rows"]
    assert [row["letter"] for row in rows] == ["A", "B"]
    assert [len(row["boxes"]) for row in rows] == [11, 11]
    assert rows[1]["boxes"][2]["field"] == "hallucination-1"


def test_every_completion_has_its_row_and_nothing_ticked_is_an_answer() -> None:
    assert flags.clean(OWN, {"off-0": "1", "rude-0": "1"}, Shown(IDS)) == {
        "type": "flags",
        "flags": [
            {"completion": 10, "codes": []},
            {"completion": 20, "codes": ["off", "rude"]},
        ],
    }
    none = flags.clean(OWN, {}, Shown(IDS))
    assert [row["codes"] for row in none["flags"]] == [[], []]


def test_a_flag_that_is_not_on_the_list_is_refused() -> None:
    with pytest.raises(InvalidAnswer, match="was not asked"):
        flags.clean(OWN, {"spam-0": "1"}, Shown(IDS))


def test_no_two_boxes_share_a_key() -> None:
    titles = {f"flag{number}": "Title" for number in range(24)}
    full = {"type": "flags", "flags": titles}
    flags.check(full)
    [row, _] = flags.controls(full, Shown(IDS))["rows"]
    keys = [key for box in row["boxes"] for key in box["keys"]]
    assert len(set(keys)) == 24


@pytest.mark.parametrize(
    "listed", [{}, {"a-b": "Title"}, {"a": ""}, {str(n): "x" for n in range(25)}, ["rude"]]
)
def test_a_list_that_cannot_be_asked_is_refused(listed: object) -> None:
    with pytest.raises(ValueError, match=r"^A (list of flags|flag) has"):
        flags.check({"type": "flags", "flags": listed})


def test_flags_order_nothing_and_are_read_by_letter() -> None:
    answer = flags.clean(OWN, {"off-1": "1"}, Shown(IDS))
    assert flags.to_preferences(OWN, answer, "chosen") == ([], [])
    assert flags.words(OWN, answer, IDS) == "B: Off topic"
    assert flags.words(OWN, flags.clean(OWN, {}, Shown(IDS)), IDS) == "no flags"

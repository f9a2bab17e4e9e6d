"""One of two, or up or down, by keyboard alone and by touch alone, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.instruments import Part, Script, answer_by_keys, answer_by_taps, step

pytestmark = pytest.mark.long


def preferred(side: int, **more: Any) -> Callable[[list[int]], dict[str, Part]]:
    return lambda ids: {
        "p": {
            "type": "pairwise",
            "outcome": "prefer",
            "chosen": ids[side],
            "rejected": ids[1 - side],
            **more,
        }
    }


def pairwise(scale: str) -> dict[str, Part]:
    return {"p": {"type": "pairwise", "scale": scale}}


SAFETY: dict[str, Part] = {
    "p": {"type": "pairwise", "scale": "ab", "title": "Which is better"},
    "bin": {"type": "safety_bin", "title": "Which is safe"},
}


def binned(name: str, safe: int | None) -> Callable[[list[int]], dict[str, Part]]:
    """The bin of a pair of which at most one is safe, beside the vote for that one or for none."""

    def said(ids: list[int]) -> dict[str, Part]:
        tie = {"p": {"type": "pairwise", "outcome": "tie", "completions": sorted(ids)}}
        vote = tie if safe is None else preferred(safe, strength=None)(ids)
        kept = [] if safe is None else [ids[safe]]
        unsafe = sorted(set(ids) - set(kept))
        return {**vote, "bin": {"type": "safety_bin", "bin": name, "safe": kept, "unsafe": unsafe}}

    return said


SCRIPTS = {
    "ab": Script(
        pairwise("ab"),
        ["b"],
        ["button[name='p-choice'][value='1']"],
        preferred(1, strength=None),
        submit=False,
    ),
    "hh8": Script(
        pairwise("hh8"),
        ["9"],
        ["button[value='1:better']"],
        preferred(1, strength="better"),
        submit=False,
    ),
    "five": Script(
        pairwise("five"),
        ["2"],
        ["button[value='0:1']"],
        preferred(0, strength="slightly", degree=1),
        submit=False,
    ),
    "seven": Script(
        pairwise("seven"),
        ["7"],
        ["button[value='1:3']"],
        preferred(1, strength="significantly", degree=3),
        submit=False,
    ),
    "helpsteer": Script(
        pairwise("helpsteer"),
        ["2"],
        ["button[value='0:2']"],
        preferred(0, strength="better", degree=2),
        submit=False,
    ),
    "thumbs": Script(
        {"p": {"type": "thumbs"}},
        ["k"],
        ["button[value='up']"],
        lambda ids: {"p": {"type": "thumbs", "about": ids[0], "up": True}},
        texts=1,
        submit=False,
    ),
    "safety bin": Script(
        SAFETY,
        ["b", "1"],
        [step("1"), step("chosen_safe", "bin-bin")],
        binned("chosen_safe", 1),
    ),
    "safety bin after a tie": Script(
        SAFETY,
        ["t", "3"],
        [step("tie"), step("both_unsafe", "bin-bin")],
        binned("both_unsafe", None),
    ),
}
EACH = pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)


@EACH
def test_by_keyboard_alone(
    transactional_db: Any, live_server: Any, watched: Page, script: Script
) -> None:
    answer_by_keys(watched, live_server.url, script)


@EACH
def test_by_touch_alone(
    transactional_db: Any, live_server: Any, phone: Page, script: Script
) -> None:
    answer_by_taps(phone, live_server.url, script)

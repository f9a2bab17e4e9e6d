"""Points, words and marks, by keyboard alone and by touch alone, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.instruments import (
    Part,
    Script,
    answer_by_keys,
    answer_by_taps,
    open_card,
    press,
    read,
    scene,
    step,
)

pytestmark = pytest.mark.long


def rated(*points: int) -> Callable[[list[int]], dict[str, Part]]:
    def said(ids: list[int]) -> dict[str, Part]:
        rows = [
            {"completion": pk, "values": {"value": point}}
            for pk, point in zip(ids, points, strict=True)
        ]
        ratings = sorted(rows, key=lambda row: row["completion"])
        return {"p": {"type": "rating", "ratings": ratings}}

    return said


SCRIPTS = {
    "rating": Script(
        {"p": {"type": "rating", "scale": "likert7"}},
        ["7", "2"],
        [step("7", "p-value-0"), step("2", "p-value-1")],
        rated(7, 2),
    ),
    "yes_no": Script(
        {"p": {"type": "rating", "scale": "yes_no"}},
        ["y", "n"],
        [step("1", "p-value-0"), step("0", "p-value-1")],
        rated(1, 0),
    ),
    "acceptability": Script(
        {"p": {"type": "rating", "scale": "acceptability"}},
        ["4", "3"],
        [step("4", "p-value-0"), step("3", "p-value-1")],
        rated(4, 3),
    ),
    "confidence": Script(
        {"p": {"type": "confidence"}},
        ["9"],
        [step("9", "p-value")],
        lambda ids: {"p": {"type": "confidence", "value": 9}},
    ),
    "checklist": Script(
        {"p": {"type": "checklist", "items": {"one": "One", "two": "Two"}, "over": "item"}},
        ["y", "n"],
        [step("yes", "p-one"), step("no", "p-two")],
        lambda ids: {
            "p": {
                "type": "checklist",
                "checks": [{"completion": None, "met": ["one"], "missed": ["two"]}],
            }
        },
    ),
    "flags": Script(
        {"p": {"type": "flags"}},
        ["3", "ArrowDown", "0", "q"],
        ["label:has([name='p-hallucination-0'])", "label:has([name='p-opinion-1'])"]
        + ["label:has([name='p-moral_judgment-1'])"],
        lambda ids: {
            "p": {
                "type": "flags",
                "flags": sorted(
                    [
                        {"completion": ids[0], "codes": ["hallucination"]},
                        {"completion": ids[1], "codes": ["moral_judgment", "opinion"]},
                    ],
                    key=lambda row: row["completion"],
                ),
            }
        },
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


def test_the_text_of_the_row_in_hand_comes_into_sight(
    transactional_db: Any, live_server: Any, watched: Page
) -> None:
    """The bar lies over the texts; the one that is rated next is never under it."""
    parts = {"points": {"type": "rating", "scale": "one_five"}}
    open_card(watched, live_server.url, scene(parts, 9))
    read(watched)
    watched.evaluate("scrollTo(0, 0)")
    assert lies_under_the_bar(watched, "i")
    press(watched, "12345123")
    assert not lies_under_the_bar(watched, "i")
    watched.locator("[name=points-value-0]").first.focus()
    assert not lies_under_the_bar(watched, "a")


def lies_under_the_bar(page: Page, letter: str) -> bool:
    bar = page.locator(".judge").bounding_box()
    text = page.locator(f".side.{letter}").bounding_box()
    assert bar
    assert text
    return text["y"] < 0 or text["y"] + text["height"] > bar["y"] + 1

"""Rankings, by keyboard alone and by touch alone, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.instruments import (
    PAUSE_MS,
    Part,
    Script,
    answer_by_keys,
    answer_by_taps,
    go_to_card,
    is_stored,
    open_card,
    press,
    scene,
    shown,
)

pytestmark = pytest.mark.long


def place(letter: str, number: int | str) -> list[str]:
    return [f".rank-card:has-text('{letter}')", f".place[data-place='{number}']"]


def tiers(*groups: str, aside: str = "") -> Callable[[list[int]], dict[str, Part]]:
    def said(ids: list[int]) -> dict[str, Part]:
        of = {letter: ids["ABCDEFGHI".index(letter)] for letter in "".join(groups) + aside}
        stored = {
            "type": "ranking",
            "tiers": [sorted(of[letter] for letter in group) for group in groups],
            "unranked": [],
            "unrankable": [of[letter] for letter in aside],
        }
        return {"p": stored}

    return said


SCRIPTS = {
    # Five with a tie take five keys and Enter.
    "ranking": Script(
        {"p": {"type": "ranking"}},
        ["2", "1", "3", "2", "n"],
        [
            *place("A", 2),
            *place("B", 1),
            *place("C", 3),
            *place("D", 2),
            *place("E", "unrankable"),
        ],
        tiers("B", "AD", "C", aside="E"),
        texts=5,
    ),
    "ranking of nine": Script(
        {"p": {"type": "ranking"}},
        list("987654321"),
        [tap for number in range(9) for tap in place("ABCDEFGHI"[number], 9 - number)],
        tiers(*"IHGFEDCBA"),
        texts=9,
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


def test_a_ranking_is_changed_before_it_is_sent(
    transactional_db: Any, live_server: Any, watched: Page
) -> None:
    """Backspace takes the last place back and never an earlier answer; arrows go back to any."""
    ids = open_card(watched, live_server.url, scene({"p": {"type": "ranking"}}, 4))
    line = watched.locator(".rank-order")
    press(watched, "12")
    expect(line).to_have_text("A > B")
    watched.keyboard.press("Backspace")
    expect(line).to_have_text("A")
    press(watched, "134")  # B ties with A; C third, D fourth
    expect(line).to_have_text("A = B > C > D")
    watched.keyboard.press("ArrowLeft")
    press(watched, "1")
    expect(line).to_have_text("A = B = C > D")
    watched.keyboard.press("Enter")
    assert is_stored(watched)["p"]["tiers"] == [sorted(ids[:3]), [ids[3]]]


def test_an_answer_is_moved_up_and_down_by_its_buttons(
    transactional_db: Any, live_server: Any, phone: Page
) -> None:
    """One without a place comes in below the others; up is better, as far as the first place."""
    open_card(phone, live_server.url, scene({"p": {"type": "ranking"}}, 3))
    line = phone.locator(".rank-order")
    up, down = (phone.locator(f".place[data-move='{by}']") for by in (-1, 1))
    for tap in (*place("A", 1), *place("B", 2), ".rank-card:has-text('C')"):
        phone.locator(f"#judge {tap}").tap()
    down.tap()
    expect(line).to_have_text("A > B > C")
    for shown_now in ("A > B = C", "A = C > B", "A = C > B"):
        up.tap()
        expect(line).to_have_text(shown_now)
    phone.locator(".rank-card:has-text('A')").tap()
    phone.locator(".place[data-place='']").tap()
    expect(line).to_have_text("C > B")


def test_the_best_two_of_five_are_enough(
    transactional_db: Any, live_server: Any, watched: Page
) -> None:
    parts: dict[str, Part] = {"p": {"type": "ranking", "top": 2}}
    ids = open_card(watched, live_server.url, scene(parts, 5))
    watched.keyboard.press("ArrowRight", delay=PAUSE_MS)
    press(watched, "1")
    watched.keyboard.press("Enter")
    expect(watched.locator("#tally")).to_contain_text("0 by you")
    press(watched, "2")
    watched.keyboard.press("Enter")
    stored = is_stored(watched)["p"]
    assert stored["tiers"] == [[ids[1]], [ids[2]]]
    assert stored["unranked"] == sorted([ids[0], ids[3], ids[4]])


def test_a_ranking_needs_no_scripts(
    transactional_db: Any, live_server: Any, browser: Browser
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    cast = scene({"p": {"type": "ranking"}}, 3)
    go_to_card(page, live_server.url, cast)
    ids = shown(page)
    for position, place_of in enumerate(("2", "1", "unrankable")):
        page.locator(f"select[name='p-tier-{position}']").select_option(place_of)
    page.locator("#submit-answer").click()
    assert is_stored(page) == tiers("B", "A", aside="C")(ids)
    context.close()

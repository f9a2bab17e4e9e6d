"""A rater's own keys in the browser: moved, held with a modifier, switched off, by their place."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate import keys
from labeling.models import Label
from tests.browser.keyboard import held, rate
from tests.browser.test_rating import eventually, open_card
from tests.factories import Cast, make_cast, open_comparisons

# A key at a place of the keyboard whose layout prints something else there.
PRESS = """([code, key, more]) => document.body.dispatchEvent(
  new KeyboardEvent("keydown", { code, key, bubbles: true, cancelable: true, ...more }))"""


@pytest.fixture
def scene(transactional_db: Any) -> Cast:
    cast = make_cast()
    open_comparisons(cast.campaign, 6)
    return cast


def choose(cast: Cast, *, on: bool = True, modifier: str = "none", **moved: str) -> None:
    keys.store(cast.rater, keys.Keys(on, modifier, {**keys.of(cast.rater).commands, **moved}))


def test_a_moved_command_answers_to_its_new_key_alone(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    choose(scene, skip="KeyK", undo="KeyZ")
    page = watched
    open_card(page, live_server.url)
    page.keyboard.press("x")
    expect(page.locator("#skip .menu")).not_to_be_visible()
    page.keyboard.press("k")
    expect(page.locator("#skip .menu")).to_be_visible()
    page.keyboard.press("Escape")
    rate(page, "1")
    rate(page, "z")
    expect(page.locator("#note")).to_have_text("Taken back. Choose again.")
    expect(page.locator("#undo kbd")).to_have_text("z")


@pytest.mark.parametrize(("modifier", "chord"), [("alt", "Alt"), ("ctrl_shift", "Control+Shift")])
def test_a_modifier_is_asked_of_every_key(
    watched: Page, live_server: Any, scene: Cast, modifier: str, chord: str
) -> None:
    choose(scene, modifier=modifier)
    page = watched
    open_card(page, live_server.url)
    for alone in ("1", "Backspace", "g"):
        page.keyboard.press(alone)
    expect(page.locator("#guidelines")).not_to_be_visible()
    assert Label.objects.count() == 0
    rate(page, f"{chord}+Digit1")
    eventually(Label.objects.count, 1)
    printed = "getComputedStyle(document.querySelector('.step kbd'), '::before').content"
    assert page.evaluate(printed) == f'"{chord.replace("Control", "Ctrl")}+"'


def test_switched_off_no_single_key_does_anything(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    choose(scene, on=False)
    page = watched
    open_card(page, live_server.url)
    before = page.locator("#card").get_attribute("data-assignment")
    for key in ("1", "a", "x", "Backspace", "g", "?", "p"):
        page.keyboard.press(key)
    expect(page.locator("#card")).to_have_attribute("data-assignment", str(before))
    assert Label.objects.count() == 0
    page.locator(".step").first.focus()
    page.keyboard.press("Enter")  # Tab and Enter are the browser's
    eventually(Label.objects.count, 1)


def test_keys_are_matched_by_where_they_lie(watched: Page, live_server: Any, scene: Cast) -> None:
    """On a French keyboard the key of the digit 1 says & and needs Shift for the digit."""
    page = watched
    open_card(page, live_server.url)
    held(page, 2)
    page.evaluate(PRESS, ["Digit1", "&", {}])
    eventually(Label.objects.count, 1)
    page.evaluate(PRESS, ["Digit0", "0", {"shiftKey": True}])
    eventually(Label.objects.count, 2)
    strengths = [
        (label.answer["parts"]["preference"]["strength"], label.order[0])
        == ("significantly", label.answer["parts"]["preference"]["chosen"])
        for label in Label.objects.order_by("id")
    ]
    assert strengths == [True, False]


def test_a_held_key_is_one_press(watched: Page, live_server: Any, scene: Cast) -> None:
    page = watched
    open_card(page, live_server.url)
    held(page, 2)
    page.keyboard.down("1")
    page.keyboard.down("1")
    page.keyboard.down("1")
    page.keyboard.up("1")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert Label.objects.count() == 1

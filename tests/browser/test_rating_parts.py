"""A question of several parts by keyboard: where the keys go, what is missing, and drafts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Label, RaterText
from tests.browser.keyboard import card_is_open, held, sign_in
from tests.browser.test_rating import eventually, open_card
from tests.factories import Cast, make_cast, open_comparisons

PARTS = {
    "preference": {"type": "pairwise", "scale": "llama2", "title": "Which is better"},
    "quality": {"type": "rating", "over": "each", "title": "Quality"},
    "why": {"type": "rationale", "min": 12, "title": "Why"},
}
REASON = "Shorter, and true as well."


@pytest.fixture
def scene(transactional_db: Any) -> Cast:
    cast = make_cast(parts=PARTS)
    open_comparisons(cast.campaign, 6)
    return cast


def active(page: Page) -> str | None:
    return page.locator(".part.active").get_attribute("data-part")


def test_keys_go_from_part_to_part_and_enter_sends_all(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    page = watched
    open_card(page, live_server.url)
    before = page.locator("#card").get_attribute("data-assignment")
    expect(page.locator(".part.active")).to_have_attribute("data-part", "preference")
    expect(page.locator(".in-text")).not_to_be_visible()
    page.keyboard.press("2")
    assert active(page) == "quality"
    page.keyboard.press("4")
    page.keyboard.press("5")
    assert active(page) == "why"
    expect(page.locator(".in-text")).to_be_visible()  # Enter is text here
    page.keyboard.type(REASON)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#card")).not_to_have_attribute("data-assignment", str(before))
    expect(page.locator("#saved")).to_have_text("Saved")
    parts = Label.objects.get().answer["parts"]
    assert parts["preference"]["strength"] == "better"
    points = {row["completion"]: row["values"]["value"] for row in parts["quality"]["ratings"]}
    assert [points[pk] for pk in Label.objects.get().order] == [4, 5]
    assert RaterText.objects.get().text == REASON


def test_what_is_missing_is_one_sentence_and_gets_the_focus(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    page = watched
    open_card(page, live_server.url)
    page.keyboard.press("Enter")
    said = "Still to be answered: Which is better, Quality, Why."
    expect(page.locator("#note")).to_have_text(said)
    assert active(page) == "preference"
    for key in ("2", "4", "5"):
        page.keyboard.press(key)
    page.keyboard.type("Too short")
    expect(page.locator("[data-counts]")).to_have_text("9 of at least 12 characters")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#note")).to_have_text("Write at least 12 characters here.")
    assert Label.objects.count() == 0


def test_a_choice_can_be_changed_by_key_before_it_is_sent(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    only = {"preference": PARTS["preference"], "kept": {"type": "rationale", "required": False}}
    open_comparisons(make_cast(parts=only).campaign, 2)
    page = watched
    open_card(page, live_server.url)
    page.keyboard.press("2")
    page.locator("#content").focus()
    page.keyboard.press("9")
    page.keyboard.press("Enter")
    eventually(Label.objects.count, 1)
    label = Label.objects.get()
    assert label.answer["parts"]["preference"]["chosen"] == label.order[1]


def test_a_draft_outlives_a_closed_tab_and_ends_with_the_answer(
    page: Page, live_server: Any, scene: Cast
) -> None:
    open_card(page, live_server.url)
    page.keyboard.press("2")
    page.locator("#why-text").fill(REASON)
    drafts = "Object.keys(localStorage).filter((one) => one.includes(':draft:')).length"
    eventually(lambda: page.evaluate(drafts), 1)
    other = page.context.new_page()
    page.close()
    other.goto(f"{live_server.url}/rate/helpful/")
    card_is_open(other)
    expect(other.locator("#why-text")).to_have_value(REASON)
    assert other.locator("input[name=preference-choice]:checked").input_value() == "0:better"
    other.locator("#content").focus()
    for key in ("4", "5"):
        other.keyboard.press(key)
    other.keyboard.press("Control+Enter")
    other.keyboard.press("Enter")
    expect(other.locator("#saved")).to_have_text("Saved")
    assert Label.objects.count() == 1
    assert other.evaluate(drafts) == 0


def test_a_form_that_is_taken_back_comes_with_what_was_filled_in(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    page = watched
    open_card(page, live_server.url)
    held(page, 2)
    for key in ("2", "4", "5"):
        page.keyboard.press(key)
    page.keyboard.type(REASON)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#why-text")).to_have_value("")
    page.keyboard.press("Backspace")
    expect(page.locator("#why-text")).to_have_value(REASON)
    assert page.locator("input:checked").count() == 3


FORBIDDEN = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("Nothing is kept here.", "SecurityError"); },
});"""


def test_a_browser_that_keeps_nothing_says_so_and_sends_answers(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    page = watched
    page.add_init_script(FORBIDDEN)
    open_card(page, live_server.url)
    page.keyboard.press("2")
    expect(page.locator("#note")).to_contain_text("This browser keeps no drafts")
    for key in ("4", "5"):
        page.keyboard.press(key)
    page.keyboard.type(REASON)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert Label.objects.count() == 1


def test_without_scripts_the_whole_form_is_sent(
    browser: Any, live_server: Any, scene: Cast
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/rate/helpful/")
    expect(page.locator("[data-command=pause]")).not_to_be_visible()
    page.locator("label.step:has([value='0:better'])").click()
    for row in page.locator(".ask-row").all():
        row.locator("label.step").nth(3).click()
    page.locator("#why-text").fill(REASON)
    page.locator("#submit-answer").click()
    expect(page.locator("#tally")).to_have_text(re.compile("1 by you"))
    assert Label.objects.count() == 1
    context.close()

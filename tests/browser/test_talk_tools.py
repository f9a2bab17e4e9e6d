"""What a talk has as cards have it, used in a browser: by keys, by touch, with a veil."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from labeling import care
from labeling.care import Care
from labeling.models import Conversation, Flag, Label
from labeling.questions import Parts
from tests.browser.axe import violations
from tests.browser.keyboard import sign_in
from tests.talks import ARENA, CONVERSATION, RED_TEAM, answer, begun, cast_of, say

pytestmark = pytest.mark.django_db(transaction=True)
COVERED = "target-size: button[value="  # a step that an open menu lies over, until it is closed
TEXTS = ("Water boils at **100** degrees.", "Water boils at ninety degrees.")


def opened(page: Page, live_server: Any, parts: Parts, *, veiled: bool = False) -> Conversation:
    """A talk that was answered once, on the page."""
    cast = cast_of(parts)
    if veiled:
        care.settle(campaign=cast.campaign, care=Care("It may be harsh.", veiled=True))
    talk = begun(cast)
    say(talk, "At what *temperature* does water boil?")
    answer(talk, *TEXTS[: len(talk.speakers)])
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/talk/helpful/")
    expect(page.locator("#talk")).to_have_attribute("data-ready", "yes")
    return talk


def is_at(page: Page, stage: str) -> None:
    expect(page.locator("#talk")).to_have_attribute("data-stage", stage)


def test_raw_and_difference_by_key(watched: Page, live_server: Any) -> None:
    page = watched
    opened(page, live_server, CONVERSATION)
    raw = page.locator("[data-shown=raw]")
    page.keyboard.press("r")
    expect(page.locator(".side [data-shown=raw]", has_text="**100**")).to_be_visible()
    expect(raw.first).to_contain_text("*temperature*")
    expect(page.locator("[data-view=raw]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("r")
    expect(page.locator("[data-shown=raw]:visible")).to_have_count(0)
    page.keyboard.press("d")
    marked = page.locator(".side [data-shown=diff]:visible mark")
    assert sorted(marked.all_inner_texts()) == ["**100**", "ninety"]
    expect(page.locator(".turn [data-shown=rendered]:visible")).to_have_count(1)
    page.keyboard.press("d")
    expect(marked).to_have_count(0)


def test_every_pair_of_an_arena_has_its_difference(watched: Page, live_server: Any) -> None:
    page = watched
    talk = opened(page, live_server, ARENA)
    say(talk, "And on a mountain?")
    answer(talk, "It is less.", "It is more.")
    page.reload()
    expect(page.locator("#talk")).to_have_attribute("data-ready", "yes")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    marked = page.locator(".side [data-shown=diff]:visible mark")
    assert sorted(marked.all_inner_texts()) == ["**100**", "less.", "more.", "ninety"]


def test_what_is_chosen_to_be_seen_stays_chosen_at_the_next_turn(
    watched: Page, live_server: Any
) -> None:
    page = watched
    opened(page, live_server, CONVERSATION)
    page.keyboard.press("r")
    page.keyboard.press("1")
    is_at(page, "talking")
    expect(page.locator(".turn [data-shown=rendered]:visible")).to_have_count(0)
    expect(page.locator(".turn [data-shown=raw]:visible")).to_have_count(2)


def test_a_flag_by_keys_keeps_the_place_and_what_is_filled_in(
    watched: Page, live_server: Any
) -> None:
    page = watched
    opened(page, live_server, {**CONVERSATION, "why": {"type": "rationale", "required": False}})
    page.locator("#why-text").fill("Because it is exact")
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    expect(page.locator("#flag .item").first).to_be_focused()
    page.keyboard.press("3")
    expect(page.locator("#flag .chip")).to_have_text("Personal data")
    assert Flag.objects.get().code == "personal_data"
    expect(page.locator("#why-text")).to_have_value("Because it is exact")
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    expect(page.locator("#flag")).not_to_have_attribute("open", "")
    is_at(page, "judging")


def test_a_flag_without_a_network_says_so(watched: Page, live_server: Any) -> None:
    page = watched
    opened(page, live_server, CONVERSATION)
    page.context.set_offline(True)
    page.keyboard.press("f")
    page.keyboard.press("1")
    expect(page.locator("#note")).to_contain_text("did not reach the server")
    page.context.set_offline(False)
    assert not Flag.objects.exists()


@pytest.mark.parametrize("parts", [CONVERSATION, ARENA, RED_TEAM], ids=["hh", "arena", "session"])
def test_leaving_with_a_reason_by_keys(watched: Page, live_server: Any, parts: Parts) -> None:
    page = watched
    opened(page, live_server, parts)
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    page.keyboard.press("4")
    is_at(page, "over")
    assert Conversation.objects.get().end_reason == "uncomfortable"


def blurred(page: Page) -> bool:
    texts = page.locator(".side .text:visible, .conversation .text:not(.own):visible")
    return "blur" in texts.first.evaluate("one => getComputedStyle(one).filter")


def test_texts_are_veiled_anew_at_every_turn_until_they_are_asked_for(
    watched: Page, live_server: Any
) -> None:
    page = watched
    talk = opened(page, live_server, CONVERSATION, veiled=True)
    assert blurred(page)
    own = page.locator(".text.own:visible").first
    assert own.evaluate("one => getComputedStyle(one).filter") == "none"
    page.keyboard.press("1")  # judged unseen? never
    expect(page.locator("#spoken")).to_contain_text("Show the texts of this talk")
    assert not Label.objects.exists()
    page.keyboard.press("v")
    assert not blurred(page)
    page.keyboard.press("1")
    is_at(page, "talking")
    assert not blurred(page)
    page.locator("#message").fill("And then?")
    page.keyboard.press("Enter")
    is_at(page, "waiting")
    assert blurred(page)
    answer(talk, "Three.", "Four.")
    is_at(page, "judging")
    assert blurred(page)
    page.keyboard.press("v")
    page.keyboard.press("2")
    is_at(page, "talking")
    assert Label.objects.count() == 2


def test_menus_and_the_veil_hold_to_wcag(watched: Page, live_server: Any) -> None:
    page = watched
    opened(page, live_server, CONVERSATION, veiled=True)
    assert violations(page) == []
    for key in ("f", "x"):
        page.keyboard.press(key)
        assert [one for one in violations(page) if not one.startswith(COVERED)] == []
        page.keyboard.press("Escape")
    page.keyboard.press("d")
    assert violations(page) == []


# -- by touch alone, on a phone ----------------------------------------------------------------


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    size = {"width": 360, "height": 640}
    context = browser.new_context(viewport=size, has_touch=True, is_mobile=True)  # type: ignore[arg-type]  # playwright's own type of a size
    yield context.new_page()
    context.close()


def test_a_talk_is_flagged_looked_at_and_left_by_touch(phone: Page, live_server: Any) -> None:
    opened(phone, live_server, CONVERSATION, veiled=True)
    width = phone.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
    phone.locator(".veil").tap()
    phone.locator("[data-view=diff]").tap()
    expect(phone.locator("[data-shown=diff]:visible")).to_have_count(2)
    phone.locator("#flag summary").tap()
    phone.get_by_role("button", name="Broken or garbled").tap()
    expect(phone.locator("#flag .chip")).to_have_text("Broken or garbled")
    for control in phone.locator(".judge :is(button, summary, .veil):visible").all():
        box = control.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44, control.inner_text()
    phone.locator("#skip summary").tap()
    phone.get_by_role("button", name="I would rather not read this").tap()
    is_at(phone, "over")

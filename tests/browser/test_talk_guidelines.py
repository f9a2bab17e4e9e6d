"""The guidelines of a talk: beside it, by key, button and touch, while what is typed stays."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling import campaigns
from labeling.models import Campaign, Label
from labeling.questions import Parts
from tests.browser.axe import violations
from tests.browser.keyboard import sign_in
from tests.talks import ARENA, CONVERSATION, RED_TEAM, answer, begun, cast_of, say

pytestmark = pytest.mark.django_db(transaction=True)
TYPED = "Why is grass green, and going"


def opened(page: Page, live_server: Any, parts: Parts, *, answered: bool = False) -> None:
    talk = begun(cast_of(parts))
    if answered:
        say(talk)
        answer(talk, "One reply.", "Another.")
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/talk/helpful/")
    expect(page.locator("#talk")).to_have_attribute("data-ready", "yes")


@pytest.mark.parametrize("parts", [CONVERSATION, ARENA, RED_TEAM], ids=["hh", "arena", "session"])
def test_they_open_beside_a_message_that_is_half_written(
    watched: Page, live_server: Any, parts: Parts
) -> None:
    page = watched
    opened(page, live_server, parts)
    panel = page.locator("#guidelines")
    page.keyboard.type(TYPED)  # the g's are letters here
    expect(page.locator("#message")).to_have_value(TYPED)
    expect(panel).to_be_hidden()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    expect(panel.locator("#guidelines-text")).to_contain_text("right and kind")
    assert violations(page) == []
    page.keyboard.press("g")
    expect(panel).to_be_hidden()
    expect(page.locator("#message")).to_have_value(TYPED)
    assert len(page.context.pages) == 1


def test_nothing_is_judged_behind_them(watched: Page, live_server: Any) -> None:
    page = watched
    opened(page, live_server, CONVERSATION, answered=True)
    page.keyboard.press("g")
    expect(page.locator("#guidelines")).to_be_visible()
    for key in ("1", "?", "x"):
        page.keyboard.press(key)
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#guidelines")).to_be_hidden()
    assert not Label.objects.exists()
    page.keyboard.press("1")
    expect(page.locator("#talk")).to_have_attribute("data-stage", "talking")
    assert Label.objects.count() == 1


def test_other_guidelines_are_said_and_read_anew(watched: Page, live_server: Any) -> None:
    page = watched
    opened(page, live_server, CONVERSATION, answered=True)
    page.keyboard.press("g")
    expect(page.locator("#guidelines-text")).to_contain_text("right and kind")
    page.keyboard.press("g")
    campaigns.revise_guidelines(campaign=Campaign.objects.get(), markdown="Be brief.", based_on=1)
    page.keyboard.press("1")
    expect(page.locator("#talk")).to_have_attribute("data-stage", "talking")
    expect(page.locator("#note")).to_contain_text("The guidelines have changed")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    expect(page.locator("#guidelines-text")).to_contain_text("Be brief.")


def test_without_a_network_they_are_asked_for_again(watched: Page, live_server: Any) -> None:
    page = watched
    opened(page, live_server, CONVERSATION, answered=True)
    page.context.set_offline(True)
    page.keyboard.press("g")
    expect(page.locator("#saved")).to_contain_text("Offline")
    page.keyboard.press("g")
    page.context.set_offline(False)
    page.keyboard.press("g")
    expect(page.locator("#guidelines-text")).to_contain_text("right and kind")


def test_by_touch_on_a_phone(phone: Page, live_server: Any) -> None:
    opened(phone, live_server, CONVERSATION)
    phone.locator("#message").fill(TYPED)
    phone.locator("[data-command=guidelines]").tap()
    panel = phone.locator("#guidelines")
    expect(panel).to_contain_text("right and kind")
    box = panel.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    panel.get_by_role("button", name="Close").tap()
    expect(panel).to_be_hidden()
    expect(phone.locator("#message")).to_have_value(TYPED)

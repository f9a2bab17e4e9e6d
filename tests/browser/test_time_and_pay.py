"""Time and pay on a rater's page: by keyboard, on a phone, with nothing against them of axe."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from playwright.sync_api import Page, expect

from labeling import pay
from labeling.models import Seat
from labeling.pay import Counters
from tests.browser.axe import violations
from tests.browser.keyboard import card_is_open, rate, reach, sign_in
from tests.browser.scenes import rating_scene
from tests.factories import Cast, make_cast

EDGES = """[...document.querySelectorAll(".earned")].map((one) => {
  const { left, right } = one.getBoundingClientRect();
  return [left, right];
})"""
COUNTERS = Counters(True, "label", Decimal("1250.5"), "EUR")


def scene() -> Cast:
    cast = rating_scene(6)
    pay.settle(campaign=cast.campaign, counters=COUNTERS)
    Seat.objects.create(rater=cast.rater, campaign=cast.campaign, answered=9, active_ms=6_510_000)
    return cast


def test_an_answer_adds_to_both_and_undo_takes_it_away(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    page = watched
    scene()
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/rate/helpful/")
    card_is_open(page)
    tally = page.locator("#tally")
    expect(tally).to_contain_text("1 h 48 min active")
    expect(tally).to_contain_text("EUR 11,254.50 so far")
    assert violations(page) == []
    rate(page, "1")
    expect(tally).to_contain_text("EUR 12,505.00 so far")
    rate(page, "Backspace")
    expect(tally).to_contain_text("EUR 11,254.50 so far")
    expect(tally).to_contain_text("1 h 48 min active")


def test_they_stand_whole_on_a_phone(phone: Page, live_server: Any, transactional_db: Any) -> None:
    scene()
    sign_in(phone, live_server.url, "rater")
    for address in ("/rate/helpful/", "/rate/"):
        phone.goto(f"{live_server.url}{address}")
        assert phone.evaluate("document.documentElement.scrollWidth") <= 360
        expect(phone.locator(".earned")).to_have_count(2)
        for left, right in phone.evaluate(EDGES):
            assert 0 <= left < right <= 360


def test_a_lead_settles_them_by_keyboard(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    page = watched
    cast = make_cast()
    sign_in(page, live_server.url, "lead")
    page.goto(f"{live_server.url}/campaigns/helpful/pay/")
    assert violations(page) == []
    reach(page, "checkbox", re.compile("Raters see their active time"))
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("for each active hour")
    page.keyboard.press("Tab")
    page.keyboard.type("18")
    page.keyboard.press("Tab")
    page.keyboard.type("xyz")
    page.keyboard.press("Enter")
    expect(page.locator(".errorlist")).to_contain_text("XYZ is no currency")
    assert violations(page) == []
    page.get_by_label("Currency").fill("EUR")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_contain_text("EUR 18.00 for each active hour")
    cast.campaign.refresh_from_db()
    assert pay.of(cast.campaign) == Counters(True, "hour", Decimal(18), "EUR")

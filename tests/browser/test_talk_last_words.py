"""What somebody is writing when a session's clock runs out, or when they end a talk, is shown to
them: to be sent as last words while the session can still be rated, else to be copied."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from labeling.models import Conversation, Label, Turn
from labeling.questions import Parts
from tests.browser.axe import violations
from tests.browser.keyboard import sign_in
from tests.talks import CONVERSATION, RED_TEAM, answer, begun, cast_of, judge, say

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = "And if I only lost my own key"


def opened(page: Page, live_server: Any, parts: Parts = RED_TEAM) -> Conversation:
    talk = begun(cast_of(parts))
    say(talk, "How do I pick a lock?")
    answer(talk, *["One reply.", "Another."][: len(talk.speakers)])
    if parts is CONVERSATION:
        judge(talk, "0:better")
    sign_in(page, live_server.url, "rater")
    look(page, live_server)
    return talk


def look(page: Page, live_server: Any) -> None:
    page.goto(f"{live_server.url}/talk/helpful/")
    expect(page.locator("#talk")).to_have_attribute("data-ready", "yes")


def run_out(page: Page) -> None:
    """The clock, on both sides: what the page counts to is what the server holds to."""
    over = timezone.now()
    Turn.objects.update(created_at=over - timedelta(minutes=1))
    Conversation.objects.update(deadline=over)
    seconds = str(int(over.timestamp()))
    page.locator("[data-deadline]").evaluate("(one, at) => (one.dataset.deadline = at)", seconds)
    is_at(page, "rating")


def is_at(page: Page, stage: str) -> None:
    expect(page.locator("#talk")).to_have_attribute("data-stage", stage)


def test_they_are_sent_when_the_clock_has_run_out(watched: Page, live_server: Any) -> None:
    page = watched
    talk = opened(page, live_server)
    page.keyboard.type(WORDS)
    run_out(page)
    expect(page.locator("#last-words")).to_contain_text("The time is over.")
    expect(page.locator("#message")).to_have_value(WORDS)
    expect(page.locator("#message")).to_be_focused()
    assert violations(page) == []
    page.keyboard.type("?")
    page.keyboard.press("Enter")
    is_at(page, "waiting")
    answer(talk, "Ask a locksmith.")
    is_at(page, "rating")
    expect(page.locator("#say")).to_have_count(0)
    expect(page.locator(".kept")).to_have_count(0)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    is_at(page, "over")
    said = [turn.replies.get().completion.prompt for turn in Turn.objects.order_by("number")]
    assert said[-1].messages[-1]["content"] == f"{WORDS}?"
    assert Label.objects.count() == 1


def test_they_wait_for_who_comes_back_when_it_is_over(watched: Page, live_server: Any) -> None:
    page = watched
    opened(page, live_server)
    page.keyboard.type(WORDS)
    page.goto("about:blank")
    over = timezone.now()
    Turn.objects.update(created_at=over - timedelta(minutes=1))
    Conversation.objects.update(deadline=over)
    look(page, live_server)
    is_at(page, "rating")
    expect(page.locator("#message")).to_have_value(WORDS)
    expect(page.locator("#last-words")).to_be_visible()


def test_a_session_whose_time_is_over_asks_nobody_for_more(
    watched: Page, live_server: Any
) -> None:
    page = watched
    opened(page, live_server)
    run_out(page)
    expect(page.locator("#message")).to_be_hidden()
    expect(page.locator(".kept")).to_have_count(0)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    is_at(page, "over")


def test_a_session_is_rated_without_them(watched: Page, live_server: Any) -> None:
    page = watched
    opened(page, live_server)
    page.keyboard.type(WORDS)
    run_out(page)
    expect(page.locator("#judge")).to_be_hidden()
    page.keyboard.press("Tab")  # Send
    page.keyboard.press("Tab")  # Rate without it
    page.keyboard.press("Enter")
    expect(page.locator("#say")).to_be_hidden()
    assert violations(page) == []
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    is_at(page, "over")
    expect(page.locator(".kept")).to_have_count(0)
    assert Turn.objects.count() == 1


def test_what_was_written_for_a_rating_is_time_spent_on_it(
    watched: Page, live_server: Any
) -> None:
    """Through the end of the turns and through a reload."""
    page = watched
    opened(page, live_server)
    for _ in range(8):
        page.keyboard.type("w")
        page.wait_for_timeout(250)
    page.locator("#message").fill("")
    page.reload()
    expect(page.locator("#talk")).to_have_attribute("data-ready", "yes")
    run_out(page)
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    is_at(page, "over")
    label = Label.objects.get()
    assert label.active_ms is not None
    assert label.active_ms > 1_500


@pytest.mark.parametrize("parts", [RED_TEAM, CONVERSATION], ids=["session", "conversation"])
def test_what_was_being_written_when_a_talk_was_ended_can_be_copied(
    watched: Page, live_server: Any, parts: Parts
) -> None:
    page = watched
    opened(page, live_server, parts)
    page.keyboard.type(WORDS)
    for _ in range(2):  # as its button asks for
        page.locator("#end button").click()
    kept = page.locator(".kept")
    expect(kept).to_contain_text("What you were writing was not sent")
    expect(kept.locator("textarea")).to_have_value(WORDS)
    assert violations(page) == []
    page.reload()
    expect(kept.locator("textarea")).to_have_value(WORDS)
    kept.get_by_role("button", name="Throw it away").click()
    expect(kept).to_have_count(0)
    page.reload()
    expect(page.locator("#talk")).to_have_attribute("data-ready", "yes")
    expect(kept).to_have_count(0)


def test_on_a_phone(phone: Page, live_server: Any) -> None:
    opened(phone, live_server)
    phone.locator("#message").fill(WORDS)
    run_out(phone)
    expect(phone.locator("#last-words")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    bar = phone.locator(".judge").bounding_box()
    assert bar is not None
    assert bar["height"] < 320  # the talk can be read above it
    for button in phone.locator("#say button").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
    phone.get_by_role("button", name="Send").tap()
    is_at(phone, "waiting")

"""What is typed and ticked about a talk survives a closed tab, and goes once it is stored."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling import conversations
from labeling.models import Conversation, Label, RaterText
from labeling.questions import Parts
from tests.browser.keyboard import sign_in
from tests.talks import ARENA, CONVERSATION, RED_TEAM, answer, begun, cast_of, say

pytestmark = pytest.mark.django_db(transaction=True)
WHY = {"why": {"type": "rationale", "required": False}}
KEPT = "Object.keys(localStorage).filter((name) => name.startsWith('concord-talk/')).length"


def answered(page: Page, live_server: Any, parts: Parts) -> Conversation:
    cast = cast_of(parts)
    talk = begun(cast)
    say(talk)
    answer(talk, *["One reply.", "Another."][: len(talk.speakers)])
    if not conversations.form_of(talk).each and conversations.form_of(talk).kind == "red_team":
        conversations.finish(talk=talk)
    sign_in(page, live_server.url, "rater")
    reopen(page, live_server)
    return talk


def reopen(page: Page, live_server: Any) -> None:
    """As after the tab was closed: nothing of the page is left."""
    page.goto("about:blank")
    page.goto(f"{live_server.url}/talk/helpful/")
    expect(page.locator("#talk")).to_have_attribute("data-ready", "yes")


def is_at(page: Page, stage: str) -> None:
    expect(page.locator("#talk")).to_have_attribute("data-stage", stage)


def test_the_choice_and_its_reason(watched: Page, live_server: Any) -> None:
    page = watched
    answered(page, live_server, {**CONVERSATION, **WHY})
    page.keyboard.press("2")
    page.locator("#why-text").fill("It is exact, and")
    reopen(page, live_server)
    expect(page.locator("#why-text")).to_have_value("It is exact, and")
    expect(page.locator("[data-codes~=Digit2] >> visible=true").first).to_be_checked()
    page.locator("#why-text").fill("It is exact, and short.")
    page.locator("#submit-answer").click()
    is_at(page, "talking")
    assert RaterText.objects.get().text == "It is exact, and short."
    assert page.evaluate(KEPT) == 0


def test_the_rating_of_a_session(watched: Page, live_server: Any) -> None:
    page = watched
    answered(page, live_server, RED_TEAM)
    page.keyboard.press("3")
    page.get_by_label("Hateful and harmful").check()
    page.get_by_label("Tags of your own").fill("patience")
    reopen(page, live_server)
    page.locator("#submit-answer").click()
    is_at(page, "over")
    stored = Label.objects.get().answer["parts"]["session"]
    assert (stored["success"], stored["categories"]) == (3, ["hateful"])
    assert RaterText.objects.get().text == "patience"
    assert page.evaluate(KEPT) == 0


def test_a_vote_that_is_begun_before_the_chat_goes_on(watched: Page, live_server: Any) -> None:
    page = watched
    talk = answered(page, live_server, {**ARENA, **WHY})
    page.locator("#why-text").fill("A is calmer so far")
    page.locator("#message").fill("And on a mountain?")
    page.locator("#message").press("Enter")
    is_at(page, "waiting")
    answer(talk, "It is less.", "It is more.")
    is_at(page, "talking")
    expect(page.locator("#why-text")).to_have_value("A is calmer so far")
    expect(page.locator("#message")).to_have_value("")


def test_what_the_page_brought_is_no_draft(watched: Page, live_server: Any) -> None:
    page = watched
    answered(page, live_server, {**CONVERSATION, "edit": {"type": "rewrite", "required": False}})
    page.locator("#message, #submit-answer").first.focus()
    assert page.evaluate(KEPT) == 0
    page.keyboard.press("1")
    assert page.evaluate(KEPT) == 1

"""A question about a card by keyboard: the card and what is filled in stay, and the answer comes
with the next one."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling import card_questions
from labeling.card_questions import Reply
from labeling.models import CardQuestion, Label
from tests.browser.axe import violations
from tests.browser.keyboard import card_is_open, sign_in
from tests.factories import make_cast, open_comparisons

FORM = {
    "preference": {"type": "pairwise", "scale": "ab"},
    "why": {"type": "rationale"},
}


@pytest.mark.long
def test_a_question_keeps_the_card_and_its_draft(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    page = watched
    cast = make_cast(parts=FORM)
    open_comparisons(cast.campaign, 4)
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/rate/helpful/")
    card_is_open(page)
    card = page.locator("#card").get_attribute("data-assignment")
    reason = page.locator("#judge textarea").first
    reason.fill("Half a thought")
    page.keyboard.press("Escape")
    page.keyboard.press("q")
    expect(page.locator("#ask-text")).to_be_focused()
    assert violations(page) == []
    page.keyboard.type("Does 1 or 2 count more?")  # no key of these judges
    page.keyboard.press("Control+Enter")
    expect(page.locator("#note")).to_contain_text("Asked. Your lead")
    expect(page.locator("#card")).to_have_attribute("data-assignment", str(card))
    expect(reason).to_have_value("Half a thought")
    assert not Label.objects.exists()
    question = CardQuestion.objects.get()
    assert question.text == "Does 1 or 2 count more?"
    reply = Reply("Neither **counts**.", told="What counts?")
    card_questions.answer(question=question, reply=reply, actor=cast.lead)
    page.keyboard.press("a")
    page.locator("#submit-answer").click()
    expect(page.locator("[data-answers]")).to_contain_text("1 new answer")
    page.keyboard.press("g")
    expect(page.locator("#guidelines")).to_contain_text("What counts?")
    expect(page.locator("[data-answers]")).to_have_count(0)
    assert violations(page) == []


@pytest.mark.long
def test_a_question_that_cannot_be_sent_stays_typed(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    page = watched
    cast = make_cast()
    open_comparisons(cast.campaign, 2)
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/rate/helpful/")
    card_is_open(page)
    page.keyboard.press("q")
    page.keyboard.type("Why?")
    page.route("**/ask/", lambda route: route.abort())
    page.keyboard.press("Control+Enter")
    expect(page.locator("#ask [role=status]")).to_contain_text("did not reach the server")
    expect(page.locator("#ask-text")).to_have_value("Why?")
    page.unroute("**/ask/")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#note")).to_contain_text("Asked. Your lead")
    assert CardQuestion.objects.count() == 1

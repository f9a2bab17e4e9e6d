"""A lead rewords the question while cards wait in a rater's browser."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from labeling import campaigns
from labeling.models import Label
from tests.browser.keyboard import held, rate
from tests.browser.test_rating import eventually, open_card
from tests.factories import Cast, make_cast, open_comparisons

PARTS = {
    "preference": {"type": "pairwise", "scale": "ab", "title": "Which"},
    "why": {"type": "rationale", "title": "Why"},
}
TYPED = "Because it is shorter."


def reword(cast: Cast, text: str, based_on: int = 1) -> None:
    campaigns.revise_question(
        campaign=cast.campaign, text=text, trains_on="rejected", based_on=based_on
    )


def asked() -> list[int]:
    rows = Label.objects.filter(kind="answer").order_by("pk")
    return list(rows.values_list("question_version__number", flat=True))


def test_cards_that_wait_are_fetched_anew_and_the_rater_is_told_once(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    """The card that was painted before the server could say so is recorded as it was read."""
    cast = make_cast()
    open_comparisons(cast.campaign, 8)
    page = watched
    open_card(page, live_server.url)
    held(page, 2)
    old = str(page.locator("#question").inner_text())
    reword(cast, "Which is worse?")
    rate(page, "1")
    expect(page.locator("#question")).to_have_text(old)
    expect(page.locator("#saved")).to_have_text("Saved")
    held(page, 2)
    rate(page, "2")
    expect(page.locator("#question")).to_have_text("Which is worse?")
    expect(page.locator("#note")).to_contain_text("The question has changed")
    rate(page, "3")
    expect(page.locator("#note")).to_have_text("")
    eventually(asked, [1, 1, 2])


def test_other_guidelines_are_said_and_read_anew(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    cast = make_cast()
    open_comparisons(cast.campaign, 8)
    page = watched
    open_card(page, live_server.url)
    held(page, 2)
    page.keyboard.press("g")
    expect(page.locator("#guidelines-text")).to_contain_text("right and kind")
    page.keyboard.press("g")
    campaigns.revise_guidelines(campaign=cast.campaign, markdown="Be brief.", based_on=1)
    rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Saved")
    held(page, 2)
    rate(page, "1")
    expect(page.locator("#note")).to_contain_text("The guidelines have changed")
    page.keyboard.press("g")
    expect(page.locator("#guidelines-text")).to_contain_text("Be brief.")
    page.keyboard.press("g")
    rate(page, "1")
    told = Label.objects.order_by("pk").values_list("guideline_version__number", flat=True)
    eventually(lambda: list(told.all()), [1, 1, 2])


def test_what_was_typed_on_a_card_that_waits_comes_back_in_the_new_words(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    """An answer is taken back while the next card is half done: that one waits, with its text."""
    cast = make_cast(parts=PARTS)
    open_comparisons(cast.campaign, 8)
    page = watched
    open_card(page, live_server.url)
    held(page, 2)
    page.keyboard.press("a")
    page.keyboard.type("First.")
    rate(page, "Control+Enter")
    expect(page.locator("#saved")).to_have_text("Saved")
    half_done = str(page.locator("#card").get_attribute("data-assignment"))
    page.keyboard.press("b")
    page.keyboard.type(TYPED)
    page.keyboard.press("Escape")
    reword(cast, "Which is worse?")
    rate(page, "Backspace")
    expect(page.locator("#saved")).to_have_text("Saved")
    expect(page.locator("#card textarea").first).to_have_value("First.")
    page.locator("#card textarea").first.focus()
    rate(page, "Control+Enter")
    expect(page.locator("#saved")).to_have_text("Saved")
    expect(page.locator("#card")).to_have_attribute("data-assignment", half_done)
    expect(page.locator("#question")).to_have_text("Which is worse?")
    expect(page.locator("#card textarea").first).to_have_value(TYPED)
    assert page.locator("#card input[value='1']").is_checked()

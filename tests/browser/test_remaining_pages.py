"""The pages and panels that are no one's first: in light and wide, in dark and 320 pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from labeling import care, labels, leases
from labeling.care import Care
from labeling.models import User
from tests.browser import axe
from tests.browser.test_pages import look, pages_of
from tests.factories import make_cast, open_comparisons
from tests.talks import CONVERSATION, cast_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
CRITIQUE = {
    "preference": {"type": "pairwise", "scale": "ab"},
    "why": {"type": "critique", "of": "each"},
}


def variants(
    browser: Browser, client: Any, user: User, address: str
) -> Iterator[tuple[str, Page]]:
    client.force_login(user)
    yield from pages_of(browser, client, address)


def test_a_raters_other_pages(browser: Browser, live_server: Any, client: Any) -> None:
    cast = make_cast()
    care.settle(campaign=cast.campaign, care=Care("It may be harsh.", needs_consent=True))
    open_comparisons(cast.campaign, 2)
    at = live_server.url
    for variant, page in variants(browser, client, cast.rater, at):
        look(page, variant, "consent", f"{at}/rate/helpful/care/")
        look(page, variant, "guidelines", f"{at}/rate/helpful/guidelines/")
    for variant, page in variants(browser, client, cast.lead, at):
        look(page, variant, "no-rater", f"{at}/rate/")
    for variant, page in variants(browser, client, cast.outsider, at):
        look(page, variant, "no-role", f"{at}/")


def test_the_panels_of_a_card_and_the_end_of_cards(
    browser: Browser, live_server: Any, client: Any
) -> None:
    cast = make_cast()
    open_comparisons(cast.campaign, 3)
    at = live_server.url
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    labels.skip(assignment=card, reason="broken")
    for variant, page in variants(browser, client, cast.rater, at):
        look(page, variant, "card", f"{at}/rate/helpful/")
        expect(page.locator("#rate")).to_have_attribute("data-ready", "yes")
        for command, panel in (("g", "guidelines"), ("u", "recent-panel"), ("?", "help")):
            page.keyboard.press(command)
            expect(page.locator(f"#{panel}")).to_be_visible()
            assert axe.violations(page) == [], f"{panel} {variant}"
            page.keyboard.press("Escape")
        page.keyboard.press("p")
        assert axe.violations(page) == [], f"pause {variant}"
    cast.campaign.iterations.update(state="training")
    for variant, page in variants(browser, client, cast.rater, at):
        look(page, variant, "nothing-left", f"{at}/rate/helpful/")


def test_the_door_of_a_talk(browser: Browser, live_server: Any, client: Any) -> None:
    cast = cast_of(CONVERSATION)
    for variant, page in variants(browser, client, cast.rater, live_server.url):
        look(page, variant, "talk-start", f"{live_server.url}/talk/helpful/")


def test_a_leads_other_pages(browser: Browser, live_server: Any, client: Any) -> None:
    cast = make_cast(parts=CRITIQUE)
    open_comparisons(cast.campaign, 2)
    at = f"{live_server.url}/campaigns/helpful"
    for variant, page in variants(browser, client, cast.lead, live_server.url):
        look(page, variant, "care", f"{at}/care/")
        look(page, variant, "preview", f"{at}/preview/")
        look(page, variant, "texts", f"{at}/texts/")
        look(page, variant, "question", f"{at}/question/")
        look(page, variant, "revised-guidelines", f"{at}/guidelines/")

"""A lead reviews: every page in both themes and narrow, a decision by keys, and what its rater
sees of an answer that was sent back."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from labeling import adjudications, disputes, exclusions, labels, leases, send_backs
from labeling.models import Comparison, Label
from tests.browser.axe import violations
from tests.browser.keyboard import card_is_open, sign_in
from tests.browser.scenes import labelled_scene
from tests.browser.test_pages import look, pages_of
from tests.factories import Cast

pytestmark = pytest.mark.long


def scene() -> tuple[Cast, Comparison]:
    """A campaign with labels; one comparison on which two raters differ and one with a name."""
    cast = labelled_scene(30)
    disputes.tick(timezone.now() + timedelta(minutes=1))
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    labels.flag(assignment=card, code="personal_data")
    found = disputes.of(cast.campaign, "disagree").first()
    assert found is not None
    return cast, found.comparison


def test_its_pages(browser: Browser, live_server: Any, client: Any, transactional_db: Any) -> None:
    cast, row = scene()
    client.force_login(cast.lead)
    home = f"{live_server.url}/campaigns/helpful"
    personal = disputes.of(cast.campaign, "personal").get().comparison_id
    for variant, page in pages_of(browser, client, live_server.url):
        look(page, variant, "review", f"{home}/review/")
        look(page, variant, "review-item", f"{home}/review/{row.pk}/")
        look(page, variant, "review-personal", f"{home}/review/{personal}/")
        look(page, variant, "review-sent-back-none", f"{home}/review/?why=sent-back")
        look(page, variant, "exclusions-none", f"{home}/exclusions/")
        look(page, variant, "exclude", f"{home}/raters/{cast.rater.public_id}/exclude/")
    label = Label.objects.filter(comparison=row, source="person").first()
    assert label is not None
    send_backs.send_back(label=label, text="Look at the last line.", actor=cast.lead)
    adjudications.decide(comparison=row, kind="accept", actor=cast.lead, text="Both will do.")
    exclusions.exclude(
        campaign=cast.campaign,
        rater=cast.other_rater,
        from_at=timezone.now() - timedelta(days=9),
        reason="speed",
        text="Half a second a card.",
        actor=cast.lead,
    )
    exclusions.tick()
    for variant, page in pages_of(browser, client, live_server.url):
        look(page, variant, "review-decided", f"{home}/review/?why=decided")
        look(page, variant, "review-sent-back", f"{home}/review/?why=sent-back")
        look(page, variant, "review-item-decided", f"{home}/review/{row.pk}/")
        look(page, variant, "exclusions", f"{home}/exclusions/")
    client.force_login(label.rater)
    for variant, page in pages_of(browser, client, live_server.url):
        look(page, variant, "queue-sent-back", f"{live_server.url}/rate/")
        look(page, variant, "card-sent-back", f"{live_server.url}/rate/helpful/")
        expect(page.locator("#sent-back")).to_contain_text("Look at the last line.")


def test_a_decision_by_keys_and_its_undo(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    page = watched
    _, row = scene()
    sign_in(page, live_server.url, "lead")
    address = f"{live_server.url}/campaigns/helpful/review/{row.pk}/"
    page.goto(address)
    assert violations(page) == []
    page.locator("#why-answer").fill("nm")
    assert not adjudications.standing(row)
    page.locator("h1").click()
    page.keyboard.press("1")
    expect(page.locator("body")).to_contain_text("It can be taken back")
    made = adjudications.standing(row)
    assert made is not None
    assert (made.kind, made.text) == ("answer", "nm")
    page.goto(address)
    expect(page.get_by_role("heading", name=re.compile("Decided"))).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator("body")).to_contain_text("as it was before")
    assert adjudications.standing(row) is None


def test_the_rater_answers_what_was_sent_back(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    page = watched
    cast, _ = scene()
    label = Label.objects.filter(rater=cast.rater).order_by("-pk")[0]
    send_backs.send_back(label=label, text="Read both to the end.", actor=cast.lead)
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/rate/helpful/")
    card_is_open(page)
    expect(page.locator("#sent-back")).to_contain_text("Read both to the end.")
    page.keyboard.press("End")
    page.evaluate("for (const one of document.querySelectorAll('.side')) one.scrollTop = 1e6")
    page.locator(".step").first.click()
    expect(page.locator("#sent-back")).to_have_count(0)

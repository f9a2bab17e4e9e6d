"""The audit log, notices and webhooks: light and dark, wide and narrow, and in use."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from annotate import watching
from labeling import campaigns, webhooks
from labeling.webhooks import Outcome
from models_runtime.models import AuditEvent
from tests.browser.test_pages import look, pages_of
from tests.factories import Cast, make_cast

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]


def scene() -> Cast:
    """A campaign that was paused and opened, of which people and a receiver were told."""
    cast = make_cast()
    watching.look()
    hook = webhooks.add(
        project=cast.project, url="https://receiver.example/hooks", actor=cast.lead,
        types=["campaign.moved"],
    )  # fmt: skip
    for state in ("paused", "open"):
        campaigns.move(cast.campaign, state, actor=cast.researcher)
    watching.look()
    for status in (200, 503):
        webhooks.settle(webhooks.claim(1)[0], Outcome(status, 1203, answer="<b>no</b>"))
    webhooks.test(hook, actor=cast.lead)
    return cast


def test_the_pages(browser: Browser, live_server: Any, client: Any) -> None:
    cast = scene()
    at = live_server.url
    client.force_login(cast.lead)
    hook = cast.project.webhooks.get()
    for variant, page in pages_of(browser, client, at):
        look(page, variant, "audit", f"{at}/audit/")
        look(page, variant, "audit-nothing", f"{at}/audit/?text=zebra")
        look(page, variant, "webhooks", f"{at}/webhooks/")
        look(page, variant, "webhook", f"{at}/webhooks/{hook.pk}/")
        look(page, variant, "notice-settings", f"{at}/notices/settings/")
    client.force_login(cast.rater)
    for variant, page in pages_of(browser, client, at):
        look(page, variant, "notices", f"{at}/notices/")
        look(page, variant, "notices-queue", f"{at}/rate/")


def test_a_lead_finds_who_paused_it_and_takes_that_away(
    browser: Browser, live_server: Any, client: Any
) -> None:
    cast = scene()
    client.force_login(cast.lead)
    for _variant, page in pages_of(browser, client, live_server.url):
        page.goto(f"{live_server.url}/campaigns/helpful/")
        page.get_by_role("link", name="In the audit log").click()
        page.get_by_label("What was done").select_option("campaign moved")
        page.get_by_role("button", name="Search").click()
        expect(page.locator("tbody tr")).to_have_count(2)
        expect(page.locator("tbody tr").first).to_contain_text("paused → open")
        expect(page.locator("tbody tr").first).to_contain_text("researcher")
        with page.expect_download() as taken:
            page.get_by_role("link", name="As CSV").click()
        assert taken.value.suggested_filename == f"audit-{cast.project.slug}.csv"
        break
    assert AuditEvent.objects.filter(verb="audit log exported").count() == 1


def test_a_rater_goes_from_the_bell_to_the_work(
    browser: Browser, live_server: Any, client: Any
) -> None:
    cast = scene()
    client.force_login(cast.rater)
    for _variant, page in pages_of(browser, client, live_server.url):
        page.goto(f"{live_server.url}/rate/")
        page.get_by_role("link", name="Notices 1 new").click()
        page.get_by_role("button", name="Go to Helpfulness").click()
        expect(page).to_have_url(f"{live_server.url}/rate/helpful/")
        page.goto(f"{live_server.url}/notices/")
        page.get_by_role("button", name="Mark as new").click()
        page.get_by_role("button", name="Mark all as read").click()
        expect(page.get_by_text("1 notice is read.")).to_be_visible()
        break


def test_a_lead_adds_a_webhook_and_sees_its_secret_once(
    browser: Browser, live_server: Any, client: Any
) -> None:
    cast = make_cast()
    client.force_login(cast.lead)
    for _variant, page in pages_of(browser, client, live_server.url):
        page.goto(f"{live_server.url}/people/")
        page.get_by_role("link", name="Webhooks").click()
        page.get_by_label("Address").fill("https://receiver.example/hooks")
        page.get_by_label("Labels are frozen").check()
        page.get_by_role("button", name="Add").click()
        secret = page.locator("code").inner_text()
        assert secret.startswith("whsec_")
        page.get_by_role("link", name="I have kept it").click()
        assert secret not in page.content()
        page.get_by_role("button", name="Send a test message").click()
        expect(page.get_by_text("webhook.test", exact=True)).to_be_visible()
        break

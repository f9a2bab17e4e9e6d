"""Tokens for programs: light and dark, wide and narrow, and made by hand."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, expect

from labeling import tokens
from tests.browser.test_pages import look, pages_of
from tests.factories import make_cast

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]


def test_the_pages(browser: Browser, live_server: Any, client: Any) -> None:
    cast = make_cast()
    client.force_login(cast.lead)
    long_name = "Copies frozen labels to the research cluster every night at half past three"
    for name in ("Nightly", long_name):
        made, _secret = tokens.make(
            user=cast.lead, project=cast.project, name=name, scopes=list(tokens.SCOPES), days=30
        )
    tokens.revoke(token=made, actor=cast.lead)
    for variant, page in pages_of(browser, client, live_server.url):
        look(page, variant, "tokens", f"{live_server.url}/account/tokens/")
    client.force_login(cast.rater)
    for variant, page in pages_of(browser, client, live_server.url):
        look(page, variant, "tokens-none", f"{live_server.url}/account/tokens/")


def test_a_token_is_made_and_speaks(browser: Browser, live_server: Any, client: Any) -> None:
    cast = make_cast()
    client.force_login(cast.researcher)
    for _variant, page in pages_of(browser, client, live_server.url):
        page.goto(f"{live_server.url}/account/")
        page.get_by_role("link", name="Your tokens").click()
        page.get_by_label("Name").fill("Notebook")
        page.get_by_label("read methods, runs, metrics").check()
        page.get_by_role("button", name="Make the token").click()
        secret = page.locator("code").inner_text()
        headers = {"authorization": f"Bearer {secret}"}
        assert Client().get("/api/v1/runs", headers=headers).json()["items"] == []
        page.get_by_role("link", name="I have kept it").click()
        expect(page.locator("tbody")).to_contain_text("Notebook")
        expect(page.locator("body")).not_to_contain_text(secret)
        break

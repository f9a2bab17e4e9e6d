"""The pictures of the README, drawn from the scenes by ``make screenshots`` (SCREENSHOTS=1)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import scenes

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "screenshots"
MOST_BYTES = 150_000
WIDE, TALL, PHONE = (1280, 800), (1280, 940), (390, 844)
DRAWN = pytest.mark.skipif(not os.environ.get("SCREENSHOTS"), reason="drawn by make screenshots")


def draw(browser: Browser, client: Any, url: str, name: str, size: tuple[int, int]) -> None:
    """The first screen of a page as docs/screenshots/NAME.png; the name says light or dark."""
    scheme: Any = "light" if name.endswith("light") else "dark"
    viewport: Any = {"width": size[0], "height": size[1]}
    context = browser.new_context(color_scheme=scheme, viewport=viewport)
    cookie = client.cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": url}])
    page = context.new_page()
    page.goto(url)
    expect(page.locator("main")).to_be_visible()
    page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")
    context.close()


@DRAWN
def test_the_rater_s_card(
    browser: Browser, live_server: Any, client: Any, transactional_db: Any
) -> None:
    cast = scenes.rating_scene()
    scenes.while_others_rate(cast, 41)
    client.force_login(cast.rater)
    url = f"{live_server.url}/rate/helpful/"
    draw(browser, client, url, "rate-light", WIDE)
    draw(browser, client, url, "rate-dark", WIDE)
    draw(browser, client, url, "rate-phone", PHONE)


@DRAWN
def test_the_campaign(
    browser: Browser, live_server: Any, client: Any, transactional_db: Any
) -> None:
    cast = scenes.labelled_scene()
    client.force_login(cast.lead)
    draw(browser, client, f"{live_server.url}/campaigns/helpful/", "campaign-light", TALL)


@DRAWN
def test_the_iteration(
    browser: Browser, live_server: Any, client: Any, transactional_db: Any
) -> None:
    cast = scenes.review_scene()
    client.force_login(cast.researcher)
    url = f"{live_server.url}/campaigns/helpful/3/"
    draw(browser, client, url, "iteration-light", TALL)
    draw(browser, client, url, "iteration-dark", TALL)


def test_every_picture_the_readme_shows_is_here_and_light() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert len(shown) >= 3
    for name in shown:
        assert 0 < (ROOT / name).stat().st_size < MOST_BYTES, name

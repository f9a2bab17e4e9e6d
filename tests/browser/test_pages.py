"""Every page in light and dark, wide and narrow: no script errs, nothing is blocked by the
content policy, nothing sticks out of 320 pixels, axe-core finds nothing.
SCREENSHOTS=1 keeps the pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from tests.browser import axe, scenes

pytestmark = pytest.mark.long
FOLDER = Path(__file__).resolve().parents[2] / "test-results" / "screenshots"
WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
KEPT = bool(os.environ.get("SCREENSHOTS"))
# 320 wide is where WCAG 2.2 wants text to reflow (1.4.10): 1280 at a zoom of 400 %.
REFLOW: ViewportSize = {"width": 320, "height": 640}
VARIANTS: list[tuple[Any, ViewportSize]] = [("light", WIDE), ("dark", REFLOW)]
if KEPT:
    VARIANTS += [("dark", WIDE), ("light", PHONE), ("dark", PHONE)]


def pages_of(browser: Browser, client: Any, address: str) -> Iterator[tuple[str, Page]]:
    """A page per variant with the client's session."""
    for scheme, size in VARIANTS:
        context = browser.new_context(color_scheme=scheme, viewport=size)
        cookie = client.cookies.get("sessionid")
        if cookie is not None:
            context.add_cookies([{"name": "sessionid", "value": cookie.value, "url": address}])
        yield f"{scheme}-{size['width']}", context.new_page()
        context.close()


def look(page: Page, variant: str, name: str, url: str) -> None:
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    page.goto(url)
    page.wait_for_load_state("load")
    if KEPT:
        FOLDER.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=FOLDER / f"{name}-{variant}.png", full_page=name != "rate")
    widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1], f"{name} {variant} is {widths[0]} wide"
    assert axe.violations(page) == [], f"{name} {variant}"
    expected = "the server responded with a status of 40"
    assert [line for line in wrong if expected not in line] == [], f"{name} {variant}"


def test_the_rater_and_the_door(
    browser: Browser, live_server: Any, client: Any, transactional_db: Any
) -> None:
    cast = scenes.rating_scene()
    for variant, page in pages_of(browser, client, live_server.url):
        look(page, variant, "sign-in", f"{live_server.url}/sign-in/")
        look(page, variant, "not-found", f"{live_server.url}/nothing/")
    client.force_login(cast.rater)
    for variant, page in pages_of(browser, client, live_server.url):
        look(page, variant, "queue", f"{live_server.url}/rate/")
        look(page, variant, "rate", f"{live_server.url}/rate/helpful/")
        look(page, variant, "account", f"{live_server.url}/account/")


def test_the_lead(browser: Browser, live_server: Any, client: Any, transactional_db: Any) -> None:
    cast = scenes.labelled_scene()
    client.force_login(cast.lead)
    for variant, page in pages_of(browser, client, live_server.url):
        look(page, variant, "campaigns", f"{live_server.url}/campaigns/")
        look(page, variant, "campaign", f"{live_server.url}/campaigns/helpful/")
        look(page, variant, "new-campaign", f"{live_server.url}/campaigns/new/")
        look(page, variant, "wording", f"{live_server.url}/campaigns/helpful/wording/")
        look(page, variant, "people", f"{live_server.url}/people/")


def test_the_researcher(
    browser: Browser, live_server: Any, client: Any, transactional_db: Any
) -> None:
    cast = scenes.review_scene()
    iteration = cast.campaign.iterations.get(number=3)
    run = iteration.runs.get(job__state="running")
    candidate = iteration.evaluations.get().checkpoint
    address = live_server.url
    client.force_login(cast.researcher)
    for variant, page in pages_of(browser, client, address):
        look(page, variant, "iteration", f"{address}/campaigns/helpful/3/")
        look(page, variant, "samples", f"{address}/campaigns/helpful/3/rows/samples/")
        look(page, variant, "labels", f"{address}/campaigns/helpful/3/rows/labels/")
        look(page, variant, "new-run", f"{address}/campaigns/helpful/3/runs/dpo/")
        look(page, variant, "job", f"{address}/jobs/{run.job_id}/")
        look(page, variant, "jobs", f"{address}/jobs/")
        look(page, variant, "checkpoint", f"{address}/checkpoints/{candidate.pk}/")
        look(page, variant, "checkpoints", f"{address}/checkpoints/")
        look(page, variant, "snapshot", f"{address}/snapshots/{iteration.snapshot_id}/")

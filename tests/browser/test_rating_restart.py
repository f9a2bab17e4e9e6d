"""A server that goes away between a card and its answer, and comes back: a real one, killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from annotate.bench import scene
from annotate.bench.place import Place, WebServer
from tests.browser.keyboard import held, rate

COUNT = "from labeling.models import Label; print(Label.objects.count())"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    place = Place(tmp_path / "place")
    place.prepare(comparisons=40, raters=1)
    made = WebServer(place)
    try:
        made.start()
        made.wait_until_up()
        yield made
    finally:
        made.close()


def labels(server: WebServer) -> int:
    return int(server.place.manage("shell", "-v", "0", "-c", COUNT))


def test_answers_wait_for_a_server_that_was_killed(page: Page, server: WebServer) -> None:
    address = f"http://127.0.0.1:{server.port}"
    page.goto(f"{address}/sign-in/")
    page.locator("#id_username").fill("rater0")
    page.locator("#id_password").fill(scene.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)
    page.goto(f"{address}/rate/{scene.SLUG}/")
    held(page, 2)
    rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Saved")
    server.kill()
    rate(page, "2")
    rate(page, "3")
    expect(page.locator("#saved")).to_contain_text("2")
    server.start()
    server.wait_until_up()
    expect(page.locator("#saved")).to_have_text("Saved", timeout=40_000)
    assert labels(server) == 3
    rate(page, "4")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert labels(server) == 4

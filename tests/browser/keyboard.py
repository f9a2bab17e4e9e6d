"""What every keyboard-only flow begins with."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.factories import PASSWORD


def sign_in(page: Page, address: str, name: str) -> None:
    """With the keyboard alone: the name has the focus when the page opens."""
    page.goto(f"{address}/sign-in/")
    enter(page, name)


def enter(page: Page, name: str) -> None:
    """Fill in the sign-in page that is open."""
    expect(page.locator("#id_username")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)


def card_is_open(page: Page) -> None:
    """A comparison is on the page and the keys are live."""
    expect(page.locator("#card")).to_have_attribute("data-assignment", re.compile("-"))
    expect(page.locator("#rate")).to_have_attribute("data-ready", "yes")


def held(page: Page, count: int) -> None:
    """So many cards lie ahead of the one on the page."""
    expect(page.locator("#rate")).to_have_attribute("data-held", str(count))


def rate(page: Page, key: str) -> None:
    """Press a key and wait for the next card, or for the page that says why there is none."""
    before = page.locator("#card").get_attribute("data-assignment")
    page.keyboard.press(key)
    expect(page.locator("#card")).not_to_have_attribute("data-assignment", str(before))
    expect(page.locator("#card [aria-busy]")).to_have_count(0)


def reach(page: Page, role: Any, name: str) -> None:
    """Tab until the control has the focus."""
    control = page.get_by_role(role, name=name, exact=True)
    expect(control).to_be_visible()
    for _ in range(80):
        page.keyboard.press("Tab")
        if control.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError(f"{name} cannot be reached with the Tab key")

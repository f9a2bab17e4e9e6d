"""What every keyboard-only flow begins with."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.factories import PASSWORD


def sign_in(page: Page, address: str, name: str) -> None:
    """With the keyboard alone: the name has the focus when the page opens."""
    page.goto(f"{address}/sign-in/")
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)

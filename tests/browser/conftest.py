"""Debian's Chromium against the live server, on the test database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        item.add_marker(pytest.mark.browser)
        if not CHROMIUM.exists():
            reason = f"the browser lane needs {CHROMIUM}: apt-get install chromium"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {"executable_path": str(CHROMIUM), "args": FLAGS, "headless": True}


@pytest.fixture(autouse=True)
def collected_static_files(settings: Any, collected: Path) -> None:
    """The joined scripts, as in real work, under names that live_server's own handler finds."""
    settings.STATICFILES_DIRS = [collected]
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}


@pytest.fixture
def watched(page: Page) -> Iterator[Page]:
    """A page that fails the test when a script errs or the content policy blocks something."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda message: wrong.append(message.text) if "Content Security" in message.text else None,
    )
    yield page
    assert wrong == []


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """A small screen that is touched."""
    viewport: Any = {"width": 360, "height": 640}
    context = browser.new_context(viewport=viewport, has_touch=True, is_mobile=True)
    yield context.new_page()
    context.close()

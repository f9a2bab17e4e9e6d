"""The menus of a card by keys: one is open at most, and a card that comes back comes without."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Assignment, Flag, Label
from tests.browser.test_rating import eventually, open_card
from tests.factories import make_cast, open_comparisons

pytestmark = pytest.mark.long
OPEN = "details.pop[open]"


@pytest.fixture
def card(watched: Page, live_server: Any, transactional_db: Any) -> Page:
    open_comparisons(make_cast().campaign, 5)
    open_card(watched, live_server.url)
    return watched


def test_a_skip_that_is_taken_back_leaves_no_menu_open(card: Page) -> None:
    for key in ("x", "1", "Backspace"):
        card.keyboard.press(key)
    expect(card.locator("#note")).to_have_text("Taken back. Choose again.")
    expect(card.locator(OPEN)).to_have_count(0)
    card.keyboard.press("1")  # an answer, and no second skip
    eventually(lambda: Label.objects.count(), 1)
    assert not Assignment.objects.filter(state="skipped").exists()


def test_a_menu_closes_the_other_one(card: Page) -> None:
    card.keyboard.press("x")
    card.keyboard.press("f")
    expect(card.locator(OPEN)).to_have_count(1)
    card.keyboard.press("2")
    eventually(lambda: Flag.objects.count(), 1)
    assert not Assignment.objects.filter(state="skipped").exists()

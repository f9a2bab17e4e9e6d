"""A rater works with the keyboard alone, in a real browser."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Assignment, Label
from tests.browser.keyboard import sign_in
from tests.factories import Cast, make_cast, open_comparisons


@pytest.fixture
def scene(transactional_db: Any) -> Cast:
    cast = make_cast()
    open_comparisons(cast.campaign, 14)
    return cast


def rate(page: Page, key: str) -> None:
    """Press a key and wait for the next card."""
    before = page.locator("#card").get_attribute("data-assignment")
    page.keyboard.press(key)
    expect(page.locator("#card")).not_to_have_attribute("data-assignment", str(before))


def test_sign_in_rate_ten_undo_one_skip_one(watched: Page, live_server: Any, scene: Cast) -> None:
    page = watched
    sign_in(page, live_server.url, "rater")
    page.get_by_role("link", name="Rate", exact=True).last.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#card")).to_have_attribute("data-assignment", re.compile("-"))

    for key in ["1", "2", "3", "4", "7", "8", "9", "0", "1"]:
        rate(page, key)
    rate(page, "Backspace")
    expect(page.locator("#note")).to_contain_text("Choose again")
    rate(page, "9")
    page.keyboard.press("x")
    rate(page, "2")
    rate(page, "3")

    expect(page.locator("#saved")).to_have_text("Saved")
    answers = Label.objects.filter(rater=scene.rater)
    in_force = answers.filter(kind="answer", superseded_by=None)
    strengths = [a.answer["parts"]["preference"]["strength"] for a in in_force.order_by("id")]
    assert strengths == [
        *["significantly", "better", "slightly", "negligibly"],
        *["negligibly", "slightly", "better", "significantly"],
        *["better", "slightly"],
    ]
    assert answers.filter(kind="withdrawn").count() == 1
    assert Assignment.objects.get(state="skipped").skip_reason == "language"

"""A talk's form that goes on about the better reply: asked once one is better, not after a tie."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Conversation, Label
from tests.browser.keyboard import sign_in
from tests.talks import CONVERSATION, answer, begun, cast_of, say

pytestmark = pytest.mark.django_db(transaction=True)
PARTS = {
    "talk": CONVERSATION["talk"],
    "preference": {"type": "pairwise", "scale": "ab"},
    "points": {"type": "rating", "scale": "zero_four", "over": "best"},
}


@pytest.fixture
def talk(page: Page, live_server: Any) -> Conversation:
    found = begun(cast_of(PARTS))
    say(found)
    answer(found, "One reply.", "Another.")
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/talk/helpful/")
    expect(page.locator("#talk")).to_have_attribute("data-ready", "yes")
    return found


def test_the_better_one_is_rated(watched: Page, talk: Conversation) -> None:
    page = watched
    points = page.locator("fieldset[data-part=points] input").first
    expect(points).to_be_disabled()
    page.keyboard.press("b")
    expect(points).to_be_enabled()
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(page.locator("#talk")).to_have_attribute("data-stage", "talking")
    label = Label.objects.get()
    [rated] = label.answer["parts"]["points"]["ratings"]
    assert rated["completion"] == label.order[1]
    assert list(rated["values"].values()) == [3]


def test_after_a_tie_nothing_more_is_asked(watched: Page, talk: Conversation) -> None:
    page = watched
    page.keyboard.press("t")
    page.keyboard.press("Enter")
    expect(page.locator("#talk")).to_have_attribute("data-stage", "talking")
    assert list(Label.objects.get().answer["parts"]) == ["preference"]

"""The keys of a talk: which question they answer where there are several, and the list of them."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Label
from tests.browser.axe import violations
from tests.browser.keyboard import sign_in
from tests.talks import CONVERSATION, answer, begun, cast_of, say

pytestmark = pytest.mark.django_db(transaction=True)
QUALITY = {"quality": {"type": "rating", "scale": "zero_four"}}


def opened(page: Page, live_server: Any, parts: Any) -> None:
    talk = begun(cast_of(parts))
    say(talk)
    answer(talk, "One reply.", "Another.")
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/talk/helpful/")
    expect(page.locator("#talk")).to_have_attribute("data-ready", "yes")


def test_a_key_goes_to_the_question_that_is_open(watched: Page, live_server: Any) -> None:
    page = watched
    opened(page, live_server, {**CONVERSATION, **QUALITY})
    for key in ("2", "3", "1"):  # which is better, then the points of either
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    expect(page.locator("#talk")).to_have_attribute("data-stage", "talking")
    label = Label.objects.get()
    stored = label.answer["parts"]
    assert stored["preference"]["strength"] == "better"
    points = {row["completion"]: row["values"] for row in stored["quality"]["ratings"]}
    assert [list(points[reply].values()) for reply in label.order] == [[3], [1]]


def test_a_digit_alone_changes_what_was_chosen_last(watched: Page, live_server: Any) -> None:
    page = watched
    opened(page, live_server, {**CONVERSATION, "why": {"type": "rationale", "required": False}})
    page.keyboard.press("2")
    page.keyboard.press("9")
    page.keyboard.press("Enter")
    expect(page.locator("#talk")).to_have_attribute("data-stage", "talking")
    label = Label.objects.get()
    assert label.answer["parts"]["preference"]["chosen"] == label.order[1]


def test_the_list_of_keys(watched: Page, live_server: Any) -> None:
    page = watched
    opened(page, live_server, CONVERSATION)
    page.keyboard.press("?")
    panel = page.locator("#help")
    expect(panel).to_be_visible()
    expect(panel).to_contain_text("A is significantly better")
    expect(panel).to_contain_text("Raw text")
    expect(panel).not_to_contain_text("Pause")
    assert violations(page) == []
    page.keyboard.press("1")  # nothing is judged behind it
    page.keyboard.press("?")
    expect(panel).to_be_hidden()
    assert not Label.objects.exists()
    page.keyboard.press("1")
    expect(page.locator("#talk")).to_have_attribute("data-stage", "talking")
    assert Label.objects.count() == 1

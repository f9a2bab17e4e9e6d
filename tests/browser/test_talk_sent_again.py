"""A judgement of a talk that was made without a network survives a closed tab: it is kept with its
key and sent when the page is opened again, as answers of cards are."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling import conversations
from labeling.models import Conversation, Label
from labeling.questions import Parts
from tests.browser.keyboard import sign_in
from tests.talks import ARENA, CONVERSATION, answer, begun, cast_of, say

pytestmark = pytest.mark.django_db(transaction=True)
KEPT = "Object.keys(localStorage).filter((name) => name.startsWith('concord-talk/')).length"


def opened(page: Page, live_server: Any, parts: Parts) -> None:
    talk = begun(cast_of(parts))
    say(talk)
    answer(talk, "One reply.", "Another.")
    sign_in(page, live_server.url, "rater")
    look(page, live_server)


def look(page: Page, live_server: Any) -> None:
    page.goto(f"{live_server.url}/talk/helpful/")
    expect(page.locator("#talk")).to_have_attribute("data-ready", "yes")


def judged_offline(page: Page, key: str) -> None:
    """Pressed, and then the tab is closed."""
    page.context.set_offline(True)
    page.keyboard.press("Escape")
    page.keyboard.press(key)
    expect(page.locator("#saved")).to_contain_text("Offline")
    page.goto("about:blank")
    page.context.set_offline(False)
    assert not Label.objects.exists()


def is_at(page: Page, stage: str) -> None:
    expect(page.locator("#talk")).to_have_attribute("data-stage", stage)


def test_a_choice_of_one_press(watched: Page, live_server: Any) -> None:
    page = watched
    opened(page, live_server, CONVERSATION)
    judged_offline(page, "2")
    look(page, live_server)
    is_at(page, "talking")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert Label.objects.get().answer["parts"]["preference"]["strength"] == "better"
    assert page.evaluate(KEPT) == 0
    look(page, live_server)  # nothing is sent a third time
    expect(page.locator("#saved")).to_have_text("Ready")
    assert Label.objects.count() == 1


def test_a_vote_in_an_arena(watched: Page, live_server: Any) -> None:
    page = watched
    opened(page, live_server, ARENA)
    judged_offline(page, "a")
    look(page, live_server)
    is_at(page, "over")
    assert Label.objects.get().answer["parts"]["vote"]["outcome"] == "prefer"
    assert Conversation.objects.get().revealed_at is not None


def test_one_whose_acknowledgement_was_lost_is_stored_once(
    watched: Page, live_server: Any
) -> None:
    """The server has it; the browser never heard."""
    page = watched
    opened(page, live_server, CONVERSATION)

    def lose(route: Any) -> None:
        route.fetch()
        route.abort()

    page.route("**/judge/", lose)
    page.keyboard.press("2")
    expect(page.locator("#saved")).to_contain_text("Offline")
    page.goto("about:blank")
    page.unroute("**/judge/")
    until(lambda: Label.objects.count() == 1)
    look(page, live_server)
    is_at(page, "talking")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert Label.objects.count() == 1
    assert page.evaluate(KEPT) == 0


def test_one_that_came_too_late_is_said_and_kept_no_longer(
    watched: Page, live_server: Any
) -> None:
    page = watched
    opened(page, live_server, CONVERSATION)
    judged_offline(page, "2")
    talk = Conversation.objects.get()
    conversations.leave(talk=talk, reason="broken")
    page.goto(f"{live_server.url}/talks/{talk.public_id}/")
    expect(page.locator("#note")).to_contain_text("There is nothing to judge right now.")
    assert not Label.objects.exists()
    assert page.evaluate(KEPT) == 0


def until(holds: Any) -> None:
    for _ in range(50):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("It did not come about in five seconds.")

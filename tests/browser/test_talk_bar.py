"""What a talk asks leaves its texts in sight: on a wide screen the form scrolls by itself, on a
phone it stands below them."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling import conversations
from labeling.presets import HELPSTEER
from tests.browser.test_talk_tools import opened
from tests.talks import CONVERSATION, RED_TEAM

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
COMBINED = {
    **CONVERSATION,
    "aspects": {"type": "rating", "scale": "one_five", "over": "best", "aspects": HELPSTEER},
    "why": {"type": "rationale"},
}
HEIGHT = "document.querySelector('.judge').getBoundingClientRect().height / innerHeight"
COVERS = "getComputedStyle(document.querySelector('.judge')).position === 'sticky'"


def test_a_form_of_several_parts_leaves_half_of_a_wide_screen(
    watched: Page, live_server: Any
) -> None:
    opened(watched, live_server, COMBINED)
    watched.keyboard.press("1")  # five rows more: of the better one
    expect(watched.locator("[name^=aspects-verbosity]").first).to_be_enabled()
    assert watched.evaluate(COVERS)
    assert watched.evaluate(HEIGHT) < 0.62


def test_on_a_phone_the_rating_of_a_session_covers_none_of_it(
    phone: Page, live_server: Any
) -> None:
    talk = opened(phone, live_server, RED_TEAM)
    conversations.finish(talk=talk)
    phone.reload()
    assert not phone.evaluate(COVERS)
    heights = phone.locator(".session .step").evaluate_all(
        "all => all.map(one => one.offsetHeight)"
    )
    assert set(heights) == {46}  # each word on one line

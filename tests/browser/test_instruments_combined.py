"""Instruments that are combined in one form, by keyboard alone, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Label
from tests.browser.instruments import Part, is_stored, open_card, press, scene

pytestmark = pytest.mark.long

BEST_OF_THREE: dict[str, Part] = {
    "order": {"type": "ranking", "title": "From the best to the worst"},
    "quality": {
        "type": "rating",
        "scale": "zero_four",
        "over": "best",
        "title": "The best one",
        "aspects": {
            name: name.capitalize()
            for name in ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
        },
    },
    "sure": {"type": "confidence", "title": "How sure are you?"},
}


def test_rank_then_rate_the_best_on_five_aspects_then_say_how_sure(
    transactional_db: Any, live_server: Any, watched: Page
) -> None:
    """Nine digits and Enter: each part hands the keys to the next."""
    ids = open_card(watched, live_server.url, scene(BEST_OF_THREE, 3))
    active = watched.locator(".part.active")
    best = watched.locator("[data-part=quality] [data-best-letter]")
    expect(best).to_contain_text("none is first")
    press(watched, "213")
    expect(watched.locator(".rank-order")).to_have_text("B > A > C")
    expect(active).to_have_attribute("data-part", "quality")
    expect(best).to_have_text("B")
    press(watched, "01234")
    expect(active).to_have_attribute("data-part", "sure")
    press(watched, "8")
    watched.keyboard.press("Enter")
    parts = is_stored(watched)
    assert parts["order"]["tiers"] == [[ids[1]], [ids[0]], [ids[2]]]
    assert parts["quality"]["ratings"][0]["completion"] == ids[1]
    assert list(parts["quality"]["ratings"][0]["values"].values()) == [0, 1, 2, 3, 4]
    assert parts["sure"]["value"] == 8


def test_after_a_tie_the_best_one_is_not_asked_for(
    transactional_db: Any, live_server: Any, watched: Page
) -> None:
    open_card(watched, live_server.url, scene(BEST_OF_THREE, 3))
    press(watched, "112")
    expect(watched.locator(".part.active")).to_have_attribute("data-part", "sure")
    press(watched, "3")
    watched.keyboard.press("Enter")
    assert set(is_stored(watched)) == {"order", "sure"}


def test_what_is_missing_is_said_and_gets_the_keys(
    transactional_db: Any, live_server: Any, watched: Page
) -> None:
    open_card(watched, live_server.url, scene(BEST_OF_THREE, 3))
    press(watched, "21")
    watched.keyboard.press("Enter")
    expect(watched.locator("#note")).to_contain_text("From the best to the worst")
    expect(watched.locator(".part.active")).to_have_attribute("data-part", "order")
    assert not Label.objects.exists()


def test_the_keys_pass_by_the_flags_on_the_way_to_the_ranking(
    transactional_db: Any, live_server: Any, watched: Page
) -> None:
    """Flags may be left as they are, but nobody who rates by keyboard is led past them."""
    kinds = {"overall": "rating", "marks": "flags", "order": "ranking"}
    parts = {name: {"type": kind, "title": name} for name, kind in kinds.items()}
    ids = open_card(watched, live_server.url, scene(parts, 3))
    press(watched, "421")
    expect(watched.locator(".part.active")).to_have_attribute("data-part", "marks")
    press(watched, "3")
    watched.keyboard.press("Enter")
    expect(watched.locator(".part.active")).to_have_attribute("data-part", "order")
    press(watched, "123")
    watched.keyboard.press("Enter")
    stored = is_stored(watched)
    assert {"completion": ids[0], "codes": ["hallucination"]} in stored["marks"]["flags"]
    assert stored["order"]["tiers"] == [[pk] for pk in ids]

"""A suggested answer by keyboard: Enter confirms it as it stands, and what is changed before is
the rater's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling import repairs
from labeling.models import Comparison, Label
from labeling.presets import PRESETS
from labeling.suggestions import import_suggestions
from tests.browser.test_rating import open_card
from tests.factories import Cast, make_cast

PARTS = PRESETS["ultrafeedback"].parts
ASPECTS = PARTS["quality"]["aspects"]


@pytest.fixture
def scene(transactional_db: Any, tmp_path: Path) -> Cast:
    cast = make_cast(parts=PARTS)
    points = [
        {"completion": place, "values": dict.fromkeys(ASPECTS, value)}
        for place, value in enumerate((5, 2))
    ]
    suggested = {"quality": {"ratings": points}, "reasons": {"texts": ["Right.", "Wrong."]}}
    rows = [
        {"prompt": f"Why {n}?", "completions": ["Because.", "No."], "suggested": suggested}
        for n in range(3)
    ]
    path = tmp_path / "theirs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert import_suggestions(campaign=cast.campaign, path=path).errors == []
    assert Comparison.objects.count() == 3
    return cast


def saved(page: Page, before: str | None) -> dict[str, bool | None]:
    """What the newest label changed, once it is stored and the next card is there."""
    expect(page.locator("#card")).not_to_have_attribute("data-assignment", str(before))
    expect(page.locator("#saved")).to_have_text("Saved")
    label = Label.objects.latest("pk")
    return repairs.verdicts(label, label.texts.all())


def test_enter_confirms_and_a_key_repairs(watched: Page, live_server: Any, scene: Cast) -> None:
    page = watched
    open_card(page, live_server.url)
    expect(page.locator("#suggested")).to_be_visible()
    expect(page.locator("[data-suggested]")).to_have_count(2)
    before = page.locator("#card").get_attribute("data-assignment")
    page.keyboard.press("Enter")
    assert saved(page, before) == {"quality": False, "reasons": False}

    before = page.locator("#card").get_attribute("data-assignment")
    page.keyboard.press("3")  # the first row of points
    quality = page.locator(".part[data-part=quality]")
    expect(quality.locator("[data-suggested]")).to_have_count(0)
    expect(page.locator("[data-suggested]")).to_have_count(1)
    page.keyboard.press("Enter")
    assert saved(page, before) == {"quality": True, "reasons": False}


def test_a_reload_keeps_what_was_changed(watched: Page, live_server: Any, scene: Cast) -> None:
    page = watched
    open_card(page, live_server.url)
    page.locator("textarea").first.fill("Mine.")
    page.reload()
    expect(page.locator("textarea").first).to_have_value("Mine.")
    reasons = page.locator(".part[data-part=reasons]")
    expect(reasons.locator("[data-suggested]")).to_have_count(0)
    expect(page.locator("[data-suggested]")).to_have_count(1)

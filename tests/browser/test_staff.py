"""A lead and a researcher work with the keyboard alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from labeling.models import Campaign, Iteration
from tests.browser import scenes
from tests.browser.keyboard import reach, sign_in


def test_a_lead_makes_and_opens_a_campaign(
    watched: Page, live_server: Any, transactional_db: Any, tmp_path: Path
) -> None:
    scenes.rating_scene()
    page = watched
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"prompt": "Why is the sky blue?"}\n{"prompt": "How?"}\n')
    sign_in(page, live_server.url, "lead")
    reach(page, "link", "New campaign")
    page.keyboard.press("Enter")
    reach(page, "textbox", "Name")
    page.keyboard.type("Kind answers")
    page.get_by_label("Prompts", exact=True).set_input_files(prompts)
    reach(page, "button", "Create the draft")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 prompts imported")).to_be_visible()
    reach(page, "button", "Open and sample")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Iteration 1 samples now.")).to_be_visible()
    made = Campaign.objects.get(slug="kind-answers")
    assert (made.state, made.iterations.get().state) == ("open", "sampling")


def test_what_loses_work_needs_a_second_press_that_polling_does_not_undo(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    scenes.labelled_scene()
    page = watched
    sign_in(page, live_server.url, "lead")
    page.goto(f"{live_server.url}/campaigns/helpful/")
    reach(page, "button", "Freeze and train")
    page.keyboard.press("Enter")
    page.wait_for_timeout(2600)  # one poll of the live part
    assert Iteration.objects.get().freeze_requested_at is None
    expect(page.get_by_role("button", name="Press again to end collecting")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Collecting ends")).to_be_visible()
    assert Iteration.objects.get().freeze_requested_at is not None


def test_the_live_part_follows_the_labels_and_keeps_the_focus(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    cast = scenes.labelled_scene()
    page = watched
    sign_in(page, live_server.url, "lead")
    page.goto(f"{live_server.url}/campaigns/helpful/")
    reach(page, "button", "Pause")
    Iteration.objects.filter(campaign=cast.campaign).update(labels_people=431)
    expect(page.locator(".kpi b").first).to_have_text("431", timeout=8000)
    expect(page.get_by_role("button", name="Pause")).to_be_focused()


def test_a_researcher_weighs_the_evidence_and_promotes(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    cast = scenes.review_scene()
    page = watched
    sign_in(page, live_server.url, "researcher")
    page.goto(f"{live_server.url}/campaigns/helpful/3/")
    expect(page.get_by_text("Before you promote: policy-3")).to_be_visible()
    reach(page, "button", "Promote policy-3")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Press again to promote")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("policy-3 is the policy now.")).to_be_visible()
    assert cast.campaign.iterations.get(number=3).state == "promoted"

"""A lead who has never been here sets up a campaign: Llama 2's instrument, gold, a test and two
groups, on one page, in less than three minutes and without a word of documentation.

A robot's clock says nothing of a person's, so its acts are timed by the keystroke-level model
(Card, Moran and Newell 1983): .28 s a key of an average typist, 1.1 s to point and click, .4 s to
reach for the mouse or back, 1.35 s to think before each act; and every label that is acted on is
read at 250 words a minute. SCREENSHOTS=1 keeps the pictures.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from labeling import clones, gold, pilots
from labeling.models import Campaign
from tests.browser import axe, test_pages
from tests.browser.keyboard import sign_in
from tests.browser.scenes import labelled_scene
from tests.factories import Cast, make_cast, open_comparisons

pytestmark = pytest.mark.long
KEY, POINT, REACH, THINK, WORD = 0.28, 1.1, 0.4, 1.35, 60 / 250
KEPT = bool(os.environ.get("SCREENSHOTS"))
LIMIT = 180.0


class Person:
    """Somebody at a page, with the time that their acts would take."""

    def __init__(self, page: Page) -> None:
        self.page, self.seconds, self.acts = page, 0.0, 0

    def press(self, control: Locator) -> None:
        self._turn_to(control)
        control.click()

    def write(self, label: str, text: str) -> None:
        control = self.page.get_by_label(label, exact=True)
        self._turn_to(control)
        self.seconds += REACH + KEY * len(text)
        control.fill(text)

    def choose(self, label: str, file: Path) -> None:
        """A file in the system's own window: four more acts."""
        control = self.page.get_by_label(label, exact=True)
        self._turn_to(control)
        self.seconds += 4 * (THINK + POINT)
        control.set_input_files(file)

    def read(self, words: int) -> None:
        self.seconds += WORD * words

    def _turn_to(self, control: Locator) -> None:
        expect(control).to_be_visible()
        self.acts += 1
        self.seconds += THINK + REACH + POINT + 12 * WORD  # what stands around a control


def keep(page: Page, name: str) -> None:
    if KEPT:
        test_pages.FOLDER.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=test_pages.FOLDER / f"{name}.png", full_page=True)


def files(folder: Path) -> tuple[Path, Path]:
    """Prompts, and items with a known answer."""
    prompts, items = folder / "prompts.jsonl", folder / "items.jsonl"
    asked = [{"prompt": f"Why is the number {n} what it is?"} for n in range(12)]
    prompts.write_text("\n".join(json.dumps(row) for row in asked))
    rows = [
        {
            "prompt": f"What is {n} plus {n}?",
            "completions": [f"It is {2 * n}.", f"It is {2 * n + 1}."],
            "expected": {
                "preference": {
                    "type": "pairwise",
                    "outcome": "prefer",
                    "chosen": 0,
                    "rejected": 1,
                    "strength": "significantly",
                }
            },
            "purpose": purpose,
            "explanation": "The first one can be checked by counting.",
        }
        for n, purpose in enumerate(("training", "qualification", "gold"), 2)
    ]
    items.write_text("\n".join(json.dumps(row) for row in rows))
    return prompts, items


def fill_in(person: Person, prompts: Path, items: Path) -> None:
    """From the page's first line to its last button, as somebody who reads along would."""
    page = person.page
    person.read(120)  # the headings and the first instruments
    expect(page.get_by_role("radio", name="Llama 2", exact=False).first).to_be_checked()
    person.write("Name", "Helpfulness")
    person.choose("Prompts", prompts)
    keep(page, "builder-begun")
    person.press(page.get_by_text("Who rates", exact=True))
    person.write("New groups", "Nurses, Teachers")
    person.press(page.get_by_text("Checks: training, a test, gold and repeats"))
    person.choose("Items with a known answer", items)
    person.write("Pass mark of the test", "80")
    person.write("Gold among the cards", "5")
    person.press(page.get_by_text("New raters are trained first"))
    person.write("Question", "Which answer is more helpful?")


def test_a_new_lead_sets_up_llama_2_in_three_minutes(
    watched: Page,
    live_server: Any,
    transactional_db: Any,
    tmp_path: Path,
) -> None:
    cast, person = make_cast(), Person(watched)
    page = watched
    sign_in(page, live_server.url, "lead")
    page.goto(f"{live_server.url}/campaigns/")
    person.press(page.get_by_role("link", name="New campaign"))
    preview = page.locator("#live-preview")
    expect(preview).to_contain_text("Why is the sky blue?")
    fill_in(person, *files(tmp_path))
    expect(preview).to_contain_text("Which answer is more helpful?")  # as it is typed
    assert axe.violations(page) == []
    keep(page, "builder-filled")
    person.press(page.get_by_role("button", name="Create the draft"))
    page.wait_for_url("**/campaigns/helpfulness*/")
    keep(page, "builder-made")
    made = Campaign.objects.exclude(pk=cast.campaign.pk).get()
    assert sorted(group.name for group in made.wanted_groups.all()) == ["Nurses", "Teachers"]
    assert (made.pass_mark, made.gold_share, made.trains_raters) == (80, 0.05, True)
    assert gold.items(made).count() == 3
    assert made.question
    assert made.question.parts["preference"]["scale"] == "llama2"
    assert person.seconds < LIMIT, f"{person.seconds:.0f} s in {person.acts} acts"


def test_nothing_typed_is_lost_and_faults_stand_by_their_fields(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    page = watched
    make_cast()
    sign_in(page, live_server.url, "lead")
    page.goto(f"{live_server.url}/campaigns/new/")
    page.get_by_label("Name", exact=True).fill("Kept")
    page.get_by_text("Budget and deadline", exact=True).click()
    page.get_by_label("Most money").fill("90")
    page.get_by_label("Guidelines").fill("Be kind.")
    page.get_by_role("button", name="Create the draft").click()
    expect(page.locator("#limited .errorlist")).to_contain_text("Settle what is paid first")
    expect(page.get_by_label("Most money")).to_have_value("90")
    expect(page.get_by_label("Guidelines")).to_have_value("Be kind.")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Kept")
    assert axe.violations(page) == []


def test_criteria_are_ordered_by_keyboard(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    page = watched
    make_cast()
    sign_in(page, live_server.url, "lead")
    page.goto(f"{live_server.url}/campaigns/new/")
    page.get_by_role("radio", name="By priorities", exact=False).first.check()
    second = page.get_by_role("button", name="Line 2 earlier")
    expect(second).to_be_visible()
    second.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Line 1", exact=True)).to_have_value(
        "Harmless: hurts nobody, and helps nobody to"
    )
    expect(page.locator("#live-preview .criteria li").first).to_contain_text("Harmless")
    assert axe.violations(page) == []


def test_its_pages(browser: Browser, live_server: Any, client: Any, transactional_db: Any) -> None:
    cast = labelled_scene(30)
    at = f"{live_server.url}/campaigns/helpful"
    client.force_login(cast.lead)
    draft = draft_of(cast)
    for variant, page in test_pages.pages_of(browser, client, live_server.url):
        test_pages.look(page, variant, "budget", f"{at}/budget/")
        test_pages.look(page, variant, "quotas", f"{at}/quotas/")
        test_pages.look(page, variant, "clone", f"{at}/clone/")
        test_pages.look(page, variant, "no-pilot", f"{at}/pilot/")
        test_pages.look(
            page, variant, "pilot-form", f"{live_server.url}/campaigns/{draft.slug}/pilot/"
        )
    pilots.begin(campaign=draft, size=5, actor=cast.lead)
    open_comparisons(draft, 6)
    pilots.keep()
    for variant, page in test_pages.pages_of(browser, client, live_server.url):
        test_pages.look(page, variant, "pilot", f"{live_server.url}/campaigns/{draft.slug}/pilot/")


def draft_of(cast: Cast) -> Campaign:
    """A draft of the same project."""
    return clones.clone(campaign=cast.campaign, name="Next", prompts=False, actor=cast.lead)

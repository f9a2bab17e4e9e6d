"""A rater goes through training, test and gold by keyboard; the pages hold in every variant."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from labeling import checks, contests
from labeling.checks import Checks
from labeling.models import Assignment, Contest, GoldResult, Label, Qualification
from tests.browser.keyboard import card_is_open, sign_in
from tests.browser.test_remaining_pages import look, variants
from tests.checks import claim, make_gold, say
from tests.factories import Cast, make_cast, open_comparisons

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
WHY = "Sevens are *prime*:\n\n```\n7 = 1 * 7\n```"


@pytest.fixture
def scene(transactional_db: Any) -> Cast:
    cast = make_cast()
    open_comparisons(cast.campaign, 6)
    make_gold(cast.campaign, 2, "training", explanation=WHY)
    make_gold(cast.campaign, 2, "qualification")
    make_gold(cast.campaign, 1)
    settings = Checks(trains_raters=True, pass_mark=50, gold_feedback=True)
    checks.settle(campaign=cast.campaign, settings=settings)
    return cast


def key_of(page: Page, *, right: bool) -> str:
    """The key that says, on the card on the page, that the expected text is better, or not."""
    shown = page.locator("#card").get_attribute("data-assignment")
    card = Assignment.objects.select_related("comparison").get(public_id=shown)
    first = card.comparison.items.order_by("position")[0].completion_id
    return "2" if (card.order[0] == first) == right else "9"


def press(page: Page, *, right: bool = True) -> None:
    card_is_open(page)
    before = page.locator("#card").get_attribute("data-assignment")
    page.keyboard.press(key_of(page, right=right))
    expect(page.locator("#card")).not_to_have_attribute("data-assignment", str(before))
    expect(page.locator("#saved")).to_have_text("Saved")


def test_from_training_over_the_test_to_work_by_keyboard(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    page = watched
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/rate/helpful/")
    read_and_go_on(page)
    disagree(page)
    pass_the_test(page)
    card_is_open(page)
    expect(page.locator(".item-place")).to_have_count(0)
    assert Label.objects.filter(counted=True).count() == 0
    press(page)
    assert Label.objects.filter(counted=True).count() == 1


def read_and_go_on(page: Page) -> None:
    expect(page.locator(".item-place")).to_have_text("Training, 1 of 2")
    press(page, right=False)
    expect(page.get_by_role("heading", name="Something else was expected")).to_be_visible()
    expect(page.locator("#spoken")).to_contain_text("Something else was expected")
    expect(page.locator("#card em")).to_have_text("prime")
    page.keyboard.press("Backspace")  # what is expected is on the screen: no second answer
    expect(page.locator("#note")).to_contain_text("You have been told what was expected")
    page.keyboard.press("Enter")


def disagree(page: Page) -> None:
    expect(page.locator(".item-place")).to_have_text("Training, 2 of 2")
    press(page)
    expect(page.get_by_role("heading", name="As expected")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # unfolds "I disagree"
    expect(page.locator("#contest-text")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.type("Nine is odd as well.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Sent: you are told what became of it.")).to_be_visible()
    assert Contest.objects.get().text == "Nine is odd as well."


def pass_the_test(page: Page) -> None:
    """Of which nothing is said before its end."""
    expect(page.locator(".item-place")).to_have_text("Test, 1 of 2")
    press(page)
    expect(page.locator(".item-place")).to_have_text("Test, 2 of 2")
    press(page, right=False)
    expect(page.get_by_role("heading", name="Passed")).to_be_visible()
    expect(page.locator("#card")).to_contain_text("1 of 2 as expected")
    page.keyboard.press("Enter")
    page.wait_for_url("**/rate/helpful/")
    assert Qualification.objects.get().passed


def test_gold_is_explained_after_the_card_that_is_on_the_page(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    """Two cards lie ahead: what is told of the one before takes none off the page. Each of forty
    cards is gold with an even chance, until one was."""
    open_comparisons(scene.campaign, 40)
    checks.settle(campaign=scene.campaign, settings=Checks(gold_share=0.5, gold_feedback=True))
    page = watched
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/rate/helpful/")
    for _ in range(40):
        if GoldResult.objects.exists():
            break
        press(page)
    while not page.locator("#card[data-told]").count():
        press(page)  # what lay ahead is answered first
    page.keyboard.press("Enter")
    expect(page.locator("#card[data-told]")).to_have_count(0)
    assert GoldResult.objects.get().told_at is not None


def test_the_pages_in_every_variant(
    browser: Browser, live_server: Any, client: Any, scene: Cast
) -> None:
    at = live_server.url
    label = say(claim(scene.rater, scene.campaign), right=False)
    contests.open_contest(result=label.result, text="Nine is odd.", rater=scene.rater)
    other = say(claim(scene.other_rater, scene.campaign), right=False)
    for variant, page in variants(browser, client, scene.rater, at):
        look(page, variant, "told", f"{at}/rate/helpful/")
        look(page, variant, "queue-training", f"{at}/rate/")
    for variant, page in variants(browser, client, scene.lead, at):
        look(page, variant, "checks", f"{at}/campaigns/helpful/checks/")
        gold = f"{at}/campaigns/helpful/checks/{other.result.gold.public_id}/"
        look(page, variant, "gold", f"{gold}?contest={Contest.objects.get().pk}")
        look(page, variant, "campaign-with-checks", f"{at}/campaigns/helpful/")

"""Changed guidelines, order, results and masking, as people see them: pressed, and 320 px wide."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from labeling import campaigns, order
from labeling.models import Comparison, GuidelinesConfirmed, Label
from labeling.order import Order
from tests.browser.keyboard import card_is_open, sign_in
from tests.browser.test_remaining_pages import look, variants
from tests.factories import Cast, make_cast, open_comparisons
from tests.labeling.test_own_results import gold_answers
from tests.rating import answer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]


def revise(cast: Cast) -> None:
    campaigns.revise_guidelines(
        campaign=cast.campaign, markdown="Be *brief*.", based_on=1, must_confirm=True
    )


def test_a_card_in_hand_is_answered_then_what_is_new_is_read(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    cast = make_cast()
    open_comparisons(cast.campaign, 6)
    page = watched
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/rate/helpful/")
    card_is_open(page)
    revise(cast)
    page.keyboard.press("2")
    while page.locator("#card[data-assignment]").count():  # what lay ahead, until it is told
        page.wait_for_timeout(300)
        if page.get_by_role("link", name="Read what changed").count():
            break
        page.keyboard.press("2")
    page.get_by_role("link", name="Read what changed").click()
    expect(page.locator("ins")).to_have_text("Be *brief*.")
    page.get_by_role("button", name="I have read what is new").click()
    card_is_open(page)
    assert GuidelinesConfirmed.objects.get().version.number == 2
    under = set(Label.objects.values_list("guideline_version__number", flat=True))
    assert under == {1}
    page.keyboard.press("2")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert Label.objects.filter(guideline_version__number=2).count() == 1


def test_what_is_selected_is_masked(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    cast = make_cast()
    [row] = open_comparisons(cast.campaign, 1)
    page = watched
    sign_in(page, live_server.url, "lead")
    page.goto(f"{live_server.url}/campaigns/helpful/review/{row.pk}/")
    page.locator("#redact summary").click()
    field = page.locator("[data-passage]").first
    before = field.input_value()
    field.focus()
    field.evaluate("(one) => one.setSelectionRange(0, 8)")
    page.wait_for_timeout(100)
    page.get_by_role("button", name="Mask what is selected below").click()
    expect(field).to_have_value("[…]" + before[8:])


def test_the_pages_in_every_variant(
    browser: Browser, live_server: Any, client: Any, transactional_db: Any
) -> None:
    cast = make_cast()
    rows = open_comparisons(cast.campaign, 3)
    Comparison.objects.filter(pk=rows[0].pk).update(reserved=True)
    Comparison.objects.filter(pk=rows[2].pk).update(state="withdrawn")  # its texts lie open
    answer(cast.rater, cast.campaign, "0:better")
    gold_answers(cast, right=5, wrong=1)
    order.settle(campaign=cast.campaign, order=Order("stratified", first="tags", tags={"a": 2}))
    revise(cast)
    at = live_server.url
    for variant, page in variants(browser, client, cast.rater, at):
        look(page, variant, "confirm-guidelines", f"{at}/rate/helpful/confirm/")
        look(page, variant, "results", f"{at}/account/results/")
    for variant, page in variants(browser, client, cast.lead, at):
        look(page, variant, "order", f"{at}/campaigns/helpful/order/")
        look(page, variant, "confirmed", f"{at}/campaigns/helpful/wording/")
        look(page, variant, "labels-reserved", f"{at}/campaigns/helpful/labels/")
        look(page, variant, "quotas-filled", f"{at}/campaigns/helpful/quotas/")
        look(page, variant, "mask", f"{at}/campaigns/helpful/review/{rows[2].pk}/")

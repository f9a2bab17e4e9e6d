"""A rater works with the keyboard alone, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from labeling import campaigns
from labeling.models import Assignment, Label
from tests.browser.keyboard import card_is_open, enter, held, rate, sign_in
from tests.factories import Cast, make_cast, open_comparisons


def eventually(read: Callable[[], Any], expected: Any) -> None:
    """What the server is told without the page waiting for it."""
    ends = time.monotonic() + 5
    while (found := read()) != expected and time.monotonic() < ends:
        time.sleep(0.05)
    assert found == expected


@pytest.fixture
def scene(transactional_db: Any) -> Cast:
    cast = make_cast()
    open_comparisons(cast.campaign, 14)
    return cast


def test_sign_in_rate_ten_undo_one_skip_one(watched: Page, live_server: Any, scene: Cast) -> None:
    page = watched
    sign_in(page, live_server.url, "rater")
    page.get_by_role("link", name="Rate", exact=True).last.focus()
    page.keyboard.press("Enter")
    card_is_open(page)

    for key in ["1", "2", "3", "4", "7", "8", "9", "0", "1"]:
        rate(page, key)
    expect(page.locator("#saved")).to_have_text("Saved")  # else it would only be dropped here
    rate(page, "Backspace")
    expect(page.locator("#note")).to_contain_text("Choose again")
    rate(page, "9")
    page.keyboard.press("x")
    rate(page, "2")
    rate(page, "3")

    expect(page.locator("#saved")).to_have_text("Saved")
    answers = Label.objects.filter(rater=scene.rater)
    in_force = answers.filter(kind="answer", superseded_by=None)
    strengths = [a.answer["parts"]["preference"]["strength"] for a in in_force.order_by("id")]
    assert strengths == [
        *["significantly", "better", "slightly", "negligibly"],
        *["negligibly", "slightly", "better", "significantly"],
        *["better", "slightly"],
    ]
    assert answers.filter(kind="withdrawn").count() == 1
    assert Assignment.objects.get(state="skipped").skip_reason == "language"


def open_card(page: Page, address: str) -> None:
    sign_in(page, address, "rater")
    page.goto(f"{address}/rate/helpful/")
    card_is_open(page)


def test_two_presses_at_once_are_one_answer(watched: Page, live_server: Any, scene: Cast) -> None:
    open_card(watched, live_server.url)
    before = watched.locator("#card").get_attribute("data-assignment")
    watched.locator(".step").first.dblclick()
    expect(watched.locator("#card")).not_to_have_attribute("data-assignment", str(before))
    expect(watched.locator("#saved")).to_have_text("Saved")
    assert Label.objects.count() == 1


def test_a_card_in_hand_is_answered_as_it_was_asked(
    page: Page, live_server: Any, scene: Cast
) -> None:
    """A lead turns the question round while the card is on the screen."""
    open_card(page, live_server.url)
    held(page, 2)
    worse = {"text": "Which is worse?", "trains_on": "rejected", "based_on": 1}
    campaigns.revise_question(campaign=scene.campaign, **worse)
    shown = []
    for _ in range(4):  # two cards lie ahead already, and may be fetched anew before their turn
        shown.append(page.locator("#question").inner_text())
        rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Saved")
    asked = Label.objects.order_by("id").values_list("question_version__trains_on", flat=True)
    assert list(asked) == ["rejected" if "worse" in text else "chosen" for text in shown]
    assert (asked[0], asked[3]) == ("chosen", "rejected")


def test_an_answer_outlives_a_lost_network_and_a_closed_page(
    page: Page, live_server: Any, scene: Cast
) -> None:
    """Kept in the browser while the server cannot be reached, sent once it can: one label."""
    open_card(page, live_server.url)
    held(page, 2)
    page.route("**/answers/**", lambda route: route.abort())
    rate(page, "2")
    expect(page.locator("#saved")).to_have_text("Offline · 1 kept here")
    rate(page, "9")  # the next card was here already
    expect(page.locator("#saved")).to_have_text("Offline · 2 kept here")
    assert Label.objects.count() == 0

    page.unroute("**/answers/**")
    page.reload()
    expect(page.locator("#saved")).to_have_text("Saved")
    expect(page.locator("#tally")).to_contain_text("2 by you")
    labels = Label.objects.order_by("id")
    strengths = [label.answer["parts"]["preference"]["strength"] for label in labels]
    assert strengths == ["better", "better"]
    assert page.evaluate("Object.keys(localStorage)") == []


def test_all_kept_answers_are_sent_in_order_by_the_next_visit(
    page: Page, live_server: Any, scene: Cast
) -> None:
    open_card(page, live_server.url)
    held(page, 2)
    page.route("**/answers/**", lambda route: route.abort())
    for key in ("1", "2"):
        rate(page, key)
    page.keyboard.press("3")  # the last card that was here
    expect(page.locator("#card h2")).to_have_text("The next comparison is on its way")
    expect(page.locator("#saved")).to_have_text("Offline · 3 kept here")
    page.reload()
    expect(page.locator("#saved")).to_have_text("Offline · 3 kept here")

    page.unroute("**/answers/**")  # the page itself tries again
    expect(page.locator("#tally")).to_contain_text("3 by you", timeout=15_000)
    said = [label.answer["parts"]["preference"] for label in Label.objects.order_by("id")]
    assert [part["strength"] for part in said] == ["significantly", "better", "slightly"]
    assert page.evaluate("Object.keys(localStorage)") == []


def test_a_reply_lost_after_the_commit_is_one_label(
    page: Page, live_server: Any, scene: Cast
) -> None:
    """The server stored it, the browser never heard: the same key is sent again."""
    lost: list[str] = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.request.post_data)
        route.fetch()
        route.abort()

    open_card(page, live_server.url)
    page.route("**/answers/**", lose)
    rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert (len(lost), Label.objects.count()) == (1, 1)


def test_a_long_read_renews_the_lease(page: Page, live_server: Any, scene: Cast) -> None:
    """Of the card on the page and of those that lie ahead."""
    page.clock.install()
    open_card(page, live_server.url)
    held(page, 2)
    Assignment.objects.update(leased_until=timezone.now())
    page.clock.run_for(120_000)
    page.keyboard.press("Shift")
    page.clock.run_for(70_000)
    soon = timezone.now() + timedelta(minutes=20)
    eventually(lambda: Assignment.objects.filter(leased_until__gt=soon).count(), 3)


def test_two_tabs_and_the_back_button_show_no_error(
    page: Page, live_server: Any, scene: Cast
) -> None:
    open_card(page, live_server.url)
    other = page.context.new_page()
    other.goto(f"{live_server.url}/rate/helpful/")
    card_is_open(other)
    rate(other, "1")
    expect(other.locator("#saved")).to_have_text("Saved")
    rate(page, "9")
    expect(page.locator("#note")).to_contain_text("already has your answer")
    page.goto(f"{live_server.url}/rate/")
    page.go_back()
    expect(page.locator("#card")).to_have_attribute("data-assignment", re.compile("-"))
    assert Label.objects.count() == 1


def test_signing_out_elsewhere_keeps_the_answer_for_the_same_rater(
    page: Page, live_server: Any, scene: Cast
) -> None:
    open_card(page, live_server.url)
    page.context.clear_cookies(name="sessionid")
    page.keyboard.press("3")
    page.wait_for_url(re.compile("/sign-in/"))
    enter(page, "rater")
    expect(page).to_have_url(re.compile("/rate/helpful/"))
    expect(page.locator("#tally")).to_contain_text("1 by you")
    assert Label.objects.count() == 1


def test_the_bar_sleeps_until_both_texts_could_be_seen(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    cast = make_cast()
    open_comparisons(cast.campaign, 2, texts=("A long line. " * 600, "Short."))
    page = watched
    open_card(page, live_server.url)
    expect(page.locator(".judge")).to_have_class(re.compile("asleep"))
    page.keyboard.press("1")
    assert Label.objects.count() == 0
    for _ in range(12):
        page.keyboard.press("PageDown")
        page.wait_for_timeout(120)
    expect(page.locator(".judge")).not_to_have_class(re.compile("asleep"))
    rate(page, "1")
    eventually(Label.objects.count, 1)


def test_raw_text_difference_guidelines_and_keys_by_keyboard(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    cast = make_cast()
    open_comparisons(cast.campaign, 1, texts=("The sky is blue.", "The sky is *green*."))
    page = watched
    open_card(page, live_server.url)
    page.keyboard.press("r")
    for place in (".turn", ".side.a", ".side.b"):
        expect(page.locator(f"{place} [data-shown=raw]")).to_be_visible()
        expect(page.locator(f"{place} [data-shown=rendered]")).not_to_be_visible()
    page.keyboard.press("d")
    expect(page.locator(".side mark.only")).to_have_count(2)
    assert sorted(page.locator(".side mark.only").all_inner_texts()) == ["*green*.", "blue."]
    expect(page.locator(".turn [data-shown=rendered]")).to_be_visible()
    page.keyboard.press("g")
    expect(page.locator("#guidelines")).to_contain_text("right and kind")
    page.keyboard.press("g")
    expect(page.locator("#guidelines")).not_to_be_visible()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("A is significantly better.")
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    page.keyboard.press("1")
    expect(page.locator("#flag summary")).to_contain_text("Unsafe content")
    page.keyboard.press("0")
    expect(page.locator("#card")).to_contain_text("Nothing left for you")
    label = Label.objects.get()
    assert (label.layout, label.active_ms is not None) == ("side_by_side/l", True)


def test_without_scripts_a_card_is_answered_skipped_and_undone(
    browser: Any, live_server: Any, scene: Cast
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/rate/helpful/")
    page.get_by_role("button", name="A is slightly better.").click()
    page.locator("#skip summary").click()
    page.get_by_role("button", name="Not my language").click()
    page.get_by_role("button", name="Undo").click()
    assert Label.objects.count() == 1
    assert not Assignment.objects.filter(state="skipped").exists()
    context.close()


def test_a_place_for_the_focus_has_no_ring_and_a_control_has_one(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    page = watched
    open_card(page, live_server.url)
    rate(page, "1")
    ring = "[document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle]"
    assert page.evaluate(ring) == ["content", "none"]
    page.keyboard.press("Tab")
    assert page.evaluate(ring)[1] == "solid"


@pytest.mark.parametrize("name", ["skip", "flag"])
def test_a_menu_stays_on_a_phone_s_screen_and_off_what_opened_it(
    watched: Page, live_server: Any, scene: Cast, name: str
) -> None:
    page = watched
    page.set_viewport_size({"width": 390, "height": 844})
    open_card(page, live_server.url)
    page.locator(f"#{name} summary").click()
    menu = page.locator(f"#{name} .menu").bounding_box()
    assert menu is not None
    assert menu["x"] >= 0
    assert menu["x"] + menu["width"] <= 390
    page.locator(f"#{name} summary").click()
    expect(page.locator(f"#{name} .menu")).not_to_be_visible()

"""A rater's flow: the next card is there before it is asked for, and nothing said is lost."""

from __future__ import annotations

import re
import statistics
import sys
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from labeling.models import Assignment, Label
from tests.browser.keyboard import card_is_open, held, rate, sign_in
from tests.browser.test_rating import eventually, open_card
from tests.factories import Cast, make_cast, open_comparisons

# From a key press to the frame in which another card stands there, in milliseconds.
WATCH = """() => {
  window.painted = [];
  let pressed = 0;
  addEventListener("keydown", () => (pressed = performance.now()), true);
  new MutationObserver((changes) => {
    const added = changes.flatMap((one) => [...one.addedNodes]);
    if (!added.some((node) => node.dataset?.assignment)) return;
    const since = pressed;
    requestAnimationFrame(() => setTimeout(() => window.painted.push(performance.now() - since)));
  }).observe(document.getElementById("rate"), { childList: true });
}"""


@pytest.fixture
def scene(transactional_db: Any) -> Cast:
    cast = make_cast()
    open_comparisons(cast.campaign, 14)
    return cast


def unplug(page: Page) -> None:
    page.route("**/*", lambda route: route.abort())


def plug_in(page: Page) -> None:
    page.unroute("**/*")


def states() -> list[str]:
    return list(Assignment.objects.order_by("id").values_list("state", flat=True))


def shown(page: Page) -> str:
    return str(page.locator("#card").get_attribute("data-assignment"))


def test_no_network_lies_between_a_press_and_the_next_card(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    page = watched
    open_card(page, live_server.url)
    held(page, 2)
    assert states() == ["leased"] * 3
    unplug(page)
    seen = {shown(page)}
    for key in ("1", "9"):
        page.keyboard.press(key)
        seen.add(shown(page))  # at once: nothing is waited for
    assert len(seen) == 3
    assert None not in seen
    assert Label.objects.count() == 0
    plug_in(page)
    expect(page.locator("#saved")).to_have_text("Saved", timeout=15_000)
    assert Label.objects.count() == 2


@pytest.mark.slow
def test_the_next_card_is_painted_within_a_tenth_of_a_second(
    page: Page, live_server: Any, transactional_db: Any
) -> None:
    """Fifty answers, one every 400 ms, with 100 ms added to whatever the network does."""
    open_comparisons(make_cast().campaign, 60)
    open_card(page, live_server.url)
    held(page, 2)

    def slow(route: Route) -> None:
        page.wait_for_timeout(100)
        route.continue_()

    page.route(re.compile("/answers/|/ahead/"), slow)
    page.evaluate(WATCH)
    for _ in range(50):
        page.keyboard.press("2")
        page.wait_for_timeout(400)
    expect(page.locator("#saved")).to_have_text("Saved")
    times = page.evaluate("window.painted")
    median = statistics.median(times)
    sys.stdout.write(f"press to paint: median {median:.0f} ms, most {max(times):.0f} ms\n")
    assert (len(times), Label.objects.count()) == (50, 50)
    assert median < 100


def test_an_answer_that_is_refused_after_the_next_card_came_is_said(
    page: Page, live_server: Any, scene: Cast
) -> None:
    """Nothing is lost: the card comes back, and what was said after it is stored."""
    open_card(page, live_server.url)
    held(page, 2)
    first = shown(page)
    page.evaluate("document.querySelector('.step').value = '7:nonsense'")
    rate(page, "1")
    expect(page.locator("#note")).to_contain_text("not on this question's scale")
    rate(page, "2")
    rate(page, "3")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert Label.objects.count() == 2
    seen = shown(page)
    for _ in range(3):
        if seen == first:
            break
        rate(page, "4")
        seen = shown(page)
    assert seen == first


def test_an_answer_that_never_left_is_taken_back_without_the_network(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    page = watched
    open_card(page, live_server.url)
    held(page, 2)
    first = shown(page)
    page.route("**/answers/**", lambda route: None)  # neither arrives nor fails
    rate(page, "1")
    second = shown(page)
    rate(page, "2")
    page.keyboard.press("Backspace")
    assert shown(page) == second
    expect(page.locator("#note")).to_have_text("Taken back. Choose again.")
    expect(page.locator("#saved")).to_have_text("Saving…")
    # The first one may have reached the server: it is taken back there, behind itself.
    page.keyboard.press("Backspace")
    assert shown(page) == first
    expect(page.locator("#saved")).to_have_text("Saving 2…")


def test_what_was_taken_back_while_offline_is_stored_as_it_was_said_last(
    page: Page, live_server: Any, scene: Cast
) -> None:
    open_card(page, live_server.url)
    held(page, 2)
    page.route("**/answers/**", lambda route: route.abort())
    rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Offline · 1 kept here")
    rate(page, "Backspace")
    rate(page, "0")
    page.unroute("**/answers/**")
    expect(page.locator("#saved")).to_have_text("Saved", timeout=15_000)
    kinds = Label.objects.order_by("id").values_list("kind", "order")
    assert [kind for kind, _ in kinds] == ["answer", "withdrawn", "answer"]
    last = Label.objects.latest("id")
    assert last.answer["parts"]["preference"]["chosen"] == last.order[1]


def test_the_drawer_takes_any_of_the_last_ten_back(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    page = watched
    open_card(page, live_server.url)
    first = shown(page)
    for key in ("1", "2", "3"):
        rate(page, key)
    page.keyboard.press("u")
    expect(page.locator("#recent li")).to_have_count(3)
    expect(page.locator("#recent li").last).to_contain_text("A significantly better")
    page.keyboard.press("u")
    expect(page.locator("#recent-panel")).not_to_be_visible()
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("u")
    expect(page.locator("#recent li button").first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#card")).to_have_attribute("data-assignment", first)
    eventually(Label.objects.filter(kind="withdrawn").count, 1)
    rate(page, "4")
    eventually(Label.objects.filter(kind="answer").count, 4)


def test_a_pause_gives_the_cards_back_and_stops_the_clock(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    page = watched
    open_card(page, live_server.url)
    held(page, 2)
    page.keyboard.press("p")
    expect(page.locator("#card h2")).to_have_text("You are having a break")
    eventually(states, ["expired"] * 3)
    page.keyboard.press("1")  # no card, no answer
    page.wait_for_timeout(1500)
    page.keyboard.press("p")
    card_is_open(page)
    rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Saved")
    label = Label.objects.get()
    assert (label.late, label.counted) == (False, True)
    assert label.active_ms is not None
    assert label.active_ms < 1500


def test_after_ten_idle_minutes_the_cards_go_back_and_a_fresh_one_comes(
    page: Page, live_server: Any, scene: Cast
) -> None:
    page.clock.install()
    open_card(page, live_server.url)
    held(page, 2)
    page.clock.run_for(11 * 60_000)
    expect(page.locator("#card h2")).to_have_text("You were away")
    eventually(states, ["expired"] * 3)
    page.keyboard.press("1")  # a sign of life, not an answer
    expect(page.locator("#note")).to_contain_text("You were away for more than ten minutes")
    card_is_open(page)
    assert Label.objects.count() == 0


def test_who_leaves_the_page_gives_back_what_lay_ahead(
    page: Page, live_server: Any, scene: Cast
) -> None:
    open_card(page, live_server.url)
    held(page, 2)
    page.get_by_role("link", name="your queue").click()
    eventually(states, ["leased", "expired", "expired"])


def test_more_than_twenty_unsent_answers_stop_the_cards(
    page: Page, live_server: Any, scene: Cast
) -> None:
    open_card(page, live_server.url)
    held(page, 2)
    page.route("**/answers/**", lambda route: route.abort())
    rate(page, "1")
    page.evaluate(
        """() => {
      const name = Object.keys(localStorage).find((one) => one.startsWith("concord:outbox"));
      const first = JSON.parse(localStorage[name]);
      for (let n = 0; n < 20; n++) {
        const more = { ...first, key: crypto.randomUUID() };
        localStorage[name.replace(first.key, more.key)] = JSON.stringify(more);
      }
    }"""
    )
    page.keyboard.press("2")
    expect(page.locator("#card h2")).to_have_text("Too many answers wait to be sent")
    expect(page.locator("#saved")).to_have_text("Offline · 22 kept here")
    page.unroute("**/answers/**")
    expect(page.locator("#saved")).to_have_text("Saved", timeout=20_000)
    card_is_open(page)


def test_unsent_answers_outlive_the_page_that_says_nothing_is_left(
    page: Page, live_server: Any, transactional_db: Any
) -> None:
    cast = make_cast()
    open_comparisons(cast.campaign, 2)
    open_card(page, live_server.url)
    held(page, 1)
    rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Saved")
    page.route("**/answers/**", lambda route: route.abort())
    page.keyboard.press("2")
    expect(page.locator("#saved")).to_have_text("Offline · 1 kept here")
    page.unroute("**/answers/**")
    expect(page.locator("#card")).to_contain_text("Nothing left for you", timeout=15_000)
    assert Label.objects.count() == 2
    open_comparisons(cast.campaign, 1)
    soon = expect(page.locator("#card"))
    soon.to_have_attribute("data-assignment", re.compile("-"), timeout=8_000)


def test_what_another_tab_answered_is_not_asked_again(
    page: Page, live_server: Any, scene: Cast
) -> None:
    open_card(page, live_server.url)
    held(page, 2)
    other = page.context.new_page()
    other.goto(f"{live_server.url}/rate/helpful/")
    card_is_open(other)
    held(other, 2)
    for key in ("1", "2", "3"):
        rate(other, key)
    expect(other.locator("#saved")).to_have_text("Saved")
    page.wait_for_timeout(300)  # a tab in the background hears of it a little later
    rate(page, "9")
    expect(page.locator("#note")).to_contain_text("already has your answer")
    rate(page, "9")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert Label.objects.count() == 4


def test_a_first_visit_asks_for_three_files_and_a_further_card_for_one(
    page: Page, live_server: Any, scene: Cast
) -> None:
    sign_in(page, live_server.url, "rater")
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))
    page.goto(f"{live_server.url}/rate/helpful/")
    card_is_open(page)
    held(page, 2)
    loaded = [url for url in asked if "/ahead/" not in url]
    assert [url.rsplit("/", 1)[1] for url in loaded[1:]] == ["concord.css", "rate.js"]
    asked.clear()
    rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Saved")
    assert len(asked) == 1
    assert re.search("/answers/[0-9a-f-]{36}/$", asked[0])


def test_a_server_in_trouble_is_said_and_asked_again(
    page: Page, live_server: Any, scene: Cast
) -> None:
    open_card(page, live_server.url)
    held(page, 2)
    page.route("**/answers/**", lambda route: route.fulfill(status=503))
    rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Server trouble · 1 kept here")
    page.unroute("**/answers/**")
    expect(page.locator("#saved")).to_have_text("Saved", timeout=15_000)
    assert Label.objects.count() == 1

"""Reading long answers: another view keeps the place, and every card starts at its top."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Label
from tests.browser.keyboard import card_is_open, held, rate
from tests.browser.test_rating import eventually, open_card
from tests.factories import make_cast, open_comparisons

PARAGRAPHS = "\n\n".join(f"Paragraph {n}. " + "Words that fill a line. " * 12 for n in range(60))
OTHER = PARAGRAPHS.replace("Paragraph 30.", "Chapter 30.")
# Which share of the left text lies above the bar's lower edge.
READ = """() => {
  const line = document.querySelector(".bar").getBoundingClientRect().bottom;
  const box = document.querySelector(".side [data-shown]:not([hidden])").getBoundingClientRect();
  return (line - box.top) / box.height;
}"""


@pytest.fixture
def long_card(page: Page, live_server: Any, transactional_db: Any) -> Page:
    open_comparisons(make_cast().campaign, 3, texts=(PARAGRAPHS, OTHER))
    open_card(page, live_server.url)
    held(page, 2)
    return page


def read_all(page: Page) -> None:
    """Scroll until the bar is awake."""
    for mark in page.locator(".end-mark").all():
        mark.scroll_into_view_if_needed()
    expect(page.locator(".judge.asleep")).to_have_count(0)


def test_another_view_of_a_text_shows_the_same_passage(long_card: Page) -> None:
    page = long_card
    page.evaluate("scrollTo(0, document.body.scrollHeight * 0.4)")
    before = page.evaluate(READ)
    for key, view in (("r", "raw"), ("r", "rendered"), ("d", "diff"), ("d", "rendered")):
        page.keyboard.press(key)
        expect(page.locator(f"[data-shown={view}]").first).to_be_visible()
        assert page.evaluate(READ) == pytest.approx(before, abs=0.01), view


def test_at_the_top_another_view_moves_nothing(long_card: Page) -> None:
    page = long_card
    top = "document.querySelector('.side [data-shown]:not([hidden])').getBoundingClientRect().top"
    before = page.evaluate(top)
    page.keyboard.press("r")
    expect(page.locator("[data-shown=raw]").first).to_be_visible()
    assert abs(page.evaluate(top) - before) < 1
    assert page.evaluate("scrollY") == 0


def test_the_next_card_starts_at_its_top_in_the_view_that_was_chosen(long_card: Page) -> None:
    page = long_card
    page.keyboard.press("r")
    read_all(page)
    rate(page, "1")
    assert page.evaluate("scrollY") == 0
    expect(page.locator("[data-shown=raw]").first).to_be_visible()
    page.keyboard.press("9")  # asleep: this one has not been read
    assert page.locator(".judge.asleep").count() == 1
    eventually(Label.objects.count, 1)


def test_stacked_texts_are_remembered_and_stored_with_the_answer(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    open_comparisons(make_cast().campaign, 4)
    page = watched
    open_card(page, live_server.url)
    page.get_by_role("button", name="Stacked").click()
    top = "(one) => one.getBoundingClientRect().top"
    tops = f"[...document.querySelectorAll('.pair > .side')].map({top})"
    assert len(set(page.evaluate(tops))) == 2
    rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Saved")  # a reload cuts off what is on its way
    page.reload()
    card_is_open(page)
    assert len(set(page.evaluate(tops))) == 2
    expect(page.get_by_role("button", name="Stacked")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Stacked").click()
    rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Saved")
    layouts = Label.objects.order_by("id").values_list("layout", flat=True)
    assert list(layouts) == ["stacked/l", "side_by_side/l"]


def test_texts_that_come_side_by_side_are_judged_at_once(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    """Stacked, the second one ends under the bar. The press that follows the change of layout
    does not wait for a frame, which a busy machine draws late."""
    text = "Words that fill a line. " * 27
    open_comparisons(make_cast().campaign, 2, texts=(text, f"{text} And more."))
    page = watched
    open_card(page, live_server.url)
    page.get_by_role("button", name="Stacked").click()
    page.reload()
    card_is_open(page)
    is_asleep = "document.querySelector('.judge').classList.contains('asleep')"
    assert page.evaluate(is_asleep)
    assert not page.evaluate(f"document.querySelector('[data-layout]').click(), {is_asleep}")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("word " * 90_000, "other " * 90_000),
        (" ".join(map(str, range(6_000))), " ".join(map(str, range(20_000, 26_000)))),
    ],
    ids=["too long", "too different"],
)
def test_texts_that_differ_in_too_much_are_not_compared_and_the_page_says_so(
    page: Page, live_server: Any, transactional_db: Any, left: str, right: str
) -> None:
    open_comparisons(make_cast().campaign, 1, texts=(left, right))
    open_card(page, live_server.url)
    began = time.monotonic()
    page.keyboard.press("d")
    expect(page.locator("[data-shown=diff] .note").first).to_contain_text("differ in too much")
    assert time.monotonic() - began < 5
    assert page.locator("mark.only").count() == 0


def test_long_texts_that_differ_in_little_are_compared(
    page: Page, live_server: Any, transactional_db: Any
) -> None:
    """What is the same at both ends costs nothing: 24,000 words here."""
    words = [f"w{n}" for n in range(24_000)]
    other = [*words[:12_000], "new", *words[12_001:]]
    open_comparisons(make_cast().campaign, 1, texts=(" ".join(words), " ".join(other)))
    open_card(page, live_server.url)
    page.keyboard.press("d")
    expect(page.locator("mark.only")).to_have_count(2)
    assert sorted(page.locator("mark.only").all_inner_texts()) == ["new", "w12000"]

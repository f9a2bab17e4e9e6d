"""By touch alone on a small phone: taking an answer back, talks, and what is written."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Conversation, Label, Prompt, RaterText
from tests.browser.keyboard import card_is_open, sign_in
from tests.browser.test_rating import eventually
from tests.factories import LLAMA2, make_cast, open_comparisons
from tests.talks import ARENA, CONVERSATION, RED_TEAM, answer, cast_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
CHOICE = {"preference": {"type": "pairwise", "scale": "ab"}}


def card(page: Page, live_server: Any, parts: dict[str, Any], texts: tuple[str, ...]) -> None:
    cast = make_cast(parts=parts)
    open_comparisons(cast.campaign, 3, texts=texts)
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/rate/helpful/")
    card_is_open(page)
    page.locator("#judge").scroll_into_view_if_needed()


def begin(page: Page, live_server: Any, parts: dict[str, Any]) -> Conversation:
    cast_of(parts)
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/talk/helpful/")
    page.get_by_role("button", name="Begin").tap()
    expect(page.locator("#talk")).to_have_attribute("data-ready", "yes")
    return Conversation.objects.get()


def send(page: Page, talk: Conversation, *replies: str) -> None:
    page.locator("#message").tap()
    page.locator("#message").fill("Why is the sky blue?")
    page.locator("#say button").tap()
    is_at(page, "waiting")
    answer(talk, *replies)


def is_at(page: Page, stage: str) -> None:
    expect(page.locator("#talk")).to_have_attribute("data-stage", stage)


def test_an_answer_is_taken_back_and_changed(phone: Page, live_server: Any) -> None:
    page = phone
    card(page, live_server, CHOICE, ("One.", "Another."))
    first = str(page.locator("#card").get_attribute("data-assignment"))
    page.locator("button.step.left").tap()
    expect(page.locator("#card")).not_to_have_attribute("data-assignment", first)
    eventually(lambda: Label.objects.count(), 1)
    page.locator("#undo button").tap()
    expect(page.locator("#card")).to_have_attribute("data-assignment", first)
    page.wait_for_timeout(400)  # a second tap so soon would be a double tap
    page.locator("button.step.right").tap()
    eventually(lambda: Label.objects.count(), 3)
    given, withdrawn, changed = Label.objects.order_by("pk")
    assert withdrawn.supersedes == given
    assert changed.answer["parts"]["preference"]["chosen"] == changed.order[1]


def test_the_drawer_takes_one_back(phone: Page, live_server: Any) -> None:
    page = phone
    card(page, live_server, CHOICE, ("One.", "Another."))
    first = str(page.locator("#card").get_attribute("data-assignment"))
    page.locator("button.step.left").tap()
    eventually(lambda: Label.objects.count(), 1)
    page.get_by_role("button", name="Last ten").tap()
    page.locator("#recent button").first.tap()
    expect(page.locator("#card")).to_have_attribute("data-assignment", first)


def test_a_conversation(phone: Page, live_server: Any) -> None:
    page = phone
    talk = begin(page, live_server, CONVERSATION)
    send(page, talk, "One.", "Two.")
    is_at(page, "judging")
    page.locator("button.step").nth(1).tap()
    is_at(page, "talking")
    page.locator("#undo button").tap()
    is_at(page, "judging")
    page.locator("button.step").last.tap()
    is_at(page, "talking")
    for _ in range(2):  # the second says that it is meant
        page.locator("#end button").tap()
    is_at(page, "over")
    assert Label.objects.count() == 3


def test_an_arena(phone: Page, live_server: Any) -> None:
    page = phone
    talk = begin(page, live_server, ARENA)
    send(page, talk, "One.", "Two.")
    is_at(page, "talking")
    expect(page.get_by_text("To vote by key")).to_be_hidden()
    page.locator(".side.b .end-mark").scroll_into_view_if_needed()
    expect(page.locator("#asleep-hint")).to_be_hidden()
    page.locator("button.step", has_text="Tie").tap()
    is_at(page, "over")
    assert Label.objects.get().answer["parts"]["vote"]["outcome"] == "tie"


def test_a_red_team_session(phone: Page, live_server: Any) -> None:
    page = phone
    talk = begin(page, live_server, RED_TEAM)
    send(page, talk, "No.")
    is_at(page, "talking")
    for _ in range(2):
        page.locator("#end button").tap()
    is_at(page, "rating")
    page.locator("label.step", has_text="Partly").tap()
    page.locator("label.box", has_text="Hateful").tap()
    page.locator("#submit-answer").tap()
    is_at(page, "over")
    stored = Label.objects.get().answer["parts"]["session"]
    assert (stored["success"], stored["categories"]) == (2, ["hateful"])


@pytest.mark.parametrize(
    ("part", "box"),
    [
        ({"type": "rationale"}, "#text-text"),
        ({"type": "critique", "of": "each"}, "textarea"),
        ({"type": "rewrite"}, "#text-text-0"),
    ],
    ids=["rationale", "critique", "rewrite"],
)
def test_a_text_beside_a_choice(
    phone: Page, live_server: Any, part: dict[str, Any], box: str
) -> None:
    page = phone
    card(page, live_server, {**CHOICE, "text": part}, ("One.", "Another."))
    page.locator("label.step.left").tap()
    for area in page.locator(f"#judge {box}:visible").all():
        area.tap()
        area.fill("It is exact.")
    page.locator("#submit-answer").tap()
    eventually(lambda: Label.objects.count(), 1)
    assert {row.text for row in RaterText.objects.all()} == {"It is exact."}


def test_a_prompt(phone: Page, live_server: Any) -> None:
    page = phone
    card(page, live_server, {"prompt": {"type": "prompt_writing"}}, ())
    page.locator(".category", has_text="Chat").tap()
    page.locator("#prompt-text").tap()
    page.locator("#prompt-text").fill("Why is the sky blue?")
    page.locator("#submit-answer").tap()
    eventually(lambda: Prompt.objects.filter(source="written").count(), 1)
    assert Prompt.objects.get(source="written").category == "chat"


BROKEN_WORDS = """() => [...document.querySelectorAll("#judge .step")].flatMap((step) => {
  const text = step.firstChild;
  return [...text.data.matchAll(/\\S+/g)].filter((word) => {
    const range = new Range();
    range.setStart(text, word.index);
    range.setEnd(text, word.index + word[0].length);
    return range.getClientRects().length > 1;
  }).map(([word]) => word);
})"""


def test_no_word_of_a_step_is_broken_on_the_smallest_screen(phone: Page, live_server: Any) -> None:
    phone.set_viewport_size({"width": 320, "height": 640})
    card(phone, live_server, LLAMA2, ("One.", "Another."))
    assert phone.locator("#judge .step").count() == 8
    assert phone.evaluate(BROKEN_WORDS) == []

"""Writing in the browser by keyboard and by touch: texts, edits, prompts, veils, and a lead who
puts a question together."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from labeling import care
from labeling.care import Care
from labeling.models import Campaign, Completion, Label, Prompt, RaterText
from tests.browser.keyboard import card_is_open, reach, sign_in
from tests.browser.test_rating import eventually, open_card
from tests.factories import PASSWORD, Cast, make_cast, open_comparisons

pytestmark = pytest.mark.long

EDIT = {
    "preference": {"type": "pairwise", "scale": "ab", "title": "Which is better?"},
    "edit": {"type": "rewrite", "title": "Improve it"},
    "why": {"type": "rationale", "min": 12, "title": "Why?"},
}
NOTE = {
    "note": {"type": "rationale", "before": True, "title": "First"},
    "preference": {"type": "pairwise", "scale": "ab", "title": "Which is better?"},
}


def scene(parts: dict[str, Any], texts: tuple[str, ...] = ("One text.", "Another.")) -> Cast:
    cast = make_cast(parts=parts)
    open_comparisons(cast.campaign, 5, texts=texts)
    return cast


def test_the_answer_put_first_is_the_one_to_edit(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    scene(EDIT)
    page = watched
    open_card(page, live_server.url)
    page.keyboard.press("b")
    edits = page.locator("details.rewritten")
    expect(edits.nth(0)).to_be_hidden()
    area = edits.nth(1).locator("textarea")
    expect(area).to_be_visible()
    expect(area).to_be_focused()  # what is typed next is text, and no command
    page.keyboard.press("Control+Enter")
    expect(page.locator("#note")).to_have_text("Still to be answered: Improve it, Why?")
    expect(area).to_be_focused()
    page.keyboard.press("Control+End")
    page.keyboard.type(" And more.")
    page.locator("#why-text").focus()
    page.keyboard.type("It says enough now.")
    page.keyboard.press("Control+Enter")
    eventually(lambda: Label.objects.count(), 1)
    label = Label.objects.get()
    made = Completion.objects.get(source="written")
    assert made.text == Completion.objects.get(pk=label.order[1]).text + " And more."
    assert label.answer["parts"]["edit"]["about"] == label.order[1]


BY_RANK = {"by": {"type": "ranking", "title": "From the best to the worst"}}
BY_POINTS = {"by": {"type": "rating", "scale": "one_five", "prefer_by": "mean"}}


@pytest.mark.parametrize(
    ("by", "second_first", "a_tie", "first_first"),
    [(BY_RANK, "213", "113", "123"), (BY_POINTS, "354", "553", "543")],
    ids=["ranking", "rating"],
)
def test_what_a_ranking_or_a_rating_puts_first_is_the_one_to_edit(
    watched: Page,
    live_server: Any,
    transactional_db: Any,
    by: dict[str, Any],
    second_first: str,
    a_tie: str,
    first_first: str,
) -> None:
    """Rank, then rewrite the best. While several are first, any of the answers may be edited."""
    scene({**by, "edit": EDIT["edit"]}, texts=("One text.", "Another.", "A third."))
    page = watched
    open_card(page, live_server.url)
    edits = page.locator("details.rewritten")
    offered = edits.filter(visible=True)
    area = edits.nth(1).locator("textarea")
    expect(offered).to_have_count(3)
    for key in second_first:
        page.keyboard.press(key)
    expect(area).to_be_focused()
    expect(offered).to_have_count(1)
    _say_by_pointer(page, a_tie)
    expect(offered).to_have_count(3)
    _say_by_pointer(page, first_first)
    expect(offered).to_have_count(1)
    expect(area).to_be_hidden()
    _say_by_pointer(page, second_first)
    expect(offered).to_have_count(1)
    area.fill("Another, and better.")
    page.keyboard.press("Control+Enter")
    eventually(lambda: Label.objects.count(), 1)
    label = Label.objects.get()
    assert label.answer["parts"]["edit"]["about"] == label.order[1]
    assert Completion.objects.get(source="written").text == "Another, and better."


def _say_by_pointer(page: Page, values: str) -> None:
    """A place, or points, for each answer of the part "by"."""
    part = page.locator("[data-part=by]")
    for position, value in enumerate(values):
        if part.locator(".rank-card").count():
            part.locator(".rank-card").nth(position).click()
            part.locator(f".place[data-place='{value}']").click()
        else:
            radio = f"input[name='by-value-{position}'][value='{value}']"
            part.locator(f"label:has({radio})").click()


def test_a_note_comes_before_the_answers(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    scene(NOTE)
    page = watched
    open_card(page, live_server.url)
    expect(page.locator(".pair")).to_be_hidden()
    page.keyboard.press("Enter")  # nothing to read yet: it leads to the note
    expect(page.locator("#note-text")).to_be_focused()
    page.keyboard.type("S")
    expect(page.locator(".pair")).to_be_visible()


def test_a_note_on_the_summaries_comes_before_their_source(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    scene({**NOTE, "note": {**NOTE["note"], "before": "source"}})
    page = watched
    open_card(page, live_server.url)
    source = page.locator(".conversation")
    expect(page.locator(".pair")).to_be_visible()
    expect(source).to_be_hidden()
    page.keyboard.press("Enter")  # no judgement without the source: it leads to the note
    expect(page.locator("#note-text")).to_be_focused()
    page.keyboard.type("Both say that it rained.")
    expect(source).to_be_hidden()
    page.keyboard.press("Escape")
    expect(source).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    eventually(lambda: Label.objects.count(), 1)


def test_veiled_texts_are_shown_by_a_key_for_one_card(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    cast = scene({"preference": {"type": "pairwise", "scale": "ab"}})
    care.settle(campaign=cast.campaign, care=Care("Harsh words.", needs_consent=True, veiled=True))
    page = watched
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/rate/helpful/")
    reach(page, "button", "I have read this and go on")
    page.keyboard.press("Enter")
    card_is_open(page)
    said = page.locator(".side .text[data-shown=rendered]").first
    prompt = page.locator(".turn .text[data-shown=rendered]").first
    expect(said).to_have_css("filter", "blur(9px)")
    expect(prompt).to_have_css("filter", "blur(9px)")
    page.keyboard.press("v")
    expect(said).to_have_css("filter", "none")
    expect(prompt).to_have_css("filter", "none")
    page.keyboard.press("a")
    expect(page.locator("#veil")).not_to_be_checked()
    expect(said).to_have_css("filter", "blur(9px)")


def test_a_demonstration_is_previewed_and_written_by_touch(
    browser: Browser, live_server: Any, transactional_db: Any
) -> None:
    scene({"answer": {"type": "demonstration", "min": 5}}, texts=())
    context = browser.new_context(
        viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(f"{live_server.url}/sign-in/")
    page.locator("#id_username").fill("rater")
    page.locator("#id_password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").tap()
    page.wait_for_url(lambda url: "sign-in" not in url)
    page.goto(f"{live_server.url}/rate/helpful/")
    card_is_open(page)
    page.locator("#answer-text").fill("**Bold** words.")
    page.get_by_role("button", name="See it as it will be shown").tap()
    expect(page.locator(".preview strong")).to_have_text("Bold")
    page.locator("#submit-answer").tap()
    eventually(lambda: RaterText.objects.count(), 1)
    assert Completion.objects.get(source="written").text == "**Bold** words."
    context.close()


def test_a_prompt_with_examples_is_written_by_keyboard(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    scene({"prompt": {"type": "prompt_writing", "form": "few_shot"}}, texts=())
    page = watched
    open_card(page, live_server.url)
    page.get_by_label("Chat", exact=True).focus()
    page.keyboard.press("Space")
    texts = ["text", "query-0", "response-0", "query-1", "response-1"]
    for number, field in enumerate([*texts, "query"]):
        page.locator(f"#prompt-{field}").focus()
        page.keyboard.type(f"Text {number}.")
    page.keyboard.press("Control+Enter")
    eventually(lambda: Prompt.objects.filter(source="written").count(), 1)
    made = Prompt.objects.get(source="written")
    assert made.category == "chat"
    assert [message["content"] for message in made.messages][-1] == "Text 5."


@pytest.mark.parametrize("scripts", [True, False])
def test_a_lead_puts_a_question_together(
    browser: Browser, live_server: Any, transactional_db: Any, scripts: bool
) -> None:
    scene(EDIT)
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.goto(f"{live_server.url}/sign-in/")
    page.locator("#id_username").fill("lead")
    page.locator("#id_password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "sign-in" not in url)
    page.goto(f"{live_server.url}/campaigns/new/")
    page.get_by_label("Name", exact=True).fill("Put together")
    page.get_by_role("radio", name="Thumbs").check()
    if not scripts:
        page.get_by_role("button", name="Show its parts and suggestions").click()
    expect(page.locator("legend", has_text="1. thumbs")).to_be_visible()
    expect(page.get_by_label("Answers on a card")).to_have_value("1")
    page.get_by_label("One more part").select_option("critique")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("legend", has_text="2. critique")).to_be_visible()
    page.get_by_role("button", name="Earlier").click()
    expect(page.locator("legend", has_text="1. critique")).to_be_visible()
    with context.expect_page() as opened:
        page.get_by_role("button", name="Preview as a rater").click()
    expect(opened.value.get_by_text("nothing is stored")).to_be_visible()
    page.get_by_role("button", name="Create the draft").click()
    expect(page.get_by_role("heading", name="Put together")).to_be_visible()
    made = Campaign.objects.get(slug="put-together")
    assert list(made.question.parts) == ["critique", "thumb"]
    context.close()

"""Talks with live models by keyboard alone: the shipped demo policy, a real process, a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate import keys
from labeling import conversations
from labeling.models import Conversation, Label, Prompt
from tests.browser.axe import violations
from tests.browser.keyboard import sign_in
from tests.factories import Cast, make_cast
from tests.talk_process import TalkProcess, demo_checkpoint
from tests.talks import ARENA, CONVERSATION, HARMFUL, RED_TEAM, answer, begun, cast_of, say

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
TEXTS = ("One reply.", "Another **reply**.")
SLOWLY = 60_000  # milliseconds: a model server has to start


@pytest.fixture
def process(transactional_db: Any) -> Iterator[TalkProcess]:
    started = TalkProcess()
    yield started
    started.end()


def scene(parts: dict[str, Any]) -> Cast:
    cast = make_cast(parts=parts)
    cast.campaign.first_policy = demo_checkpoint(cast.project)
    cast.campaign.plan = {"max_new_tokens": 48}
    cast.campaign.save()
    return cast


def begin(page: Page, live_server: Any) -> None:
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/talk/helpful/")
    expect(page.get_by_role("button", name="Begin")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#talk")).to_have_attribute("data-stage", "talking")
    expect(page.locator("#message")).to_be_focused()


def write(page: Page, text: str) -> None:
    turn = int(page.locator("#talk").get_attribute("data-turn") or 0)
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.locator("#talk")).to_have_attribute("data-turn", str(turn + 1))


def is_at(page: Page, stage: str) -> None:
    expect(page.locator("#talk")).to_have_attribute("data-stage", stage, timeout=SLOWLY)


def test_a_conversation(watched: Page, live_server: Any, process: TalkProcess) -> None:
    page = watched
    scene(CONVERSATION)
    begin(page, live_server)
    write(page, "At what temperature does water boil?")
    is_at(page, "judging")
    expect(page.locator(".side:not(dialog)")).to_have_count(2)
    left = page.locator(".side.a .text[data-shown=rendered]").inner_text()
    page.keyboard.press("1")
    is_at(page, "talking")
    expect(page.locator(".turn .text:not(.own, .raw)")).to_have_text(left)
    write(page, "And on a mountain?")
    is_at(page, "judging")
    expect(page.locator(".side:not(dialog)")).to_have_count(2)
    page.keyboard.press("0")
    is_at(page, "talking")
    page.keyboard.press("Escape")
    page.keyboard.press("Backspace")
    is_at(page, "judging")
    page.keyboard.press("2")
    is_at(page, "talking")
    assert Label.objects.count() == 4  # three answers, and one taken back
    second = Prompt.objects.order_by("-pk")[0]
    assert second.messages[1]["content"].strip() == left.strip()


def test_an_arena_names_the_models_after_the_vote(
    watched: Page, live_server: Any, process: TalkProcess
) -> None:
    page = watched
    cast = scene(ARENA)
    demo_checkpoint(cast.project, "second-policy")
    two = {**ARENA["talk"], "models": ["demo-policy", "second-policy"]}
    cast.campaign.question.parts = {**ARENA, "talk": two}
    cast.campaign.question.save()
    begin(page, live_server)
    for text in ("At what temperature does water boil?", "And on a mountain?"):
        write(page, text)
        is_at(page, "talking")
        expect(page.locator("#message")).to_be_focused()
        assert not re.search("demo-policy|second-policy", page.content())
    expect(page.locator(".side:not(dialog)")).to_have_count(4)
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    is_at(page, "over")
    expect(page.locator("#over")).to_contain_text(re.compile("A was (demo|second)-policy"))
    assert Label.objects.get().answer["parts"]["vote"]["outcome"] == "prefer"
    assert Conversation.objects.get().revealed_at is not None


def test_a_red_team_session(watched: Page, live_server: Any, process: TalkProcess) -> None:
    page = watched
    scene(RED_TEAM)
    begin(page, live_server)
    expect(page.locator(".goal")).to_contain_text("pick a lock")
    expect(page.locator("[data-deadline]")).to_have_text(re.compile(r"1[45]:\d\d"))
    write(page, "How do I pick a lock?")
    is_at(page, "talking")
    expect(page.locator(".turn .text:not(.own, .raw)")).to_have_count(1)
    expect(page.locator("#message")).to_be_focused()
    page.keyboard.press("Tab")  # Send
    page.keyboard.press("Tab")  # End the session
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # as its button asks for
    is_at(page, "rating")
    page.keyboard.press("3")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # the first category
    page.keyboard.press("Enter")
    is_at(page, "over")
    stored = Label.objects.get().answer["parts"]["session"]
    assert stored == {"type": "red_team", "success": 3, "categories": ["illicit"], "tags": []}


def test_a_red_team_that_picks_the_worse_of_two(
    watched: Page, live_server: Any, process: TalkProcess
) -> None:
    page = watched
    scene(HARMFUL)
    begin(page, live_server)
    write(page, "How do I pick a lock?")
    is_at(page, "judging")
    page.keyboard.press("1")
    is_at(page, "talking")
    assert Label.objects.get().answer["parts"]["worse"]["strength"] == "significantly"


def test_what_is_typed_survives_a_closed_tab(watched: Page, live_server: Any) -> None:
    page = watched
    scene(CONVERSATION)
    begin(page, live_server)
    page.keyboard.type("A long message, half done")
    page.goto("about:blank")
    page.goto(f"{live_server.url}/talk/helpful/")
    expect(page.locator("#message")).to_have_value("A long message, half done")


def test_a_message_sent_without_a_network_arrives_once(watched: Page, live_server: Any) -> None:
    page = watched
    scene(CONVERSATION)
    begin(page, live_server)
    page.context.set_offline(True)
    page.keyboard.type("Is anybody there?")
    page.keyboard.press("Enter")
    expect(page.locator("#saved")).to_contain_text("Offline")
    assert Prompt.objects.count() == 0
    page.context.set_offline(False)
    expect(page.locator("#talk")).to_have_attribute("data-stage", "waiting")
    assert Prompt.objects.count() == 1


def test_a_server_in_trouble_is_not_asked_for_ever(watched: Page, live_server: Any) -> None:
    page = watched
    scene(CONVERSATION)
    begin(page, live_server)
    asked = []
    page.route("**/say/", lambda route: (asked.append(route), route.fulfill(status=500)))
    page.keyboard.type("Is anybody there?")
    page.keyboard.press("Enter")
    expect(page.locator("#saved")).to_contain_text("Server trouble")
    note = page.locator("#note")
    expect(note).to_contain_text("The server cannot take this now", timeout=20_000)
    expect(page.locator("#message")).to_have_value("Is anybody there?")
    assert len(asked) == 5
    page.unroute("**/say/")
    page.keyboard.press("Enter")
    expect(page.locator("#talk")).to_have_attribute("data-stage", "waiting")
    assert Prompt.objects.get().messages[0]["content"] == "Is anybody there?"


def test_a_pair_that_was_not_read_to_its_end_is_not_judged(
    watched: Page, live_server: Any
) -> None:
    page = watched
    cast = scene(CONVERSATION)
    talk = begun(cast)
    say(talk)
    answer(talk, "Short.", "A long one.\n\n" * 120)
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/talk/helpful/")
    expect(page.locator("#asleep-hint")).to_be_visible()
    page.keyboard.press("1")
    page.wait_for_timeout(300)
    assert Label.objects.count() == 0
    for _ in range(30):  # each press shows the next stretch, until both ends have been seen
        page.keyboard.press("1")
        page.wait_for_timeout(300)
        if page.locator("#talk").get_attribute("data-stage") == "talking":
            break
    is_at(page, "talking")
    label = Label.objects.get()
    assert label.layout == "side_by_side/l"
    assert label.active_ms
    assert 200 < label.active_ms < 30_000


def test_a_talk_is_judged_by_the_raters_own_keys(watched: Page, live_server: Any) -> None:
    page = watched
    cast = scene(CONVERSATION)
    keys.store(cast.rater, replace(keys.of(cast.rater), modifier="alt"))
    talk = begun(cast)
    say(talk)
    answer(talk, *TEXTS)
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/talk/helpful/")
    page.keyboard.press("1")
    expect(page.locator("#saved")).to_have_text("Ready")
    page.keyboard.press("Alt+1")
    is_at(page, "talking")
    page.keyboard.press("Escape")
    page.keyboard.press("Backspace")
    expect(page.locator("#undo kbd")).to_have_text("⌫")
    page.keyboard.press("Alt+Backspace")
    is_at(page, "judging")
    assert Label.objects.count() == 2  # the choice, and that it was taken back


@pytest.mark.parametrize("parts", [CONVERSATION, ARENA, RED_TEAM], ids=["hh", "arena", "session"])
def test_every_stage_holds_to_wcag(page: Page, live_server: Any, parts: dict[str, Any]) -> None:
    cast = cast_of(parts)
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/talk/helpful/")
    assert violations(page) == []
    talk = begun(cast)
    for act in (
        lambda: None,
        lambda: say(talk),
        lambda: answer(talk, *TEXTS[: len(talk.speakers)]),
    ):
        act()
        page.goto(f"{live_server.url}/talk/helpful/")
        assert violations(page) == []
    conversations.finish(talk=talk)
    page.reload()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_rating_of_a_session_holds_to_wcag(
    page: Page, live_server: Any, scheme: Any, width: int
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    talk = begun(cast_of(RED_TEAM))
    say(talk)
    answer(talk, TEXTS[0])
    conversations.finish(talk=talk)
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/talk/helpful/")
    expect(page.locator("#judge .session")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Partly").check(force=True)
    page.get_by_label("Hateful and harmful").check()
    page.get_by_label("Tags of your own").fill("role play, patience")
    assert violations(page) == []

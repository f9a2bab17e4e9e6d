"""What a talk has as cards have it: raw texts, flags, leaving with a reason, a veil."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from labeling import care, conversations, flags, replies
from labeling.care import Care
from labeling.models import (
    TALK_WAITS,
    Assignment,
    Comparison,
    Conversation,
    Flag,
    Label,
    Reply,
)
from tests.factories import Cast
from tests.talks import ARENA, CONVERSATION, RED_TEAM, answer, begun, cast_of, judge, say, stage

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def browser(talk: Conversation) -> Client:
    client = Client()
    client.force_login(talk.rater)
    return client


def send(talk: Conversation, act: str, **fields: str) -> Any:
    client = browser(talk)
    return client.post(f"/talks/{talk.public_id}/{act}/", fields, headers=HTMX)


def body(talk: Conversation) -> str:
    return browser(talk).get(f"/talks/{talk.public_id}/", headers=HTMX).content.decode()


def answered(parts: dict[str, Any], *texts: str) -> Conversation:
    talk = begun(cast_of(parts))
    say(talk, "Is **this** right?")
    answer(talk, *(texts or ("**One.**", "Two.")[: len(talk.speakers)]))
    return talk


# -- raw and difference ------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [CONVERSATION, ARENA, RED_TEAM])
def test_every_text_can_be_read_as_it_was_written(parts: dict[str, Any]) -> None:
    html = body(answered(parts))
    assert "<strong>One.</strong>" in html
    raw = re.findall(r'<div class="text raw[^"]*" data-shown="raw"[^>]*hidden>(.*?)</div>', html)
    assert "Is **this** right?" in raw
    assert "**One.**" in raw


@pytest.mark.parametrize(("parts", "texts"), [(CONVERSATION, 2), (ARENA, 2), (RED_TEAM, 0)])
def test_only_a_pair_has_a_difference(parts: dict[str, Any], texts: int) -> None:
    html = body(answered(parts))
    assert html.count('data-shown="diff"') == texts
    assert ('data-view="diff"' in html) == bool(texts)


def test_a_raw_text_is_inert_and_shows_what_is_invisible() -> None:
    html = body(answered(RED_TEAM, "<script>alert(1)</script>\u202e"))
    assert "<script>alert" not in html
    assert escape("<script>alert(1)</script>") in html
    assert "\u202e" not in html


# -- flags -------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [CONVERSATION, ARENA, RED_TEAM])
def test_a_flag_is_raised_and_taken_back_and_the_talk_goes_on(parts: dict[str, Any]) -> None:
    talk = answered(parts)
    before = stage(talk)
    for _ in range(2):
        response = send(talk, "flag", code="unsafe")
    assert response.status_code == 200
    assert 'id="flag"' in response.content.decode()
    assert "Take back: Unsafe content" in response.content.decode()
    raised = Flag.objects.get()
    assert (raised.code, raised.rater) == ("unsafe", talk.rater)
    assert raised.comparison.conversation == talk
    assert list(flags.unresolved(talk.campaign)) == [raised]
    assert "Take back: Unsafe content" in body(talk)
    send(talk, "flag", take_back="unsafe")
    assert not Flag.objects.exists()
    assert stage(talk) == before


def test_a_session_that_was_flagged_is_rated_all_the_same() -> None:
    talk = answered(RED_TEAM)
    send(talk, "flag", code="personal_data")
    say(talk, "Go on")
    answer(talk, "No.")
    conversations.finish(talk=talk)
    form = {"session-success": "1", "idempotency_key": str(uuid.uuid4())}
    assert send(talk, "rate", **form).status_code == 200
    assert Label.objects.get().comparison == Comparison.objects.get()
    assert Comparison.objects.get().completions.get().text == "**One.**"


def test_a_flagged_session_whose_last_reply_fails_is_rated_and_counts() -> None:
    talk = answered(RED_TEAM)
    send(talk, "flag", code="personal_data")
    say(talk, "Go on")
    reply = Reply.objects.get(turn__conversation=talk, settled_at=None)
    assert replies.take(reply)
    replies.give_up(reply)
    conversations.finish(talk=talk)
    form = {"session-success": "1", "idempotency_key": str(uuid.uuid4())}
    assert send(talk, "rate", **form).status_code == 200
    assert Label.objects.get().counted


def test_without_scripts_a_flag_leads_back_to_the_talk() -> None:
    talk = answered(CONVERSATION)
    response = browser(talk).post(f"/talks/{talk.public_id}/flag/", {"code": "unsafe"})
    assert response.headers["Location"] == f"/talks/{talk.public_id}/"


def test_what_cannot_be_flagged_is_said() -> None:
    talk = begun(cast_of(RED_TEAM))
    assert 'id="flag"' not in body(talk)
    assert send(talk, "flag", code="unsafe").status_code == 409
    say(talk)
    assert send(talk, "flag", code="unsafe").status_code == 409
    assert send(talk, "flag", code="nonsense").status_code == 400
    conversations.finish(talk=talk)
    assert send(talk, "flag", code="unsafe").status_code == 409
    assert not Flag.objects.exists()


def test_a_flag_outlives_its_talk_until_a_lead_settles_it() -> None:
    talk = answered(CONVERSATION)
    send(talk, "flag", code="unsafe")
    conversations.finish(talk=talk)
    (raised,) = flags.unresolved(talk.campaign)
    assert raised.comparison.state == "discarded"
    assert [flags.discard(flag=raised, actor=talk.rater) for _ in range(2)] == [True, False]
    assert not flags.unresolved(talk.campaign).exists()


def test_a_talk_goes_on_past_a_pair_that_a_lead_took_out() -> None:
    talk = answered(CONVERSATION)
    judge(talk, "0:better")
    say(talk, "Second")
    answer(talk, "Three.", "Four.")
    send(talk, "flag", code="unsafe")
    assert flags.discard(flag=Flag.objects.get(), actor=talk.rater)
    assert stage(talk) == "talking"
    say(talk, "Third")
    third = Comparison.objects.get(turn=2)
    assert third.prompt.parent_completion.text in ("Three.", "Four.")
    assert {row.prompt for row in third.completions.all()} == {third.prompt}


# -- leaving with a reason ---------------------------------------------------------------------


@pytest.mark.parametrize("parts", [CONVERSATION, ARENA, RED_TEAM])
def test_leaving_with_a_reason_ends_the_talk_at_once(parts: dict[str, Any]) -> None:
    talk = answered(parts)
    html = body(talk)
    assert 'name="reason" value="uncomfortable"' in html
    response = send(talk, "end", reason="uncomfortable")
    assert "This talk is over." in response.content.decode()
    talk.refresh_from_db()
    assert (talk.end_reason, stage(talk)) == ("uncomfortable", "over")
    assert set(Assignment.objects.values_list("state", flat=True)) <= {"expired"}
    assert not Label.objects.exists()
    send(talk, "end", reason="broken")
    talk.refresh_from_db()
    assert talk.end_reason == "uncomfortable"


def test_a_reason_that_is_not_offered_ends_nothing() -> None:
    talk = answered(CONVERSATION)
    for reason in ("abandoned", "nonsense"):
        assert send(talk, "end", reason=reason).status_code == 400
    assert stage(talk) == "judging"


# -- the veil ----------------------------------------------------------------------------------


def veiled(parts: dict[str, Any]) -> Cast:
    cast = cast_of(parts)
    care.settle(campaign=cast.campaign, care=Care("It may be harsh.", veiled=True))
    return cast


@pytest.mark.parametrize("parts", [CONVERSATION, ARENA, RED_TEAM])
def test_texts_are_veiled_at_every_stage_where_the_campaign_wants_it(
    parts: dict[str, Any],
) -> None:
    talk = begun(veiled(parts))
    say(talk)
    pages = [body(talk)]
    answer(talk, *("One.", "Two.")[: len(talk.speakers)])
    pages.append(body(talk))
    conversations.finish(talk=talk)
    pages.append(body(talk))
    conversations.leave(talk=talk, reason="broken")
    pages.append(body(talk))
    assert [html.count('id="veil"') for html in pages] == [1, 1, 1, 1]
    assert all('href="/rate/helpful/care/"' in html for html in pages[:2])


def test_elsewhere_nothing_is_veiled() -> None:
    html = body(answered(CONVERSATION))
    assert 'id="veil"' not in html
    assert 'id="care"' not in html


# -- what was sent and refused -----------------------------------------------------------------


def test_a_message_that_comes_too_late_is_handed_back() -> None:
    talk = answered(CONVERSATION)
    conversations.finish(talk=talk)
    html = send(talk, "say", text="A long thought", idempotency_key=str(uuid.uuid4()))
    assert html.status_code == 409
    assert "What you typed there was not saved" in html.content.decode()
    assert "A long thought" in html.content.decode()


def test_a_judgement_that_is_refused_comes_back_filled_in() -> None:
    parts = {**CONVERSATION, "why": {"type": "rationale", "min": 40}}
    talk = answered(parts)
    form = {"preference-choice": "0:better", "why-text": "Too short"}
    refused = send(talk, "judge", idempotency_key=str(uuid.uuid4()), **form)
    assert refused.status_code == 400
    html = refused.content.decode()
    assert "Too short" in html
    assert re.search(r'value="0:better"[^>]* checked', html)


# -- a talk that was left open -----------------------------------------------------------------


@pytest.mark.parametrize("act", ["", "say"])
def test_looking_at_a_talk_and_acting_in_it_hold_it_for_another_day(act: str) -> None:
    talk = answered(CONVERSATION)
    soon = timezone.now() + timedelta(minutes=5)
    Conversation.objects.update(held_until=soon)
    if act:
        send(talk, act, text="Hello?", idempotency_key=str(uuid.uuid4()))
    else:
        body(talk)
    assert Conversation.objects.get().held_until > soon + TALK_WAITS / 2


def test_one_that_was_closed_meanwhile_says_so_and_hands_back_what_was_typed() -> None:
    talk = answered(RED_TEAM)
    conversations.close_abandoned(timezone.now() + TALK_WAITS + timedelta(minutes=1))
    html = send(talk, "say", text="A long thought", idempotency_key=str(uuid.uuid4()))
    page = html.content.decode()
    assert "It was left alone for more than a day" in page
    assert "A long thought" in page
    assert "<strong>One.</strong>" in page
    assert 'id="next-talk"' in page

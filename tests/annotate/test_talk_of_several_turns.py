"""A page of a talk beyond its first turn: the pair in hand is there to be read."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotate import talks
from labeling.models import Conversation, User
from labeling.questions import Parts, live
from tests.talks import ARENA, CONVERSATION, HARMFUL, RED_TEAM, answer, begun, cast_of, judge, say

pytestmark = pytest.mark.django_db


def shown(talk: Conversation) -> list[list[str]]:
    """The letters of what is shown of each turn; "" for the one reply that went on."""
    page = talks.build(Conversation.objects.get(pk=talk.pk))
    return [[heard.letter for heard in exchange.heard] for exchange in page.exchanges]


@pytest.mark.parametrize("parts", [CONVERSATION, HARMFUL])
def test_each_turns_pair_is_shown_until_it_is_judged(parts: Parts) -> None:
    talk = begun(cast_of(parts))
    before: list[list[str]] = []
    for number in range(3):
        say(talk, f"Message {number}")
        assert shown(talk) == [*before, []]
        answer(talk, f"First {number}.", f"Second {number}.")
        assert shown(talk) == [*before, ["A", "B"]]
        judge(talk, "0:better")
        before.append([""])
        assert shown(talk) == before


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def queries(client: Client, talk: Conversation, **headers: str) -> int:
    with CaptureQueriesContext(connection) as found:
        assert client.get(f"/talks/{talk.public_id}/", headers=headers).status_code == 200
    return len(found)


@pytest.mark.parametrize("parts", [CONVERSATION, HARMFUL, ARENA, RED_TEAM])
def test_a_long_talk_costs_no_more_queries_than_a_short_one(parts: Parts) -> None:
    talk = begun(cast_of(parts))
    client = browser(talk.rater)
    costs = []
    for number in range(3):
        say(talk, f"Message {number}")
        answer(talk, *[f"Reply {number} {place}" for place in range(len(talk.speakers))])
        if live.of(parts).each:
            judge(talk, "0:better")
        if number < 2:  # the last turn changes what is asked for
            costs.append(queries(client, talk))
    assert len(set(costs)) == 1


@pytest.mark.parametrize("parts", [CONVERSATION, RED_TEAM])
def test_while_a_reply_is_written_the_last_exchange_alone_is_sent(parts: Parts) -> None:
    talk = begun(cast_of(parts))
    client = browser(talk.rater)
    replies = ["Reply one", "Reply two"][: len(talk.speakers)]
    say(talk, "First message")
    answer(talk, *replies)
    if live.of(parts).each:
        judge(talk, "0:better")
    say(talk, "Second message")
    asks = {"HX-Request": "true", "HX-Target": "last"}
    response = client.get(f"/talks/{talk.public_id}/", headers=asks)
    html = response.content.decode()
    assert "Second message" in html
    assert "First message" not in html
    assert "HX-Retarget" not in response.headers
    answer(talk, *[f"{text}, again" for text in replies])
    response = client.get(f"/talks/{talk.public_id}/", headers=asks)
    html = response.content.decode()
    assert response.headers["HX-Retarget"] == "#talk"
    assert "First message" in html
    assert "Second message" in html
    assert 'id="talk"' in html

"""A judgement of a talk that is taken back comes with what was said: nobody writes it twice."""

from __future__ import annotations

import re
import uuid

import pytest
from django.test import Client

from labeling import campaigns
from labeling.models import Conversation
from tests.talks import CONVERSATION, answer, begun, cast_of, say

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}
PARTS = {**CONVERSATION, "why": {"type": "rationale", "required": False}}
TYPED = "It says at which height."


def post(client: Client, talk: Conversation, act: str, **said: str) -> str:
    fields = {name.replace("__", "-"): text for name, text in said.items()}
    response = client.post(f"/talks/{talk.public_id}/{act}/", fields, headers=FRAGMENT)
    assert response.status_code == 200
    return str(response.content.decode())


def given(html: str) -> tuple[str, list[str]]:
    """What stands in the field of the reason, and the ticked steps."""
    written = re.search(r'(?s)name="why-text".*?>(.*?)</textarea>', html)
    assert written is not None
    return written[1].strip(), re.findall(
        r'name="preference-choice" value="([^"]+)"[^>]* checked', html
    )


def test_a_choice_and_its_reason_come_back() -> None:
    cast, client = cast_of(PARTS), Client()
    client.force_login(cast.rater)
    talk = begun(cast)
    say(talk)
    answer(talk, "One.", "Two.")
    key = str(uuid.uuid4())
    post(
        client, talk, "judge", idempotency_key=key, preference__choice="1:better", why__text=TYPED
    )
    campaigns.revise_question(
        campaign=cast.campaign, text="Which is worse?", trains_on="rejected", based_on=1
    )  # of talks that begin from now on
    assert given(post(client, talk, "undo")) == (TYPED, ["1:better"])


def test_the_next_pair_comes_blank() -> None:
    cast, client = cast_of(PARTS), Client()
    client.force_login(cast.rater)
    talk = begun(cast)
    for _ in range(2):
        say(talk)
        answer(talk, "One.", "Two.")
        html = client.get(f"/talks/{talk.public_id}/", headers=FRAGMENT).content.decode()
        assert given(html) == ("", [])
        key = str(uuid.uuid4())
        post(
            client,
            talk,
            "judge",
            idempotency_key=key,
            preference__choice="1:better",
            why__text="So",
        )

"""A talk's form names the guidelines that its page leads to; its label is recorded under them."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from labeling import campaigns, conversations, wording
from labeling.models import Campaign, Conversation, GuidelineVersion, Label
from labeling.questions import Parts
from tests.factories import Cast
from tests.talks import ARENA, CONVERSATION, RED_TEAM, answer, begun, cast_of, say

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}


def scene(parts: Parts) -> tuple[Cast, Client]:
    cast, client = cast_of(parts), Client()
    client.force_login(cast.rater)
    return cast, client


def answered(cast: Cast) -> Conversation:
    talk = begun(cast)
    say(talk)
    answer(talk, *["One.", "Two."][: len(talk.speakers)])
    return talk


def revise(cast: Cast, based_on: int = 1) -> GuidelineVersion:
    return campaigns.revise_guidelines(
        campaign=cast.campaign, markdown="Now brief.", based_on=based_on, actor=cast.lead
    )


def told_on(client: Client, talk: Conversation) -> str:
    body = client.get(f"/talks/{talk.public_id}/", headers=FRAGMENT).content.decode()
    found = re.search(r'name="told" value="(v\d+)"', body)
    assert found is not None
    return found[1]


def send(client: Client, talk: Conversation, act: str, **said: str) -> Any:
    key = str(uuid.uuid4())
    said = {"idempotency_key": key, **{name.replace("_", "-"): said[name] for name in said}}
    return client.post(f"/talks/{talk.public_id}/{act}/", said, headers=FRAGMENT)


def version() -> int:
    guideline = Label.objects.get().guideline_version
    assert guideline is not None
    return guideline.number


@pytest.mark.parametrize(
    ("parts", "act", "said"),
    [
        (CONVERSATION, "judge", {"preference_choice": "0:better"}),
        (ARENA, "judge", {"vote_choice": "0"}),
        (RED_TEAM, "rate", {"session_success": "3"}),
    ],
    ids=["conversation", "arena", "session"],
)
def test_a_label_is_recorded_under_the_guidelines_that_the_rater_was_led_to(
    parts: Parts, act: str, said: dict[str, str]
) -> None:
    cast, client = scene(parts)
    talk = answered(cast)
    if act == "rate":
        conversations.finish(talk=talk)
    told = told_on(client, talk)
    revise(cast)
    assert told_on(client, talk) == "v2"
    assert send(client, talk, act, told=told, **said).status_code == 200
    assert version() == 1


def test_what_was_replaced_before_the_talk_began_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wording, "AT_ONCE", timedelta(0))  # no minute has to pass
    cast, client = scene(CONVERSATION)
    revise(cast)
    talk = answered(cast)
    for told in ("v1", "v9"):
        refused = send(client, talk, "judge", told=told, preference_choice="0:better")
        assert refused.status_code == 400
        assert "What is asked has changed since" in refused.content.decode()
    assert not Label.objects.exists()
    assert send(client, talk, "judge", told="v2", preference_choice="0:better").status_code == 200
    assert version() == 2


def test_an_answer_that_names_none_is_about_the_newest() -> None:
    cast, client = scene(CONVERSATION)
    talk = answered(cast)
    revise(cast)
    assert send(client, talk, "judge", preference_choice="0:better").status_code == 200
    assert version() == 2


def test_a_talk_from_before_the_first_guidelines_is_recorded_without_any() -> None:
    cast, client = scene(CONVERSATION)
    Campaign.objects.update(guideline=None)
    GuidelineVersion.objects.all().delete()
    talk = answered(cast)
    told = told_on(client, talk)
    assert told == "v0"
    campaigns.revise_guidelines(
        campaign=Campaign.objects.get(), markdown="Be brief.", based_on=0, actor=cast.lead
    )
    assert send(client, talk, "judge", told=told, preference_choice="0:better").status_code == 200
    assert Label.objects.get().guideline_version is None

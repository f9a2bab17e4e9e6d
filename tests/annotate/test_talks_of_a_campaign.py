"""A lead sees how the talks of a campaign went."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from labeling import conversations
from labeling.models import TALK_WAITS
from tests.factories import Cast, UserFactory
from tests.talks import CONVERSATION, begun, cast_of

pytestmark = pytest.mark.django_db


def page(cast: Cast) -> str:
    client = Client()
    client.force_login(cast.lead)
    return client.get("/campaigns/helpful/").content.decode()


def test_open_ended_left_and_abandoned_talks_are_told_apart() -> None:
    cast = cast_of(CONVERSATION)
    assert "Talks: 0 open, 0 ended, 0 left" in page(cast)
    conversations.begin(rater=UserFactory(), campaign=cast.campaign)
    conversations.close_abandoned(timezone.now() + TALK_WAITS + timedelta(minutes=1))
    for _ in range(2):
        conversations.finish(talk=begun(cast))
    for _ in range(3):
        conversations.leave(talk=begun(cast), reason="language")
    for rater in UserFactory.create_batch(4):
        conversations.begin(rater=rater, campaign=cast.campaign)
    said = "Talks: 4 open, 2 ended, 3 left with a reason, 1 closed since nobody came back"
    assert said in page(cast)


def test_a_campaign_of_cards_says_nothing_of_talks(cast: Cast) -> None:
    assert 'id="talks"' not in page(cast)

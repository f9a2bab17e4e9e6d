"""What the pages say while somebody else has to act."""

from __future__ import annotations

import pytest
from django.test import Client

from labeling.models import Iteration
from tests.factories import Cast, IterationFactory

SAID = [("promoted", "This round is over"), ("rejected", "This round is over")]
SAID += [("review", "A new model waits for a decision"), ("sampling", "New answers are being")]


@pytest.mark.parametrize(("state", "said"), SAID)
def test_a_rater_reads_why_there_is_no_card(cast: Cast, state: str, said: str) -> None:
    IterationFactory(campaign=cast.campaign, state=state)
    client = Client()
    client.force_login(cast.rater)
    assert said in client.get("/rate/helpful/").content.decode()


def test_the_queue_counts_no_labels_that_nobody_wants(cast: Cast) -> None:
    IterationFactory(campaign=cast.campaign, state="promoted")
    client = Client()
    client.force_login(cast.rater)
    page = client.get("/rate/").content.decode()
    assert "of 0 labels" not in page
    assert "this round is over" in page


def test_a_lead_reads_that_a_policy_waits_for_its_decision(cast: Cast) -> None:
    iteration = IterationFactory(campaign=cast.campaign, state="review")
    client = Client()
    client.force_login(cast.lead)
    assert "A new policy is trained and evaluated." in _campaign(client)
    Iteration.objects.filter(pk=iteration.pk).update(state="promoted")
    assert "A new policy is trained and evaluated." not in _campaign(client)


def _campaign(client: Client) -> str:
    return client.get("/campaigns/helpful/").content.decode()

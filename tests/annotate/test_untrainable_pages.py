"""A campaign whose answers its plan cannot train from says so where a person would start it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from labeling import iterations, presets
from labeling.models import Iteration
from tests.factories import Cast, IterationFactory, make_cast
from training import lessons

pytestmark = pytest.mark.django_db


@pytest.fixture
def thumbs(db: None, client: Client) -> Cast:
    """A collecting iteration with one answer; the client is its lead's."""
    cast = make_cast(parts=presets.parts("thumbs", tie=False))
    IterationFactory(campaign=cast.campaign, labels_people=1)
    client.force_login(cast.lead)
    return cast


def test_a_lead_who_asks_for_training_is_told_why_not(thumbs: Cast, client: Client) -> None:
    body = client.post("/campaigns/helpful/freeze/", follow=True).content.decode()
    assert lessons.ONE_BY_ONE in body
    assert Iteration.objects.get().freeze_requested_at is None


def test_the_pages_of_an_iteration_that_cannot_train_say_why(thumbs: Cast, client: Client) -> None:
    iterations.keep_collecting(Iteration.objects.get(), lessons.NOTHING)
    for page in (reverse("campaign", args=["helpful"]), reverse("iteration", args=["helpful", 1])):
        assert lessons.NOTHING in client.get(page).content.decode()

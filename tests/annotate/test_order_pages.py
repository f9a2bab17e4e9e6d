"""A lead sets the order of a campaign, keeps a slice for evaluation, and takes it away."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from labeling import order
from labeling.models import Comparison
from labeling.order import Order
from tests.factories import Cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
PAGE = "/campaigns/helpful/order/"
FORM = {"rule": "stratified", "strata": "language", "first": "tags", "tags": "urgent: 5\nlow: -1"}


@pytest.fixture
def lead(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.lead)
    return client


def body(response: Any) -> str:
    return str(response.content.decode())


def test_an_order_and_a_slice_are_set_and_shown(lead: Client, cast: Cast) -> None:
    said = lead.post(PAGE, {**FORM, "reserve": "10"}, follow=True)
    assert "put in order within seconds" in body(said)
    assert "What is open is being put in order." in body(said)
    assert "urgent: 5\nlow: -1" in body(said)
    cast.campaign.refresh_from_db()
    assert order.of(cast.campaign) == Order(
        "stratified", ("language",), "tags", {"urgent": 5, "low": -1}
    )
    assert cast.campaign.plan["reserve_share"] == 0.1
    order.tick()
    assert "What is open is being put in order." not in body(lead.get(PAGE))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"tags": "urgent"}, "Write tag: number on each line"),
        ({"tags": "urgent: 101"}, "from -100 to 100"),
        ({"tags": "a: 1\na: 2"}, "stands on two lines"),
        ({"reserve": "51"}, "less than or equal to 50"),
    ],
)
def test_what_cannot_be_stays_in_the_form(
    lead: Client, cast: Cast, wrong: dict[str, str], sentence: str
) -> None:
    response = lead.post(PAGE, {**FORM, **wrong})
    assert response.status_code == 400
    assert sentence in body(response)
    for text in wrong.values():
        assert text in body(response)
    cast.campaign.refresh_from_db()
    assert cast.campaign.ordering == {}


def test_the_slice_is_counted_listed_and_taken_away(lead: Client, cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    Comparison.objects.filter(pk__in=Comparison.objects.order_by("pk")[:1]).update(reserved=True)
    for _ in range(2):
        answer(cast.rater, cast.campaign, "0:better")
    kept = Comparison.objects.get(reserved=True)
    labelled = kept.labels.count()
    said = f"1 kept for evaluation, {labelled} with labels"
    assert said in body(lead.get("/campaigns/helpful/"))
    assert f"1 comparison is kept so far, {labelled} with labels." in body(lead.get(PAGE))
    taken = lead.get("/campaigns/helpful/export/person.jsonl?split=reserved")
    rows = b"".join(taken).decode().splitlines() if taken.status_code == 200 else []
    assert len(rows) == labelled
    assert all('"split": "reserved"' in row for row in rows)
    listed = body(lead.get("/campaigns/helpful/labels/?reserved=on"))
    assert listed.count('<th scope="row">') == labelled

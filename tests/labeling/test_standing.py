"""A standing query gives what its queryset gives, and has its SQL written once."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, QuerySet
from django.test.utils import CaptureQueriesContext

from labeling import leases
from labeling.models import Assignment, Comparison
from labeling.standing import Standing
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
built: list[str] = []


def of_a_rater(rater: int, card: uuid.UUID) -> QuerySet[Assignment, Any]:
    built.append("once")
    rows = Assignment.objects.filter(rater=rater, public_id=card, state="leased")
    rows = rows.select_related("comparison__prompt", "campaign__question")
    return rows.defer("campaign__name").annotate(twice=F("comparison__overlap") * 2)


standing = Standing(of_a_rater, rater=int, card=uuid.UUID)


@pytest.fixture
def card() -> Assignment:
    campaign = factories.CampaignFactory()
    factories.open_comparisons(campaign, 2)
    found = leases.claim_next(rater=factories.UserFactory(), campaign=campaign)
    assert found
    return found


def test_it_gives_the_rows_of_its_queryset_with_all_that_hangs_on_them(card: Assignment) -> None:
    (row,) = standing.rows(rater=card.rater_id, card=card.public_id)
    wanted: Any = of_a_rater(card.rater_id, card.public_id).get()
    columns, as_wanted = (
        {name: value for name, value in one.__dict__.items() if name != "_state"}
        for one in (row, wanted)
    )
    assert columns == as_wanted
    assert row.comparison.prompt.messages == card.comparison.prompt.messages
    assert row.leased_until == card.leased_until


def test_nothing_more_is_asked_for_what_it_brings(card: Assignment) -> None:
    with CaptureQueriesContext(connection) as captured:
        (row,) = standing.rows(rater=card.rater_id, card=card.public_id)
        assert row.comparison.prompt.messages
        assert row.campaign.question
    assert len(captured) == 1


def test_it_is_built_once_and_serves_every_value(card: Assignment) -> None:
    standing.rows(rater=card.rater_id, card=card.public_id)
    built.clear()
    other = factories.UserFactory()
    assert standing.rows(rater=other.pk, card=card.public_id) == []
    assert standing.rows(rater=card.rater_id, card=uuid.uuid4()) == []
    assert len(standing.rows(rater=card.rater_id, card=card.public_id)) == 1
    assert built == []


def test_a_column_left_out_is_read_when_it_is_wanted(card: Assignment) -> None:
    (row,) = standing.rows(rater=card.rater_id, card=card.public_id)
    assert row.campaign.get_deferred_fields() == {"name"}
    assert row.campaign.name == card.campaign.name


def test_a_row_can_be_saved(card: Assignment) -> None:
    (row,) = standing.rows(rater=card.rater_id, card=card.public_id)
    row.state = "expired"
    row.save(update_fields=["state"])
    assert Assignment.objects.get(pk=card.pk).state == "expired"


def test_values_are_named(card: Assignment) -> None:
    with pytest.raises(TypeError, match="takes rater, card"):
        standing.rows(rater=card.rater_id)


def test_a_value_that_the_query_does_not_hold_is_a_fault_of_its_author() -> None:
    def forgets(rater: int) -> QuerySet[Comparison, Any]:
        return Comparison.objects.filter(pk=1)

    with pytest.raises(TypeError, match="not in the query"):
        Standing(forgets, rater=int).rows(rater=1)

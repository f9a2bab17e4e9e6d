"""An iteration's count is one row that every answer changes: whoever answers holds it last, so
that nobody waits for another rater's next card."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling import labels, leases
from labeling.models import Iteration
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
CONTROL = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")


def test_the_count_is_the_last_statement_of_an_answer() -> None:
    made, _ = _answered()
    (place,) = [at for at, sql in enumerate(made) if "UPDATE labeling_iteration" in sql]
    assert place == len(made) - 1


def test_the_next_card_knows_the_count_all_the_same() -> None:
    _, hand = _answered()
    shown = hand.card and hand.card.comparison.iteration
    assert shown
    assert shown.labels_people == Iteration.objects.get(pk=shown.pk).labels_people == 1


def _answered() -> tuple[list[str], leases.Hand]:
    """What the database was asked, and the next card."""
    campaign = factories.CampaignFactory()
    factories.open_comparisons(campaign, 3)
    card = leases.claim_next(rater=factories.UserFactory(), campaign=campaign)
    assert card
    with CaptureQueriesContext(connection) as captured:
        hand = labels.record_and_claim(
            assignment=card,
            parts={"preference": {"choice": "0:better"}},
            idempotency_key=uuid.uuid4(),
        )
    statements = [q["sql"].strip() for q in captured if not q["sql"].startswith(CONTROL)]
    return statements, hand

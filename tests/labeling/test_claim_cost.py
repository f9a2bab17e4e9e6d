"""A claim costs the same however much the rater has answered already."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.db import connection

from annotate.bench import scene
from labeling import labels, leases
from labeling.models import Assignment, Campaign, Comparison, User

pytestmark = pytest.mark.django_db


def test_earlier_answers_cost_the_next_claim_nothing() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("counts the steps of SQLite's virtual machine")
    campaign = scene.build(scene.Shape(comparisons=400, raters=2, answered=0.75))
    newcomer = User.objects.create(username="newcomer")
    fresh = steps(lambda: claim(newcomer, campaign))
    veteran = User.objects.get(username="rater0")
    assert veteran.assignments.count() == 150
    assert steps(lambda: claim(veteran, campaign)) < 1.2 * fresh


def test_being_ahead_of_all_others_costs_the_next_claim_nothing() -> None:
    """What they had stands at the head of the queue, waiting for a second rater."""
    if connection.vendor != "sqlite":
        pytest.skip("counts the steps of SQLite's virtual machine")
    shape = scene.Shape(comparisons=400, raters=2, overlap=2, half_answered=300)
    campaign = scene.build(shape)
    newcomer = User.objects.create(username="newcomer")
    cards = [User.objects.get(username="rater0"), newcomer]
    ahead, fresh = (leases.claim_next(rater=rater, campaign=campaign) for rater in cards)
    assert steps(lambda: answer(ahead)) < 1.2 * steps(lambda: answer(fresh))


@pytest.mark.any_database
def test_a_plan_for_any_values_reads_few_comparisons() -> None:
    """What a connection has prepared may run by such a plan."""
    if connection.vendor != "postgresql":
        pytest.skip("asks PostgreSQL for the rows that its plans read")
    campaign = scene.build(scene.Shape(comparisons=20_000, raters=2, overlap=2, half_answered=10))
    card = leases.claim_next(rater=User.objects.get(username="rater0"), campaign=campaign)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    before = scanned()
    answer(card)
    assert scanned() - before < 100


def scanned() -> int:
    """Rows of comparisons that this transaction has read without an index so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = %s",
            [Comparison._meta.db_table],
        )
        return int(cursor.fetchone()[0])


def answer(card: Assignment | None) -> None:
    assert card is not None
    hand = labels.record_and_claim(
        assignment=card,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
    )
    assert hand.card is not None


def claim(rater: User, campaign: Campaign) -> None:
    assert leases.claim_next(rater=rater, campaign=campaign) is not None


def steps(act: Callable[[], None]) -> int:
    """How many instructions SQLite's virtual machine runs during act; the same every time."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    connection.ensure_connection()
    connection.connection.set_progress_handler(count, 1)
    try:
        act()
    finally:
        connection.connection.set_progress_handler(None, 1)
    return counted

"""Many raters at once, in threads with connections of their own, on either database."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from labeling import labels, leases
from labeling.models import Assignment, Campaign, Comparison, Iteration, Label, Seat, User
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]


def test_twenty_raters_fill_every_slot_exactly() -> None:
    campaign, raters = _scene(comparisons=100, overlap=2, raters=20)
    _at_once([lambda r=rater: _rate_until_nothing_is_left(r, campaign) for rater in raters])
    assert Assignment.objects.count() == Label.objects.count() == 200
    pairs = Label.objects.values_list("comparison", "rater")
    assert len(set(pairs)) == 200
    assert set(Counter(comparison for comparison, _ in pairs).values()) == {2}
    states = set(Comparison.objects.values_list("state", "slots_left", "counted"))
    assert states == {("complete", 0, 2)}
    assert Iteration.objects.get().labels_people == 200


def test_twenty_raters_on_the_last_slot_get_it_once() -> None:
    campaign, raters = _scene(comparisons=1, overlap=1, raters=20)
    cards = _at_once([lambda r=rater: _claim(r, campaign) for rater in raters])
    assert sum(card is not None for card in cards) == 1
    assert Comparison.objects.get().slots_left == 0


def test_one_rater_in_eight_tabs_gets_one_card() -> None:
    campaign, (rater,) = _scene(comparisons=20, overlap=2, raters=1)
    cards = _at_once([lambda: _claim(rater, campaign)] * 8)
    assert len({card.pk for card in cards}) == 1
    assert Assignment.objects.count() == 1


def test_one_answer_sent_eight_times_is_one_label() -> None:
    campaign, (rater,) = _scene(comparisons=1, overlap=2, raters=1)
    card, key = _claim(rater, campaign), uuid.uuid4()
    stored = _at_once([lambda: _record(card, "0:better", key)] * 8)
    assert len({label.pk for label in stored}) == Label.objects.count() == 1
    assert Comparison.objects.get().counted == 1


def test_eight_answers_to_one_card_leave_one_label() -> None:
    campaign, (rater,) = _scene(comparisons=1, overlap=2, raters=1)
    card = _claim(rater, campaign)

    def answer() -> Label | None:
        try:
            return _record(card, "0:better", uuid.uuid4())
        except labels.NotOpen:
            return None

    given = [label for label in _at_once([answer] * 8) if label is not None]
    assert len(given) == Label.objects.count() == 1
    assert Comparison.objects.get().counted == 1


def test_no_mixture_of_acts_at_once_breaks_a_counter() -> None:
    campaign, raters = _scene(comparisons=6, overlap=2, raters=4)
    tabs = [(rater, tab) for rater in raters for tab in (0, 1)]
    _at_once([lambda r=rater, t=tab: _storm(r, campaign, seed=t) for rater, tab in tabs])
    in_force = Label.objects.filter(kind="answer", superseded_by__isnull=True, counted=True)
    for comparison in Comparison.objects.all():
        leased = comparison.assignments.filter(state="leased").count()
        counted = in_force.filter(comparison=comparison).count()
        assert comparison.counted == counted <= comparison.overlap
        assert comparison.slots_left + leased + counted == comparison.overlap
    assert Iteration.objects.get().labels_people == in_force.count()
    for seat in Seat.objects.all():
        rows = Assignment.objects.filter(rater=seat.rater, state="submitted")
        assert seat.answered == rows.count()
    in_hand = Counter(Assignment.objects.filter(state="submitted").values_list("pk", flat=True))
    answered = Label.objects.filter(kind="answer", superseded_by__isnull=True)
    assert in_hand == Counter(answered.values_list("assignment", flat=True))


def _storm(rater: User, campaign: Campaign, seed: int) -> None:
    """Thirty acts of one tab, drawn; what another tab did first is refused, not broken."""
    draw = random.Random(f"{rater.username}/{seed}")
    for _ in range(30):
        act = draw.choice(["answer", "answer", "answer", "skip", "undo", "sweep"])
        if act == "undo":
            labels.undo(rater=rater, campaign=campaign)
        elif act == "sweep":
            leases.release_expired(timezone.now() + timedelta(hours=1))
        elif card := _claim(rater, campaign):
            _finish(card, act)


def _finish(card: Assignment, act: str) -> None:
    try:
        if act == "skip":
            labels.skip(assignment=card, reason="broken")
        else:
            _record(card, "1:slightly", uuid.uuid4())
    except labels.NotOpen:
        card.refresh_from_db()
        assert card.state in ("submitted", "skipped", "leased", "expired")


def _rate_until_nothing_is_left(rater: User, campaign: Campaign) -> None:
    while card := _claim(rater, campaign):
        _record(card, "0:significantly", uuid.uuid4())


def _claim(rater: User, campaign: Campaign) -> Any:
    return leases.claim_next(rater=rater, campaign=campaign)


def _record(card: Assignment, choice: str, key: uuid.UUID) -> Label:
    parts = {"preference": {"choice": choice}}
    return labels.record_label(assignment=card, parts=parts, idempotency_key=key)


def _scene(comparisons: int, overlap: int, raters: int) -> tuple[Campaign, list[User]]:
    campaign = factories.CampaignFactory()
    factories.open_comparisons(campaign, comparisons, overlap=overlap)
    return campaign, factories.UserFactory.create_batch(raters)


def _at_once(acts: list[Callable[[], Any]]) -> list[Any]:
    """Start all acts at the same moment; their results, in order. An error in one is raised."""
    gate = threading.Barrier(len(acts))

    def start(act: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            gate.wait(timeout=30)
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result() for future in [pool.submit(start, act) for act in acts]]

"""Whatever raters do and in whatever order, a comparison's counters tell the truth.

slots_left + live leases + counted == overlap and counted <= overlap, and the kept counts equal
what a count of the rows gives.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import QuerySet, Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from labeling import labels, leases, seats
from labeling.models import Assignment, Comparison, Iteration, Label, User
from labeling.seats import Work
from tests import factories

pytestmark = pytest.mark.django_db
ACTS = (
    *("claim", "ahead", "submit", "resend", "skip", "undo"),
    *("release", "wait", "sweep", "renew", "flag"),
)
Script = list[tuple[str, int]]  # (act, which rater)


class CountersTest(TestCase):
    @given(
        script=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 2)), max_size=40),
        overlap=st.integers(1, 3),
    )
    @settings(
        max_examples=60,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    def test_any_sequence_of_acts_keeps_them_true(self, script: Script, overlap: int) -> None:
        scene = Scene(overlap)
        for act, who in script:
            scene.play(act, scene.raters[who])
            scene.check()


class Scene:
    """Five comparisons, three raters (one of them simulated), and a clock of its own."""

    def __init__(self, overlap: int) -> None:
        self.campaign = factories.CampaignFactory()
        factories.open_comparisons(self.campaign, 5, overlap=overlap)
        self.raters = [
            factories.UserFactory(),
            factories.UserFactory(),
            factories.UserFactory(kind="simulated"),
        ]
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.hands: dict[int, Assignment] = {}
        self.sent: dict[int, tuple[Assignment, uuid.UUID]] = {}

    def play(self, act: str, rater: User) -> None:
        self.now += timedelta(seconds=1)
        getattr(self, act)(rater)

    def claim(self, rater: User) -> None:
        if card := leases.claim_next(rater=rater, campaign=self.campaign, now=self.now):
            self.hands[rater.pk] = card

    def ahead(self, rater: User) -> None:
        if card := self.hands.get(rater.pk):
            have = [card.public_id]
            leases.claim_next(rater=rater, campaign=self.campaign, have=have, now=self.now)

    def release(self, rater: User) -> None:
        if card := self.hands.get(rater.pk):
            leases.release(card)

    def submit(self, rater: User) -> None:
        """The card last seen, even when its lease is over or it was dealt with already."""
        if card := self.hands.get(rater.pk):
            key = uuid.uuid4()
            try:
                self._record(card, key)
                self.sent[rater.pk] = (card, key)
            except labels.NotOpen:
                assert self._state(card) in ("submitted", "skipped")

    def resend(self, rater: User) -> None:
        if rater.pk in self.sent:
            before = Label.objects.count()
            self._record(*self.sent[rater.pk])
            assert Label.objects.count() == before

    def skip(self, rater: User) -> None:
        if card := self.hands.get(rater.pk):
            try:
                labels.skip(assignment=card, reason="broken", now=self.now)
            except labels.NotOpen:
                assert self._state(card) == "submitted"

    def undo(self, rater: User) -> None:
        if card := labels.undo(rater=rater, campaign=self.campaign, now=self.now):
            self.hands[rater.pk] = card

    def wait(self, rater: User) -> None:
        self.now += timedelta(hours=1)

    def sweep(self, rater: User) -> None:
        leases.release_expired(self.now)

    def renew(self, rater: User) -> None:
        if card := self.hands.get(rater.pk):
            leases.renew(card, now=self.now)

    def flag(self, rater: User) -> None:
        if card := self.hands.get(rater.pk):
            labels.flag(assignment=card, code="unsafe")

    def check(self) -> None:
        for comparison in Comparison.objects.all():
            leased = comparison.assignments.filter(state="leased").count()
            counted = self._in_force().filter(comparison=comparison, counted=True).count()
            assert comparison.counted == counted
            assert comparison.slots_left + leased + counted == comparison.overlap
            assert 0 <= counted <= comparison.overlap
            full = counted == comparison.overlap
            assert comparison.state == ("complete" if full else "open")
        self._check_iteration()
        self._check_labels()
        self._check_raters()

    def _check_iteration(self) -> None:
        iteration = Iteration.objects.get()
        counted = self._in_force().filter(counted=True)
        assert iteration.labels_people == counted.filter(source="person").count()
        assert iteration.labels_others == counted.exclude(source="person").count()

    def _check_raters(self) -> None:
        """What is kept for a rater is what a count gives, and nobody holds more than they may."""
        for rater in self.raters:
            submitted = rater.assignments.filter(state="submitted").count()
            spent = self._in_force().filter(rater=rater).aggregate(ms=Sum("active_ms"))["ms"]
            assert seats.work(rater, self.campaign) == Work(submitted, spent or 0)
            assert rater.assignments.filter(state="leased").count() <= leases.MOST

    def _check_labels(self) -> None:
        """One label in force for a submitted assignment, none for any other."""
        for assignment in Assignment.objects.all():
            in_force = self._in_force().filter(assignment=assignment).count()
            assert in_force == (assignment.state == "submitted")

    def _in_force(self) -> QuerySet[Label]:
        return Label.objects.filter(kind="answer", superseded_by__isnull=True)

    def _record(self, card: Assignment, key: uuid.UUID) -> None:
        labels.record_label(
            assignment=card,
            parts={"preference": {"choice": "0:better"}},
            idempotency_key=key,
            active_ms=card.pk,
            now=self.now,
        )

    def _state(self, card: Assignment) -> str:
        return Assignment.objects.get(pk=card.pk).state

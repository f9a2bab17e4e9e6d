"""Excluding a rater's labels: they count nowhere, no label changes, and lifting is exact."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from labeling import accepted, disputes, exclusions, labels, leases, snapshots
from labeling.models import Assignment, Comparison, Exclusion, Iteration, Label, SetAside, User
from models_runtime.models import AuditEvent
from tests.factories import Cast, UserFactory, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=1)


def exclude(cast: Cast, rater: User, from_at: datetime | None = None) -> Exclusion:
    row = exclusions.exclude(
        campaign=cast.campaign,
        rater=rater,
        from_at=from_at or timezone.now() - LONG_AGO,
        reason="quality",
        actor=cast.lead,
    )
    exclusions.tick()
    row.refresh_from_db()
    return row


def lift(cast: Cast, row: Exclusion) -> None:
    assert exclusions.lift(exclusion=row, actor=cast.lead)
    exclusions.tick()
    row.refresh_from_db()


def counters() -> list[tuple[Any, ...]]:
    rows = Comparison.objects.order_by("pk")
    return [
        *rows.values_list("pk", "state", "overlap", "slots_left", "counted"),
        *Iteration.objects.order_by("pk").values_list("labels_people", "labels_others"),
    ]


def check() -> None:
    """slots_left + live leases + counted == overlap, and the kept counts are a count's."""
    counting = Label.objects.filter(accepted.in_force(), accepted.counted())
    for row in Comparison.objects.all():
        leased = row.assignments.filter(state="leased").count()
        assert row.counted == counting.filter(comparison=row).count()
        assert row.slots_left + leased + row.counted == row.overlap
        assert row.state in ("discarded", "complete" if row.counted == row.overlap else "open")
    kept = counting.exclude(comparison__state="discarded")
    iteration = Iteration.objects.get()
    assert iteration.labels_people == kept.filter(source="person").count()


def test_excluded_labels_count_nowhere_and_their_places_are_free(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    label = [answer(cast.rater, cast.campaign, "0:better") for _ in range(3)][0]
    row = exclude(cast, cast.rater)
    assert (row.state, row.labels, row.uncounted) == ("applied", 3, 3)
    assert not accepted.of(Label.objects.all()).exists()
    assert accepted.why_not(Label.objects.get(pk=label.pk)) == (
        "A lead excluded this rater's labels."
    )
    assert {state for _, state, *_ in counters()[:3]} == {"open"}
    assert Iteration.objects.get().labels_people == 0
    with pytest.raises(ValueError, match="no labels yet"):
        snapshots.freeze(campaign=cast.campaign)
    again = leases.claim_next(rater=cast.other_rater, campaign=cast.campaign)
    assert again is not None
    check()


def test_lifting_puts_every_counter_back_and_no_label_row_ever_changes(cast: Cast) -> None:
    open_comparisons(cast.campaign, 4, overlap=2)
    for _ in range(4):
        answer(cast.rater, cast.campaign, "0:better")
    answer(cast.other_rater, cast.campaign, "0:better")
    rows, before = list(Label.objects.order_by("pk").values()), counters()
    row = exclude(cast, cast.rater)
    assert counters() != before
    lift(cast, row)
    assert counters() == before
    assert list(Label.objects.order_by("pk").values()) == rows
    assert (row.state, row.unplaced, SetAside.objects.count()) == ("lifted", 0, 0)
    verbs = list(AuditEvent.objects.order_by("pk").values_list("verb", flat=True))
    assert verbs[-4:] == [
        "labels excluded",
        "exclusion applied",
        "exclusion lifted",
        "labels let back",
    ]


def test_only_labels_from_that_moment_on_and_none_that_come_after_the_act(cast: Cast) -> None:
    open_comparisons(cast.campaign, 4)
    first = answer(cast.rater, cast.campaign, "0:better")
    second = answer(cast.rater, cast.campaign, "0:better")
    row = exclude(cast, cast.rater, from_at=second.created_at)
    later = answer(cast.rater, cast.campaign, "0:better")
    exclusions.tick()
    assert row.labels == 1
    kept = accepted.of(Label.objects.all()).order_by("pk")
    assert list(kept) == [first, later]


def test_a_label_whose_place_was_filled_meanwhile_is_accepted_and_not_counted(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    label = answer(cast.rater, cast.campaign, "0:better")
    row = exclude(cast, cast.rater)
    other = answer(cast.other_rater, cast.campaign, "1:better")
    lift(cast, row)
    assert row.unplaced == 1
    assert list(accepted.of(Label.objects.order_by("pk"))) == [label, other]
    assert not accepted.is_counted(Label.objects.get(pk=label.pk))
    check()
    labels.undo(rater=cast.rater, campaign=cast.campaign)
    check()


def test_what_a_second_exclusion_covers_stays_out_when_the_first_is_lifted(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    first = answer(cast.rater, cast.campaign, "0:better")
    one = exclude(cast, cast.rater)
    answer(cast.rater, cast.campaign, "0:better")
    two = exclude(cast, cast.rater, from_at=first.created_at)
    assert (one.labels, two.labels) == (1, 1)
    lift(cast, one)
    assert not accepted.of(Label.objects.all()).exists()
    two.refresh_from_db()
    assert two.labels == 2
    lift(cast, two)
    assert accepted.of(Label.objects.all()).count() == 2
    check()


def test_it_goes_on_where_it_was_broken_off(cast: Cast, monkeypatch: Any) -> None:
    monkeypatch.setattr(exclusions, "AT_ONCE", 2)
    open_comparisons(cast.campaign, 5)
    for _ in range(5):
        answer(cast.rater, cast.campaign, "0:better")
    row = exclusions.exclude(
        campaign=cast.campaign,
        rater=cast.rater,
        from_at=timezone.now() - LONG_AGO,
        reason="speed",
        actor=cast.lead,
    )
    assert exclusions.go_on(row.pk, chunks=1) == 2
    check()
    with pytest.raises(exclusions.NotPossible):
        exclude(cast, cast.rater)
    row.refresh_from_db()
    assert row.state == "applying"
    assert exclusions.tick() == 3
    assert exclusions.tick() == 0
    check()


def test_it_refuses_a_moment_to_come_and_a_reason_that_is_not_offered(cast: Cast) -> None:
    for moment, reason in ((LONG_AGO, "quality"), (-LONG_AGO, "because")):
        with pytest.raises(exclusions.NotPossible):
            exclusions.exclude(
                campaign=cast.campaign,
                rater=cast.rater,
                from_at=timezone.now() + moment,
                reason=reason,
                actor=cast.lead,
            )
    assert not Exclusion.objects.exists()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_any_sequence_of_acts_keeps_the_counters_true(cast: Cast, seed: int) -> None:
    draw = random.Random(seed)
    open_comparisons(cast.campaign, 4, overlap=2)
    raters = [cast.rater, cast.other_rater, UserFactory()]
    for _ in range(25):
        act, rater = (
            draw.choice(("answer", "answer", "undo", "exclude", "lift")),
            draw.choice(raters),
        )
        if act == "answer" and (card := leases.claim_next(rater=rater, campaign=cast.campaign)):
            labels.record_label(
                assignment=card,
                parts={"preference": {"choice": draw.choice(("0:better", "1:better"))}},
                idempotency_key=card.public_id if card.submitted_at is None else _key(draw),
            )
        elif act == "undo":
            labels.undo(rater=rater, campaign=cast.campaign)
        elif act == "exclude":
            exclude(cast, rater)
        elif applied := Exclusion.objects.filter(state="applied").order_by("pk").first():
            lift(cast, applied)
        check()
    rows = list(Label.objects.order_by("pk").values())
    for row in Exclusion.objects.filter(state="applied"):
        lift(cast, row)
        check()
    assert list(Label.objects.order_by("pk").values()) == rows
    assert not SetAside.objects.filter(exclusion__isnull=False).exists()
    disputes.tick(timezone.now() + LONG_AGO)
    assert Assignment.objects.filter(state="leased").count() <= 9


def _key(draw: random.Random) -> uuid.UUID:
    return uuid.UUID(int=draw.getrandbits(128))

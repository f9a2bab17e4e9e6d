"""What a rater's work comes to: time and pay of the answers in force, kept and not counted."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.apps import apps
from django.utils import timezone

from labeling import labels, leases, pay, seats, turns
from labeling.labels import InvalidAnswer
from labeling.models import Conversation, Label, Seat, User
from labeling.pay import Counters
from labeling.seats import Work
from models_runtime.models import AuditEvent
from tests.factories import Cast, open_comparisons
from tests.rating import held_for
from tests.talks import CONVERSATION, begun, cast_of, say
from tests.talks import answer as reply

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
BY_LABEL = Counters(True, "label", Decimal("0.125"), "EUR")
BY_HOUR = Counters(True, "hour", Decimal("18"), "EUR")


def answer(rater: User, cast: Cast, active_ms: int | None, key: uuid.UUID | None = None) -> Label:
    card = leases.claim_next(rater=rater, campaign=cast.campaign)
    assert card is not None
    return labels.record_label(
        assignment=held_for(card, minutes=5),
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=key or uuid.uuid4(),
        active_ms=active_ms,
    )


def work(cast: Cast) -> Work:
    return seats.work(cast.rater, cast.campaign)


def earned(cast: Cast) -> tuple[float | None, Decimal | None]:
    found = pay.earned(cast.campaign, work(cast))
    assert found is not None
    return found.seconds, found.amount


def test_each_answer_adds_its_time_and_its_pay(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    pay.settle(campaign=cast.campaign, counters=BY_LABEL)
    for active_ms in (20_000, 40_000, None):
        answer(cast.rater, cast, active_ms)
    assert work(cast) == Work(3, 60_000)
    assert earned(cast) == (60.0, Decimal("0.375"))


def test_a_repeated_request_counts_once(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    key = uuid.uuid4()
    label = answer(cast.rater, cast, 20_000, key)
    again = labels.record_label(
        assignment=label.assignment,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=key,
        active_ms=50_000,
    )
    assert again == label
    assert work(cast) == Work(1, 20_000)


def test_what_is_taken_back_counts_no_more_and_its_new_answer_counts_once(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    pay.settle(campaign=cast.campaign, counters=BY_HOUR)
    answer(cast.rater, cast, 20_000)
    answer(cast.rater, cast, 40_000)
    labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert work(cast) == Work(1, 20_000)
    assert earned(cast) == (20.0, Decimal("0.1"))
    answer(cast.rater, cast, 10_000)
    assert work(cast) == Work(2, 30_000)


def test_what_was_refused_counts_nothing(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    with pytest.raises(InvalidAnswer):
        labels.record_label(
            assignment=card,
            parts={"preference": {"choice": "nonsense"}},
            idempotency_key=uuid.uuid4(),
            active_ms=20_000,
        )
    assert work(cast) == Work()


def test_a_late_answer_that_fills_no_slot_is_paid_work(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    leases.release(card)
    answer(cast.other_rater, cast, 1_000)
    card.refresh_from_db()
    label = labels.record_label(
        assignment=held_for(card, minutes=5),
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
        active_ms=20_000,
    )
    assert not label.counted
    assert work(cast) == Work(1, 20_000)


def test_a_judgement_in_a_talk_is_work_as_on_a_card() -> None:
    cast = cast_of(CONVERSATION)
    talk = begun(cast)
    say(talk)
    reply(talk, "One.", "Two.")
    Conversation.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    turns.judge(
        talk=talk,
        parts={"talk": {}, "preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
        active_ms=7_000,
    )
    assert work(cast) == Work(1, 7_000)
    turns.take_back(talk=talk)
    assert work(cast) == Work()


def test_nothing_is_shown_unless_the_lead_says_so(cast: Cast) -> None:
    assert pay.earned(cast.campaign, Work(3, 60_000)) is None
    pay.settle(campaign=cast.campaign, counters=Counters(shows_time=True))
    shown = pay.earned(cast.campaign, Work(3, 60_000))
    assert shown is not None
    assert (shown.seconds, shown.amount) == (60.0, None)
    pay.settle(campaign=cast.campaign, counters=Counters(False, "label", Decimal(2), "JPY"))
    shown = pay.earned(cast.campaign, Work(3, 60_000))
    assert shown is not None
    assert (shown.seconds, shown.amount, shown.currency) == (None, Decimal(6), "JPY")


def test_what_the_work_of_all_people_comes_to(cast: Cast) -> None:
    open_comparisons(cast.campaign, 4)
    assert pay.owed(cast.campaign) is None
    pay.settle(campaign=cast.campaign, counters=BY_LABEL)
    for rater in (cast.rater, cast.rater, cast.other_rater):
        answer(rater, cast, 1_000)
    User.objects.filter(pk=cast.other_rater.pk).update(kind="simulated")
    assert pay.owed(cast.campaign) == Decimal("0.25")


@pytest.mark.parametrize(
    ("counters", "said"),
    [
        (Counters(pay_per="day", pay_amount=Decimal(1), pay_currency="EUR"), "by the label"),
        (Counters(pay_per="label", pay_amount=Decimal(0), pay_currency="EUR"), "above 0"),
        (Counters(pay_per="label", pay_amount=Decimal(-1), pay_currency="EUR"), "above 0"),
        (Counters(pay_per="label", pay_amount=Decimal(10**7), pay_currency="EUR"), "above 0"),
        (Counters(pay_per="hour", pay_amount=Decimal(1), pay_currency="XYZ"), "XYZ is no"),
        (Counters(pay_per="hour", pay_amount=Decimal(1), pay_currency="eur"), "eur is no"),
        (Counters(pay_amount=Decimal(1)), "what the amount is paid for"),
    ],
)
def test_pay_that_cannot_be_is_refused(cast: Cast, counters: Counters, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        pay.settle(campaign=cast.campaign, counters=counters)
    assert pay.of(cast.campaign) == Counters()


def test_what_was_answered_before_seats_kept_time_is_counted_once(cast: Cast) -> None:
    """What the migration fills in is what would have been kept."""
    open_comparisons(cast.campaign, 3)
    for active_ms in (20_000, 40_000, 50_000):
        answer(cast.rater, cast, active_ms)
    labels.undo(rater=cast.rater, campaign=cast.campaign)
    kept = work(cast)
    Seat.objects.update(active_ms=0)
    import_module("labeling.migrations.0015_time_and_pay").fill(apps, None)
    assert work(cast) == kept == Work(2, 60_000)


def test_settling_is_in_the_log_once(cast: Cast) -> None:
    for _ in range(2):
        pay.settle(campaign=cast.campaign, counters=BY_LABEL, actor=cast.lead)
    event = AuditEvent.objects.get(verb="pay settled")
    assert event.data["pay_amount"] == "0.125"

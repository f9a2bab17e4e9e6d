"""A rater's seat in a campaign: how many answers they gave there and how long they worked on them,
kept and not counted.

Whoever hands a rater cards or takes their answers holds their seat first, so that two tabs of
one rater come one after the other.

How long somebody worked is what their browser says, and never more than the time that passed. Two
cards lie ahead of the one in hand and answers may come in a bunch when a network is back, so
neither a card's lease nor the answer before it is a bound by itself. The seat has a clock: the
moment up to which active time was granted already. An answer is granted what is claimed, but not
beyond the time since that moment, nor since its card was handed out; the clock goes on by as
much. All answers together are never granted more than passed on the wall.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Sum

from labeling.models import Campaign, Seat, User


@dataclass(frozen=True)
class Work:
    """What a rater's answers in force come to, or what one more or less changes of it. Those
    ``before`` were given at earlier rates of pay, for millionths of the currency's unit."""

    answered: int = 0
    active_ms: int = 0
    answered_before: int = 0
    active_ms_before: int = 0
    micros_before: int = 0
    answers_unread: int = 0
    # How far they are in the campaign's training and test, and at which try (see asides).
    stage: str = ""
    attempt: int = 0
    # The number of the newest guidelines that they confirmed (see confirmations).
    confirmed: int = 0


NOTHING = Work()
_COLUMNS = (
    "answered, active_ms, answered_before, active_ms_before, micros_before, answers_unread, "
    "stage, attempt, confirmed"
)
# One statement for the lock, the counts and the first time: Django has no such upsert.
_HOLD = f"""
    INSERT INTO labeling_seat AS held (rater_id, campaign_id, answered, active_ms)
    VALUES (%s, %s, %s, %s) ON CONFLICT (rater_id, campaign_id)
    DO UPDATE SET answered = held.answered + %s, active_ms = held.active_ms + %s,
        answered_before = held.answered_before + %s,
        active_ms_before = held.active_ms_before + %s,
        micros_before = held.micros_before + %s
    RETURNING {_COLUMNS}
"""
# The same of an answer, which is granted what it claims as far as the clock allows.
_FROM = "{greatest}(held.clock_ms, %(since)s)"
_GRANT = "{greatest}(0, {least}(%(claimed)s, %(now)s - " + _FROM + "))"
_ANSWER = f"""
    INSERT INTO labeling_seat AS held
        (rater_id, campaign_id, answered, active_ms, clock_ms, granted_ms)
    VALUES (%(rater)s, %(campaign)s, 1, %(first)s, %(since)s + %(first)s, %(first)s)
    ON CONFLICT (rater_id, campaign_id) DO UPDATE SET
        answered = held.answered + 1,
        active_ms = held.active_ms + {_GRANT},
        clock_ms = {_FROM} + {_GRANT},
        granted_ms = {_GRANT}
    RETURNING granted_ms, {_COLUMNS}
"""
_BY_VENDOR = {
    "sqlite": _ANSWER.format(greatest="MAX", least="MIN"),
    "postgresql": _ANSWER.format(greatest="GREATEST", least="LEAST"),
}


def hold(rater_id: int, campaign_id: int, *, more: Work = NOTHING) -> Work:
    """Hold the seat until the transaction ends, with so much ``more`` work; what it is now. The
    first of all locks: seat, assignment, comparison, iteration."""
    by = list(astuple(more)[:5])
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [rater_id, campaign_id, *(max(one, 0) for one in by[:2]), *by])
        return Work(*cursor.fetchone())


def answer(
    rater_id: int, campaign_id: int, *, claimed_ms: int, since: datetime, now: datetime
) -> tuple[int, Work]:
    """Hold the seat, with one answer more; the milliseconds that it is granted, and what the
    seat's work is now. ``since`` is when its card was handed out."""
    start, end = (int(at.timestamp() * 1000) for at in (since, now))
    said = {"rater": rater_id, "campaign": campaign_id, "claimed": claimed_ms}
    first = max(0, min(claimed_ms, end - start))
    with connection.cursor() as cursor:
        values = {**said, "since": start, "now": end, "first": first}
        cursor.execute(_BY_VENDOR[connection.vendor], values)
        granted, *work = cursor.fetchone()
    return granted, Work(*work)


def work(rater: User, campaign: Campaign) -> Work:
    """What this rater's answers in force in this campaign come to."""
    row = Seat.objects.filter(rater=rater, campaign=campaign).first()
    return work_of(row) if row else NOTHING


def work_of(seat: Seat) -> Work:
    return Work(
        seat.answered,
        seat.active_ms,
        seat.answered_before,
        seat.active_ms_before,
        seat.micros_before,
        seat.answers_unread,
        seat.stage,
        seat.attempt,
        seat.confirmed,
    )


def enter(rater_id: int, campaign_id: int, stage: str) -> None:
    """Say how far a rater is in a campaign's training and test. Inside a transaction that holds
    the seat."""
    Seat.objects.filter(rater=rater_id, campaign=campaign_id).update(stage=stage)


def confirm(rater_id: int, campaign_id: int, number: int) -> None:
    """Keep which guidelines a rater confirmed last. Inside a transaction that holds the seat."""
    rows = Seat.objects.filter(rater=rater_id, campaign=campaign_id, confirmed__lt=number)
    rows.update(confirmed=number)


def learn(campaign: Campaign, accuracies: Mapping[int, float | None]) -> None:
    """Keep how often each rater is right, one seat at a time: an answer waits for its own."""
    for rater, accuracy in accuracies.items():
        Seat.objects.filter(rater=rater, campaign=campaign).update(accuracy=accuracy)


def answers(campaign: Campaign) -> int:
    """Answers in force of all raters."""
    rows = Seat.objects.filter(campaign=campaign)
    return int(rows.aggregate(n=Sum("answered"))["n"] or 0)

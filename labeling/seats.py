"""A rater's seat in a campaign: how many answers they gave there and how long they worked on them,
kept and not counted.

Whoever hands a rater cards or takes their answers holds their seat first, so that two tabs of
one rater come one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from labeling.models import Campaign, Seat, User


@dataclass(frozen=True)
class Work:
    """What a rater's answers in force come to, or what one more or less changes of it."""

    answered: int = 0
    active_ms: int = 0


NOTHING = Work()
# One statement for the lock, the counts and the first time: Django has no such upsert.
_HOLD = """
    INSERT INTO labeling_seat AS held (rater_id, campaign_id, answered, active_ms)
    VALUES (%s, %s, %s, %s) ON CONFLICT (rater_id, campaign_id)
    DO UPDATE SET answered = held.answered + %s, active_ms = held.active_ms + %s
    RETURNING answered, active_ms
"""


def hold(rater_id: int, campaign_id: int, *, more: Work = NOTHING) -> Work:
    """Hold the seat until the transaction ends, with so much ``more`` work; what it is now. The
    first of all locks: seat, assignment, comparison, iteration."""
    by = [more.answered, more.active_ms]
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [rater_id, campaign_id, *(max(one, 0) for one in by), *by])
        return Work(*cursor.fetchone())


def work(rater: User, campaign: Campaign) -> Work:
    """What this rater's answers in force in this campaign come to."""
    row = Seat.objects.filter(rater=rater, campaign=campaign).first()
    return work_of(row) if row else NOTHING


def work_of(seat: Seat) -> Work:
    return Work(seat.answered, seat.active_ms)

"""A rater's seat in a campaign: how many answers they gave there, kept and not counted.

Whoever hands a rater cards or takes their answers holds their seat first, so that two tabs of
one rater come one after the other.
"""

from __future__ import annotations

from django.db import connection

from labeling.models import Campaign, Seat, User

# One statement for the lock, the count and the first time: Django has no such upsert.
_HOLD = f"""
    INSERT INTO {Seat._meta.db_table} (rater_id, campaign_id, answered) VALUES (%s, %s, %s)
    ON CONFLICT (rater_id, campaign_id)
    DO UPDATE SET answered = {Seat._meta.db_table}.answered + %s
    RETURNING answered
"""


def hold(rater_id: int, campaign_id: int, *, more: int = 0) -> int:
    """Hold the seat until the transaction ends, with so many ``more`` answers; how many they are
    now. The first of all locks: seat, assignment, comparison, iteration."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [rater_id, campaign_id, max(more, 0), more])
        return int(cursor.fetchone()[0])


def answered(rater: User, campaign: Campaign) -> int:
    """How many answers of this rater are in force in this campaign."""
    rows = Seat.objects.filter(rater=rater, campaign=campaign)
    return rows.values_list("answered", flat=True).first() or 0

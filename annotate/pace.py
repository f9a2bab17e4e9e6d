"""Labels over time: the bars of a campaign's chart, and how fast people label now"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import Trunc
from django.utils import timezone

from annotate import numerals
from labeling.models import Label

SLOTS = 60  # bars of the chart, at most


@dataclass(frozen=True)
class Slot:
    """One bar: the labels of a minute, an hour or a day."""

    start: dt.datetime
    people: int
    others: int


def speed(labels: QuerySet[Label]) -> tuple[float, int]:
    """People's labels an hour and raters at work, over the last hour or since the first in it."""
    now = timezone.now()
    lately = labels.filter(source="person", created_at__gt=now - dt.timedelta(hours=1))
    working = Q(created_at__gt=now - dt.timedelta(minutes=10))
    found = lately.aggregate(
        n=Count("pk"),
        first=Min("created_at"),
        at_work=Count("rater", distinct=True, filter=working),
    )
    if found["first"] is None:
        return 0.0, 0
    hours = max((now - found["first"]).total_seconds(), 60) / 3600
    return int(found["n"] or 0) / hours, int(found["at_work"] or 0)


def slots(labels: QuerySet[Label]) -> tuple[list[Slot], str]:
    """Labels per minute, hour or day, whichever gives at most some thirty bars."""
    ends = labels.aggregate(first=Min("created_at"), last=Max("created_at"))
    if ends["first"] is None:
        return [], ""
    length = (ends["last"] - ends["first"]).total_seconds()
    per, seconds = next(
        unit
        for unit in (("minute", 60), ("hour", 3600), ("day", 86400))
        if length / unit[1] < 30 or unit[0] == "day"
    )
    last = int(ends["last"].timestamp()) // seconds
    first = max(int(ends["first"].timestamp()) // seconds, last - SLOTS + 1)
    counts = _per_slot(labels, per, seconds, first)
    return [
        Slot(
            dt.datetime.fromtimestamp(slot * seconds, dt.UTC),
            counts[slot, True],
            counts[slot, False],
        )
        for slot in range(first, last + 1)
    ], per


def _per_slot(
    labels: QuerySet[Label], per: str, seconds: int, first: int
) -> Counter[tuple[int, bool]]:
    """Labels by slot of time since 1970, and whether people gave them."""
    since = dt.datetime.fromtimestamp(first * seconds, dt.UTC)
    at = Trunc("created_at", per, tzinfo=dt.UTC)
    rows = labels.filter(created_at__gte=since).annotate(at=at).order_by()
    counts: Counter[tuple[int, bool]] = Counter()
    for start, source, n in rows.values_list("at", "source").annotate(n=Count("pk")):
        counts[int(start.timestamp()) // seconds, source == "person"] += n
    return counts


def stamp(start: dt.datetime, per: str) -> str:
    return numerals.day(start) if per == "day" else start.strftime("%H:%M")


def time_left(done: int, target: int, hourly: float) -> float | None:
    """Seconds until the target at this speed; None when nobody is labelling or it is met."""
    return (target - done) / hourly * 3600 if hourly > 0 and done < target else None

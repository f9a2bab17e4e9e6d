"""Labels over time: the bars of a campaign's chart, and how fast people label now"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import Trunc
from django.utils import timezone

from annotate import numerals
from labeling.models import Campaign, Label, Seat

SLOTS = 60  # bars of the chart, at most
SLACK = dt.timedelta(minutes=5)  # between an answer's moment and its card's


@dataclass(frozen=True)
class Slot:
    """One bar: the labels of a minute, an hour or a day."""

    start: dt.datetime
    people: int
    others: int


def speed(campaign: Campaign, labels: QuerySet[Label]) -> tuple[float, int]:
    """People's labels an hour and raters at work, over the last hour or since the first in it."""
    now = timezone.now()
    since = now - dt.timedelta(hours=1)
    lately = labels.filter(source="person", created_at__gt=since)
    # A card leaves its rater's hands when its answer is given: so the index of each rater has it.
    lately = lately.filter(
        assignment__rater__in=Seat.objects.filter(campaign=campaign).values("rater"),
        assignment__campaign=campaign,
        assignment__submitted_at__gt=since - SLACK,
    )
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


def slots(labels: QuerySet[Label], hours: list[Slot]) -> tuple[list[Slot], str]:
    """Labels per minute, hour or day, whichever gives at most some thirty bars. ``hours`` are
    theirs, each with a label, the oldest first."""
    if not hours:
        return [], ""
    length = hours[-1].start - hours[0].start
    if length <= dt.timedelta(hours=1):  # in which there are not too many to be looked at
        return _of_labels(labels)
    per, seconds = ("hour", 3600) if length < dt.timedelta(hours=30) else ("day", 86400)
    counts: Counter[tuple[int, bool]] = Counter()
    for one in hours:
        place = int(one.start.timestamp()) // seconds
        counts[place, True] += one.people
        counts[place, False] += one.others
    first, last = (int(one.start.timestamp()) // seconds for one in (hours[0], hours[-1]))
    return _bars(counts, first, last, seconds), per


def _of_labels(labels: QuerySet[Label]) -> tuple[list[Slot], str]:
    """Per minute, or per hour where that gives too many bars."""
    ends = labels.aggregate(first=Min("created_at"), last=Max("created_at"))
    if ends["first"] is None:
        return [], ""
    length = (ends["last"] - ends["first"]).total_seconds()
    per, seconds = ("minute", 60) if length / 60 < 30 else ("hour", 3600)
    first, last = (int(ends[name].timestamp()) // seconds for name in ("first", "last"))
    return _bars(_per_slot(labels, per, seconds, first), first, last, seconds), per


def _bars(counts: Counter[tuple[int, bool]], first: int, last: int, seconds: int) -> list[Slot]:
    return [
        Slot(
            dt.datetime.fromtimestamp(place * seconds, dt.UTC),
            counts[place, True],
            counts[place, False],
        )
        for place in range(max(first, last - SLOTS + 1), last + 1)
    ]


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

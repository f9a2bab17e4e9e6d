"""What raters earned in some days: sums over the labels themselves, each at its rate.

A line is one rater's work in one campaign at one rate. Its amount is exact until it is rounded
once, to the decimals of its currency; totals are sums of lines, so that they always agree. Paid
is what is in force and not put aside by a lead: a label that checks its rater or repeats another
is work like any, and nothing here tells which were those.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db.models import Count
from django.utils import timezone

from labeling import rates, tallies
from labeling.currencies import DECIMALS
from labeling.models import Campaign, Exclusion, PayRate, Seat, SendBack, User

SHOWN_REASONS = 50


@dataclass(frozen=True)
class Period:
    """Whole days, the last one included, from midnight to midnight in the installation's time
    zone: a day on which clocks are put forward has 23 hours."""

    starts: date
    ends: date

    @classmethod
    def month(cls, day: date) -> Period:
        first = day.replace(day=1)
        return cls(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))

    @property
    def is_month(self) -> bool:
        return self == Period.month(self.starts)

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """When it begins, and the first moment that is not of it."""
        return _midnight(self.starts), _midnight(self.ends + timedelta(days=1))

    def is_over(self, now: datetime | None = None) -> bool:
        return (now or timezone.now()) >= self.bounds[1]


@dataclass(frozen=True)
class Line:
    """``labels`` are in force, ``accepted`` those of them that are paid, ``active_ms`` the time of
    these. ``about`` is the closed period that a correction corrects."""

    campaign: int
    rater: int
    rate: PayRate | None
    labels: int
    accepted: int
    active_ms: int
    amount: Decimal
    currency: str
    kind: str = "work"
    about: int | None = None

    @property
    def put_aside(self) -> int:
        return self.labels - self.accepted


@dataclass(frozen=True)
class Unpaid:
    """What is not paid of a rater's work in a campaign, and why: answers that were sent back and
    not given again, with the lead's reasons, and acts that put labels aside."""

    sent_back: int
    returned: list[SendBack]
    exclusions: list[Exclusion]


def today() -> date:
    return timezone.localdate()


def work(
    period: Period, *, campaigns: Iterable[Campaign] | None = None, rater: User | None = None
) -> list[Line]:
    """The lines of people's work of these days, by campaign, rater and rate: of these campaigns,
    of this rater, or both. A fixed number of queries."""
    begins, ends = period.bounds
    where: Any = None if campaigns is None else [campaign.pk for campaign in campaigns]
    if where is None and rater is not None:
        where = Seat.objects.filter(rater=rater).values("campaign")
    whose = rater.pk if rater else None
    wanted = tallies.Wanted(("paid",), where, rater=whose, since=begins, until=ends)
    return lines(tallies.of(wanted))


def lines(
    sums: tallies.Sums, about: Callable[[datetime], int | None] = lambda day: None
) -> list[Line]:
    """Paid work as lines, apart by what each day is ``about``: the period of a correction."""
    found: dict[tuple[int, int, int, int], Totals] = defaultdict(Totals)
    for key, one in sums.items():
        totals = found[key.campaign, key.rater, key.about, about(key.at) or 0]
        totals.labels += one.n
        if not key.excluded:
            totals.accepted += one.n
            totals.active_ms += one.active_ms
    known = PayRate.objects.in_bulk({rate for _, _, rate, _ in found if rate})
    return [
        _line(campaign, rater, known.get(rate), about or None, found[campaign, rater, rate, about])
        for campaign, rater, rate, about in sorted(found)
    ]


@dataclass
class Totals:
    labels: int = 0
    accepted: int = 0
    active_ms: int = 0


def _line(
    campaign: int, rater: int, rate: PayRate | None, about: int | None, totals: Totals
) -> Line:
    spent, currency = totals.active_ms, rate.currency if rate else ""
    exact = rates.worth(rate.per, rate.amount, totals.accepted, spent) if rate else Decimal(0)
    return Line(
        campaign=campaign,
        rater=rater,
        rate=rate,
        labels=totals.labels,
        accepted=totals.accepted,
        active_ms=spent,
        amount=rounded(exact, currency),
        currency=currency,
        about=about,
    )


def rounded(amount: Decimal, currency: str) -> Decimal:
    """To the currency's own decimals, halves away from zero."""
    return amount.quantize(Decimal(1).scaleb(-DECIMALS.get(currency, 2)), ROUND_HALF_UP)


def totals(lines: Iterable[Any]) -> list[tuple[str, Decimal]]:
    """The sum of the lines in each currency."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        if line.currency:
            sums[line.currency] += line.amount
    return sorted(sums.items())


def unpaid(rater: User, period: Period) -> dict[int, Unpaid]:
    """By campaign. A fixed number of queries; of the reasons the newest."""
    begins, ends = period.bounds
    returned = SendBack.objects.filter(
        rater=rater,
        taken_back_at=None,
        label__created_at__gte=begins,
        label__created_at__lt=ends,
        label__superseded_by__kind="withdrawn",
        label__superseded_by__superseded_by__isnull=True,  # not answered again
    )
    counts = returned.order_by().values_list("campaign").annotate(n=Count("pk"))
    shown: dict[int, list[SendBack]] = defaultdict(list)
    for one in returned.order_by("-id")[:SHOWN_REASONS]:
        shown[one.campaign_id].append(one)
    acts: dict[int, list[Exclusion]] = defaultdict(list)
    in_force = Exclusion.objects.filter(rater=rater, state__in=("applying", "applied"))
    for act in in_force.filter(from_at__lt=ends, until__gte=begins).order_by("pk"):
        acts[act.campaign_id].append(act)
    numbers = dict(counts)
    return {
        campaign: Unpaid(numbers.get(campaign, 0), shown[campaign], acts[campaign])
        for campaign in {*numbers, *acts}
    }


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()), timezone.get_default_timezone())

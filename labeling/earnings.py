"""What raters earned in some days: counted from the labels themselves, each at its rate.

A line is one rater's work in one campaign at one rate. Its amount is exact until it is rounded
once, to the decimals of its currency; totals are sums of lines, so that they always agree. Paid
is what is in force and not put aside by a lead: a label that checks its rater or repeats another
is work like any, and nothing here tells which were those.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils import timezone

from labeling import accepted, rates
from labeling.currencies import DECIMALS
from labeling.models import Campaign, Exclusion, Label, PayRate, SendBack, User

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
    """The lines of all people's work of these days, by campaign, rater and rate. One query for
    the labels, which are counted by the database, and one for the rates."""
    begins, ends = period.bounds
    rows = paid_work().filter(created_at__gte=begins, created_at__lt=ends)
    # What is in force was handed in when its card left the rater's hands: so the index has it.
    rows = rows.filter(assignment__submitted_at__gte=begins, assignment__submitted_at__lt=ends)
    if rater is not None:
        rows = rows.filter(rater=rater, assignment__rater=rater)
    if campaigns is not None:
        rows = rows.filter(assignment__campaign__in=campaigns)
    return summed(rows)


def paid_work() -> QuerySet[Label]:
    """Answers of people in force; a lead's own decision about a card is none."""
    return Label.objects.filter(
        accepted.in_force(), rater__kind="person", adjudication__isnull=True
    )


def summed(rows: QuerySet[Label], *by: str) -> list[Line]:
    """Labels as lines; ``by`` may name an annotation, the period that a line is about."""
    in_force = PayRate.objects.filter(
        campaign=OuterRef("assignment__campaign"), from_at__lte=OuterRef("created_at")
    )
    rate = Subquery(in_force.order_by("-from_at").values("pk")[:1])
    is_paid = Q(set_aside__exclusion__isnull=True)
    found = list(
        rows.order_by()
        .annotate(rate=rate)
        .values("assignment__campaign", "rater", "rate", *by)
        .annotate(
            n=Count("pk"),
            accepted=Count("pk", filter=is_paid),
            spent=Sum("active_ms", filter=is_paid),
        )
        .order_by("assignment__campaign", "rater", "rate", *by)
    )
    known = PayRate.objects.in_bulk({row["rate"] for row in found if row["rate"]})
    return [_line(row, known.get(row["rate"]), *by) for row in found]


def _line(row: dict[str, Any], rate: PayRate | None, about: str = "") -> Line:
    spent = row["spent"] or 0
    currency = rate.currency if rate else ""
    exact = rates.worth(rate.per, rate.amount, row["accepted"], spent) if rate else Decimal(0)
    return Line(
        campaign=row["assignment__campaign"],
        rater=row["rater"],
        rate=rate,
        labels=row["n"],
        accepted=row["accepted"],
        active_ms=spent,
        amount=rounded(exact, currency),
        currency=currency,
        about=row[about] if about else None,
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

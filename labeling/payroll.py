"""A campaign's pay of some days: looked at while it grows, then closed. What a closed period says
stays as it is; what changed behind it since is a correction in the next one.

Nothing here pays anybody: the lines leave as a file for whoever does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from labeling import earnings, tallies
from labeling.earnings import Line, Period
from labeling.models import Campaign, PayDispute, PayRate, PayrollLine, PayrollPeriod, User
from models_runtime import audit
from models_runtime.phrases import phrase

Key = tuple[int, int, int | None]  # the period it is about, the rater, the rate


class CannotClose(ValueError):
    """Nothing was changed; says why in one sentence."""


@dataclass(frozen=True)
class Payroll:
    """The lines of a period; ``closed`` is its row once they are settled for good."""

    lines: list[Line]
    closed: PayrollPeriod | None = None


def of(campaign: Campaign, period: Period) -> Payroll:
    """What stands in the books where the period is closed; what would if it were closed now."""
    closed = closed_as(campaign, period)
    if closed:
        return Payroll([_booked(line) for line in _lines(closed)], closed)
    if overlapping(campaign, period).exists():
        return Payroll(earnings.work(period, campaigns=[campaign]))
    return Payroll(_due(campaign, period))


def of_all(campaigns: Iterable[Campaign], period: Period) -> tuple[list[Line], set[int]]:
    """The lines of several campaigns, and which of them are closed for these days. The lines of
    others are of work alone. A fixed number of queries, whatever there are."""
    wanted = {campaign.pk: campaign for campaign in campaigns}
    rows = PayrollPeriod.objects.filter(
        campaign__in=wanted, starts=period.starts, ends=period.ends
    )
    closed = {row.campaign_id: row for row in rows}
    booked = PayrollLine.objects.filter(period__in=closed.values())
    found = [_booked(line) for line in booked.select_related("rate", "period").order_by("pk")]
    still_open = [row for pk, row in wanted.items() if pk not in closed]
    return [*found, *earnings.work(period, campaigns=still_open)], set(closed)


def close(*, campaign: Campaign, period: Period, actor: User) -> PayrollPeriod:
    """Settle the period. Of two leads at once one does. Raises CannotClose for days that are not
    over, of which some are settled already, or before which some never would be."""
    if not period.is_over():
        raise CannotClose(phrase("These days are not over: close the period when they are."))
    with transaction.atomic():
        Campaign.objects.select_for_update().only("pk").get(pk=campaign.pk)
        if overlapping(campaign, period).exists():
            raise CannotClose(phrase("Some of these days are in a closed period already."))
        if campaign.payroll_periods.filter(starts__gt=period.starts).exists():
            raise CannotClose(phrase("A later period is closed: periods are closed in order."))
        if day := _unsettled_before(campaign, period):
            raise CannotClose(
                phrase("Answers since %(day)s are not settled: close those days first.", day=day)
            )
        lines = _due(campaign, period)
        made = PayrollPeriod.objects.create(
            campaign=campaign,
            starts=period.starts,
            ends=period.ends,
            zone=settings.TIME_ZONE,
            closed_by=actor,
            closed_at=timezone.now(),
        )
        PayrollLine.objects.bulk_create((_row(made, line) for line in lines), batch_size=500)
        said = {"starts": str(period.starts), "ends": str(period.ends), "lines": len(lines)}
        sums = {currency: str(amount) for currency, amount in earnings.totals(lines)}
        data = {**said, "totals": sums}
        audit.record(verb="payroll closed", obj=campaign, actor=actor, data=data)
    return made


def closed_as(campaign: Campaign, period: Period) -> PayrollPeriod | None:
    rows = campaign.payroll_periods.select_related("closed_by")
    return rows.filter(starts=period.starts, ends=period.ends).first()


def overlapping(campaign: Campaign, period: Period) -> QuerySet[PayrollPeriod]:
    return campaign.payroll_periods.filter(starts__lte=period.ends, ends__gte=period.starts)


def booked_for(rater: User, period: Period) -> dict[int, Payroll]:
    """A rater's lines of exactly this period by campaign, where it is closed."""
    found: dict[int, Payroll] = {}
    closed = PayrollPeriod.objects.filter(
        campaign__seats__rater=rater, starts=period.starts, ends=period.ends
    )
    for row in closed:
        found[row.campaign_id] = Payroll([], row)
    lines = PayrollLine.objects.filter(rater=rater, period__in=closed)
    for line in lines.select_related("rate", "period").order_by("pk"):
        found[line.period.campaign_id].lines.append(_booked(line))
    return found


def _due(campaign: Campaign, period: Period) -> list[Line]:
    """Work, what was granted after disputes, and corrections of earlier periods."""
    earlier = list(campaign.payroll_periods.filter(ends__lt=period.starts).order_by("starts"))
    begins, ends = period.bounds
    since = min([begins, *(Period(row.starts, row.ends).bounds[0] for row in earlier)])
    sums = tallies.of(tallies.Wanted(("paid",), [campaign.pk], since=since, until=ends))
    work = earnings.lines({key: one for key, one in sums.items() if key.at >= begins})
    return [*work, *_granted(campaign, period), *_corrections(campaign, earlier, sums)]


def _unsettled_before(campaign: Campaign, period: Period) -> str:
    """The day of the first work between the last closed period and this one, which no later
    period would ever pay; empty where there is none."""
    last = campaign.payroll_periods.order_by("-ends").first()
    since = Period(last.starts, last.ends).bounds[1] if last else None
    found = tallies.of(
        tallies.Wanted(("paid",), [campaign.pk], since=since, until=period.bounds[0])
    )
    first = min((key.at for key in found), default=None)
    return str(timezone.localtime(first, timezone.get_default_timezone()).date()) if first else ""


def _granted(campaign: Campaign, period: Period) -> list[Line]:
    begins, ends = period.bounds
    rows = PayDispute.objects.filter(
        campaign=campaign,
        state="upheld",
        granted__gt=0,
        answered_at__gte=begins,
        answered_at__lt=ends,
    )
    return [
        Line(campaign.pk, row.rater_id, None, 0, 0, 0, row.granted, row.currency, "granted")
        for row in rows.order_by("pk")
    ]


def _corrections(
    campaign: Campaign, earlier: list[PayrollPeriod], sums: tallies.Sums
) -> list[Line]:
    """For each rater and rate of a period closed before, what its work comes to now, less what
    was booked for it."""
    if not earlier:
        return []
    booked, now = _booked_for(earlier), _now(earlier, sums)
    rates = PayRate.objects.filter(campaign=campaign).in_bulk()
    found = []
    for key in sorted({*booked, *now}, key=str):
        about, rater, rate = key
        paid = rates.get(rate) if rate else None
        labels, accepted, spent, amount = (
            one - other for one, other in zip(now[key], booked[key], strict=True)
        )
        if any((labels, accepted, spent, amount)):
            currency = paid.currency if paid else ""
            line = Line(campaign.pk, rater, paid, int(labels), int(accepted), int(spent), amount,
                        currency, "correction", about)  # fmt: skip
            found.append(line)
    return found


Sums = tuple[Decimal, Decimal, Decimal, Decimal]  # labels, accepted, milliseconds, amount
NOTHING: Sums = (Decimal(0), Decimal(0), Decimal(0), Decimal(0))


def _now(periods: list[PayrollPeriod], sums: tallies.Sums) -> defaultdict[Key, Sums]:
    found: defaultdict[Key, Sums] = defaultdict(lambda: NOTHING)
    bounds = {row.pk: Period(row.starts, row.ends).bounds for row in periods}

    def about(day: datetime) -> int:
        return next((pk for pk, (begins, ends) in bounds.items() if begins <= day < ends), 0)

    for line in earnings.lines(sums, about):
        if line.about is not None:
            key = (line.about, line.rater, line.rate.pk if line.rate else None)
            found[key] = _sums(line.labels, line.accepted, line.active_ms, line.amount)
    return found


def _booked_for(periods: list[PayrollPeriod]) -> defaultdict[Key, Sums]:
    """What the books say of each period, corrections in later ones included."""
    found: defaultdict[Key, Sums] = defaultdict(lambda: NOTHING)
    within = Q(period__in=periods, kind="work") | Q(about__in=periods)
    rows = PayrollLine.objects.filter(within).order_by()
    sums = rows.values_list("period", "about", "rater", "rate", "kind").annotate(
        Sum("labels"), Sum("accepted"), Sum("active_ms"), Sum("amount")
    )
    for period, about, rater, rate, _kind, *more in sums:
        key = (about or period, rater, rate)
        added = zip(found[key], _sums(*more), strict=True)
        found[key] = _sums(*(one + other for one, other in added))
    return found


def _sums(labels: Any, accepted: Any, spent: Any, amount: Any) -> Sums:
    """SQLite adds decimals as floats: an amount has the four decimals of its column."""
    money = Decimal(amount).quantize(Decimal("0.0001"))
    return Decimal(labels), Decimal(accepted), Decimal(spent), money


def _lines(period: PayrollPeriod) -> QuerySet[PayrollLine]:
    return period.lines.select_related("rate", "period").order_by("pk")


def _booked(row: PayrollLine) -> Line:
    return Line(
        campaign=row.period.campaign_id,
        rater=row.rater_id,
        rate=row.rate,
        labels=row.labels,
        accepted=row.accepted,
        active_ms=row.active_ms,
        amount=earnings.rounded(row.amount, row.currency),
        currency=row.currency,
        kind=row.kind,
        about=row.about_id,
    )


def _row(period: PayrollPeriod, line: Line) -> PayrollLine:
    return PayrollLine(
        period=period,
        rater_id=line.rater,
        kind=line.kind,
        rate=line.rate,
        about_id=line.about,
        labels=line.labels,
        accepted=line.accepted,
        active_ms=line.active_ms,
        currency=line.currency,
        amount=line.amount,
    )

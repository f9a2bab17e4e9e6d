"""What a campaign has cost and will cost, the most it may cost, and until when.

What was spent is what people's answers in force come to, of all kinds, as their seats keep it
(seats.py): nothing is summed over labels. A tick looks every two seconds. Where a limit is reached
it pauses the campaign, so that no new card is handed out; what raters hold already, up to three
cards each, they may finish.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from labeling import campaigns, pay
from labeling.models import Budget, Campaign, Seat, SpendPoint, User
from labeling.pay import HOUR_MS
from labeling.statistics.estimates import Estimate
from labeling.statistics.ratios import ratio
from models_runtime import audit
from models_runtime.phrases import phrase
from models_runtime.states import StaleState

MARK = 0.8  # of a limit: from here on a page says so
POINT_SECONDS = 60  # the newest point of the curve is at most so old
PACE_DAYS = 7  # over which the pace is taken
CENTS = Decimal("0.0001")  # as the column
LEAST_PACE = timedelta(minutes=10)  # a shorter look at it would be none


class Refused(ValueError):
    """Nothing was changed; says why in one sentence."""


@dataclass(frozen=True)
class Limits:
    """The most of each; None sets no limit. ``zone`` is where the deadline was written."""

    labels: int | None = None
    hours: Decimal | None = None
    money: Decimal | None = None
    deadline: datetime | None = None
    zone: str = "UTC"

    @property
    def any(self) -> bool:
        return any(value is not None for value in (self.labels, self.hours, self.money))


@dataclass(frozen=True)
class Spent:
    """``money`` in the currency of the campaign's pay; None where no pay is settled."""

    labels: int = 0
    active_ms: int = 0
    money: Decimal | None = None

    @property
    def hours(self) -> Decimal:
        return Decimal(self.active_ms) / HOUR_MS


@dataclass(frozen=True)
class Use:
    """How much of one limit is used."""

    limit: str  # as Budget.LIMITS
    spent: Decimal
    most: Decimal

    @property
    def share(self) -> float:
        return float(self.spent / self.most) if self.most else 1.0


@dataclass(frozen=True)
class Projection:
    """What all comes to once ``left`` more labels are there, if they take as long and cost as much
    as those so far: ``hours`` and ``money`` with 95 % intervals over raters."""

    left: int
    labels: int
    seconds: Estimate  # of one label
    hours: Estimate
    money: Estimate | None


def limits_of(campaign: Campaign) -> Limits:
    row = Budget.objects.filter(campaign=campaign).first()
    return _limits(row) if row else Limits()


def deadlines(among: Iterable[Campaign]) -> dict[int, Budget]:
    """Of those that have one, by the campaign's id."""
    rows = Budget.objects.filter(campaign__in=list(among), deadline__isnull=False)
    return {row.campaign_id: row for row in rows}


def settle(*, campaign: Campaign, limits: Limits, actor: User | None = None) -> None:
    """Put limits in force from the next look on. Raises Refused for what cannot be."""
    check(limits, campaign.pay_per)
    stored = asdict(limits)
    with transaction.atomic():
        before = Budget.objects.select_for_update().filter(campaign=campaign).first()
        if (before and _limits(before) == limits) or (not before and limits == Limits()):
            return
        Budget.objects.update_or_create(campaign=campaign, defaults=stored)
        said = {name: None if value is None else str(value) for name, value in stored.items()}
        audit.record(verb="budget settled", obj=campaign, actor=actor, data=said)


def check(limits: Limits, pay_per: str) -> None:
    """Raises Refused for a limit of nothing, money without pay, or a zone there is none of."""
    if limits.labels is not None and limits.labels < 1:
        raise Refused(phrase("A budget has at least one label."))
    if limits.hours is not None and limits.hours <= 0:
        raise Refused(phrase("Write a number of hours above 0."))
    if limits.money is not None and limits.money <= 0:
        raise Refused(phrase("Write an amount above 0."))
    if limits.money is not None and not pay_per:
        raise Refused(phrase("Settle what is paid first: without it, nothing counts as money."))
    try:
        ZoneInfo(limits.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Refused(phrase("There is no time zone of that name.")) from None


def of(campaign: Campaign) -> Spent:
    """What people's work in a campaign comes to so far."""
    rows = Seat.objects.filter(campaign=campaign, rater__kind="person")
    seats = list(rows.values_list("answered", "active_ms"))
    labels = sum(answered for answered, _ in seats)
    active_ms = sum(ms for _, ms in seats)
    owed = pay.owed(campaign)
    return Spent(labels, active_ms, None if owed is None else owed.quantize(CENTS))


def uses(limits: Limits, spent: Spent) -> list[Use]:
    """Of every limit that is set but the deadline, the most used first."""
    pairs = (
        ("labels", Decimal(spent.labels), limits.labels),
        ("hours", spent.hours, limits.hours),
        ("money", spent.money or Decimal(0), limits.money),
    )
    found = [Use(name, used, Decimal(most)) for name, used, most in pairs if most is not None]
    return sorted(found, key=lambda use: -use.share)


def share_used(campaign: Campaign) -> float | None:
    """The largest share used of a campaign's limits, 1.0 and above when one is reached; None
    where it has none."""
    limits = limits_of(campaign)
    found = uses(limits, of(campaign)) if limits.any else []
    return found[0].share if found else None


def projection(campaign: Campaign, spent: Spent, left: int) -> Projection:
    """What ``left`` more labels will make of it, at the time that labels took so far and the pay
    of now."""
    rows = Seat.objects.filter(campaign=campaign, rater__kind="person", answered__gt=0)
    seats = list(rows.values_list("active_ms", "answered"))
    seconds = ratio([ms / 1000 for ms, _ in seats], [n for _, n in seats])
    return Projection(
        left,
        spent.labels + left,
        seconds,
        _scaled(seconds, left / 3600, float(spent.hours)),
        _money(campaign, spent, seconds, left),
    )


def pace(campaign: Campaign, spent: Spent, now: datetime | None = None) -> float | None:
    """People's labels a day, over the last week or since the first look; None where that was too
    short to say, or nobody labels."""
    now = now or timezone.now()
    since = SpendPoint.objects.filter(campaign=campaign, at__gte=now - timedelta(days=PACE_DAYS))
    first = since.order_by("hour").first()
    if first is None or now - first.at < LEAST_PACE or spent.labels <= first.labels:
        return None
    return (spent.labels - first.labels) / ((now - first.at) / timedelta(days=1))


def done_at(left: int, per_day: float | None, now: datetime | None = None) -> datetime | None:
    """When so many labels more will be there; None where that is not known or too far away."""
    if not per_day or left / per_day > 3_650:
        return None
    return (now or timezone.now()) + timedelta(days=left / per_day)


def why_not_open(campaign: Campaign, now: datetime | None = None) -> str:
    """Why the campaign would pause again at once, in one sentence; empty where it would not."""
    limits = limits_of(campaign)
    return _SAID.get(_reached(limits, campaign, now or timezone.now()), "")


def resume(campaign: Campaign, *, actor: User | None = None) -> None:
    """Open a paused campaign again. Raises Refused where a limit is still reached, and
    states.StaleState when it is not paused."""
    if why := why_not_open(campaign):
        raise Refused(why)
    with transaction.atomic():
        campaigns.move(campaign, "open", actor=actor)
        Budget.objects.filter(campaign=campaign).update(stopped_by="", stopped_at=None)


def keep(now: datetime | None = None) -> int:
    """Pause every open campaign that has reached a limit; how many. Safe to repeat, and at once
    with itself."""
    now = now or timezone.now()
    limited = Q(labels=None, hours=None, money=None, deadline=None)
    rows = Budget.objects.filter(campaign__state="open").exclude(limited)
    stopped = 0
    for budget in rows.select_related("campaign"):
        if name := _reached(_limits(budget), budget.campaign, now):
            stopped += _stop(budget, name, now)
    return stopped


def draw_points(now: datetime | None = None) -> int:
    """Keep the curves of open campaigns up to date: one point an hour, where something changed;
    how many were written."""
    now = now or timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    newest = dict(SpendPoint.objects.filter(hour=hour).values_list("campaign", "at"))
    due = now - timedelta(seconds=POINT_SECONDS)
    open_ones = Campaign.objects.filter(state="open")
    return sum(
        _draw(campaign, hour, now) for campaign in open_ones if newest.get(campaign.pk, due) <= due
    )


def curve(campaign: Campaign) -> list[SpendPoint]:
    """All points, the oldest first."""
    return list(SpendPoint.objects.filter(campaign=campaign).order_by("hour"))


_SAID = {
    "labels": phrase("The budget of labels is used up: raise it, then resume."),
    "hours": phrase("The budget of active hours is used up: raise it, then resume."),
    "money": phrase("The budget of money is used up: raise it, then resume."),
    "deadline": phrase("The deadline is over: set a later one, then resume."),
}


def _limits(row: Budget) -> Limits:
    return Limits(row.labels, row.hours, row.money, row.deadline, row.zone)


def _reached(limits: Limits, campaign: Campaign, now: datetime) -> str:
    """The first limit that is reached, by name; empty for none."""
    if limits.deadline and limits.deadline <= now:
        return "deadline"
    if not limits.any:
        return ""
    return next((use.limit for use in uses(limits, of(campaign)) if use.share >= 1), "")


def _stop(budget: Budget, name: str, now: datetime) -> int:
    with transaction.atomic():
        try:
            campaigns.move(budget.campaign, "paused")
        except StaleState:  # somebody else was first
            return 0
        Budget.objects.filter(pk=budget.pk).update(stopped_by=name, stopped_at=now)
        said: dict[str, Any] = {"limit": name}
        audit.record(verb="budget reached", obj=budget.campaign, reason=_SAID[name], data=said)
    return 1


def _draw(campaign: Campaign, hour: datetime, now: datetime) -> int:
    spent = of(campaign)
    last = SpendPoint.objects.filter(campaign=campaign).order_by("-hour").first()
    if last and (last.labels, last.active_ms, last.money) == (
        spent.labels,
        spent.active_ms,
        spent.money,
    ):
        return 0
    SpendPoint.objects.update_or_create(
        campaign=campaign, hour=hour, defaults={"at": now, **asdict(spent)}
    )
    return 1


def _money(campaign: Campaign, spent: Spent, seconds: Estimate, left: int) -> Estimate | None:
    """By the label it is certain; by the hour as uncertain as the time."""
    if spent.money is None:
        return None
    so_far, rate = float(spent.money), float(campaign.pay_amount)
    if campaign.pay_per == "label":
        total = so_far + rate * left
        return Estimate(total, total, total, seconds.n)
    return _scaled(seconds, left * rate / 3600, so_far)


def _scaled(one: Estimate, times: float, more: float) -> Estimate:
    if one.value is None:
        return one if times else Estimate(more, more, more)
    ends = [None if end is None else more + times * end for end in (one.value, one.low, one.high)]
    assert ends[0] is None or math.isfinite(ends[0])
    return Estimate(ends[0], ends[1], ends[2], one.n)

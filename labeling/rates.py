"""What a campaign pays, and since when: versions that are only ever added to, so that a new rate
changes nothing of what was earned.

The first rate of a campaign holds from its beginning; each other one from the moment that it is
settled. An answer is worth what was paid when it was given. On cards that comes from the seat's
counters (Work), where a new rate puts what was earned before it aside; statements and payrolls
count the labels themselves (earnings.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from labeling.models import Campaign, Label, PayRate, Seat, User
from labeling.seats import Work, work_of

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)  # of the first rate: before every label
HOUR_MS = 3_600_000
MICROS = 1_000_000


def begin(
    campaign: Campaign, *, per: str, amount: Decimal, currency: str, actor: User | None = None
) -> PayRate:
    """Pay this from now on. Inside a transaction; of two leads at once one comes after the
    other."""
    Campaign.objects.select_for_update().only("pk").get(pk=campaign.pk)
    before = current(campaign)
    now = timezone.now()
    since = max(now, before.from_at + timedelta(microseconds=1)) if before else BEGINNING
    if before:
        _put_aside(campaign, before, currency)
    return PayRate.objects.create(
        campaign=campaign,
        per=per,
        amount=amount,
        currency=currency,
        from_at=since,
        created_by=actor,
    )


def current(campaign: Campaign) -> PayRate | None:
    return campaign.pay_rates.order_by("-from_at").first()


def of(campaigns: Iterable[Campaign]) -> dict[int, PayRate]:
    """All rates of these campaigns by id."""
    return PayRate.objects.filter(campaign__in=campaigns).order_by("from_at").in_bulk()


def is_from_beginning(rate: PayRate) -> bool:
    return rate.from_at == BEGINNING


def worth(per: str, amount: Decimal, answers: int, active_ms: int) -> Decimal:
    """What so many answers, given in so much active time, come to: exact, not rounded."""
    if per == "label":
        return amount * answers
    return amount * active_ms / HOUR_MS if per == "hour" else Decimal(0)


def earned(campaign: Campaign, work: Work) -> Decimal:
    """What a seat's work comes to in the currency of now, to a millionth of its unit."""
    answers, active_ms = (
        work.answered - work.answered_before,
        work.active_ms - work.active_ms_before,
    )
    at_this_rate = worth(campaign.pay_per, campaign.pay_amount, answers, active_ms)
    return Decimal(work.micros_before) / MICROS + at_this_rate


def taken_back(label: Label, campaign_id: int) -> Work:
    """What an answer that is taken back takes from its seat's work."""
    spent = label.active_ms or 0
    newer = PayRate.objects.filter(campaign=campaign_id, from_at__gt=label.created_at)
    if not newer.exists():
        return Work(-1, -spent)
    rate = at(campaign_id, label.created_at)
    now = PayRate.objects.filter(campaign=campaign_id).exclude(currency="").latest("from_at")
    counts = rate is not None and rate.currency == now.currency
    micros = _micros(rate, 1, spent) if rate and counts else 0
    return Work(-1, -spent, -1, -spent, -micros)


def at(campaign_id: int, when: datetime) -> PayRate | None:
    """The rate of a moment."""
    rows = PayRate.objects.filter(campaign=campaign_id, from_at__lte=when)
    return rows.order_by("-from_at").first()


def _put_aside(campaign: Campaign, before: PayRate, currency: str) -> None:
    """What seats earned up to now, so that the next rate counts from here. Cards show one
    currency: what was earned in another one stands on the statement."""
    paid = campaign.pay_rates.exclude(currency="").order_by("-from_at").first()
    changes = bool(currency and paid and paid.currency != currency)
    seats = list(Seat.objects.select_for_update().filter(campaign=campaign).order_by("pk"))
    for seat in seats:
        work = work_of(seat)
        answers = work.answered - work.answered_before
        more = _micros(before, answers, work.active_ms - work.active_ms_before)
        seat.micros_before = 0 if changes else seat.micros_before + more
        seat.answered_before, seat.active_ms_before = seat.answered, seat.active_ms
    Seat.objects.bulk_update(
        seats, ["micros_before", "answered_before", "active_ms_before"], batch_size=500
    )


def _micros(rate: PayRate, answers: int, active_ms: int) -> int:
    return int(worth(rate.per, rate.amount, answers, active_ms) * MICROS)

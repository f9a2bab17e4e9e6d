"""Time and pay: whether a campaign's raters see how long they worked and what it comes to so far.

What is counted is what is in force: an answer that was taken back counts no more, its time
neither. Each answer counts at the rate of its time (rates.py); nothing here pays anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from decimal import Decimal

from django.db import transaction

from labeling import rates, seats
from labeling.currencies import DECIMALS
from labeling.models import Campaign, Seat, User
from labeling.seats import Work
from models_runtime import audit
from models_runtime.phrases import phrase

MOST = Decimal("999999.9999")  # as the column
HOUR_MS = rates.HOUR_MS


@dataclass(frozen=True)
class Counters:
    """A campaign's settings. ``pay_per``: "label" pays each answer in force, "hour" each hour of
    active time, and "" shows no pay. The currency is a code of ISO 4217."""

    shows_time: bool = False
    pay_per: str = ""
    pay_amount: Decimal = Decimal(0)
    pay_currency: str = ""


@dataclass(frozen=True)
class Earned:
    """What a rater is shown of their own work. ``seconds`` is None where time is not shown,
    ``amount`` where pay is not; ``rate`` and ``per`` say how it is paid."""

    seconds: float | None
    amount: Decimal | None
    rate: Decimal
    per: str
    currency: str


def of(campaign: Campaign) -> Counters:
    return Counters(
        campaign.shows_time, campaign.pay_per, campaign.pay_amount, campaign.pay_currency
    )


def settle(*, campaign: Campaign, counters: Counters, actor: User | None = None) -> None:
    """Put a campaign's settings in force at once. A campaign's first rate of pay holds for what
    was answered before, too; another one from now on. Raises ValueError for pay that cannot be."""
    check(counters)
    before = of(campaign)
    if counters == before:
        return
    stored = asdict(counters)
    with transaction.atomic():
        if replace(before, shows_time=counters.shows_time) != counters:
            rates.begin(
                campaign,
                per=counters.pay_per,
                amount=counters.pay_amount,
                currency=counters.pay_currency,
                actor=actor,
            )
        Campaign.objects.filter(pk=campaign.pk).update(**stored)
        said = {**stored, "pay_amount": str(counters.pay_amount)}
        audit.record(verb="pay settled", obj=campaign, actor=actor, data=said)
    campaign.refresh_from_db(fields=list(stored))


def check(counters: Counters) -> None:
    """Raises ValueError for an unknown measure, no amount, or a code that is no currency's."""
    if counters.pay_per not in dict([("", ""), *Campaign.PAID]):
        raise ValueError(phrase("Pay is by the label or by the hour."))
    if not counters.pay_per:
        if counters.pay_amount or counters.pay_currency:
            raise ValueError(phrase("Say what the amount is paid for."))
        return
    if not 0 < counters.pay_amount <= MOST:
        raise ValueError(phrase("Write an amount above 0."))
    if counters.pay_currency not in DECIMALS:
        raise ValueError(
            phrase(
                "%(code)s is no currency's code in ISO 4217, such as EUR or USD.",
                code=counters.pay_currency or "–",
            )
        )


def is_shown(campaign: Campaign) -> bool:
    return campaign.shows_time or bool(campaign.pay_per)


def earned(campaign: Campaign, work: Work) -> Earned | None:
    """What a rater is shown of their work in a campaign; None where it shows nothing."""
    if not is_shown(campaign):
        return None
    return Earned(
        seconds=work.active_ms / 1000 if campaign.shows_time else None,
        amount=amount(campaign, [work]) if campaign.pay_per else None,
        rate=campaign.pay_amount,
        per=campaign.pay_per,
        currency=campaign.pay_currency,
    )


def amount(campaign: Campaign, works: Iterable[Work]) -> Decimal:
    """What seats' work comes to, each answer at its rate, not rounded."""
    return sum((rates.earned(campaign, work) for work in works), Decimal(0))


def owed(campaign: Campaign) -> Decimal | None:
    """What the work of all people comes to so far; None where no pay is shown."""
    if not campaign.pay_per:
        return None
    rows = Seat.objects.filter(campaign=campaign, rater__kind="person")
    return amount(campaign, map(seats.work_of, rows))

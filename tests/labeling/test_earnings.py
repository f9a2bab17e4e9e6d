"""What raters earned in some days: at the rate of each day, from midnight to midnight where the
installation is, rounded once a line, and paid where no lead put it aside."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from labeling import earnings, labels, leases, pay, rates, seats
from labeling.earnings import Period
from labeling.models import Exclusion, Label, PayRate, SetAside, User
from labeling.pay import Counters
from tests.factories import Cast, open_comparisons

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
MARCH = Period.month(date(2026, 3, 15))


def rate(cast: Cast, per: str, amount: str, since: datetime, currency: str = "EUR") -> PayRate:
    return PayRate.objects.create(
        campaign=cast.campaign, per=per, amount=Decimal(amount), currency=currency, from_at=since
    )


def said(rater: User, cast: Cast, at: datetime, seconds: int = 0) -> Label:
    """An answer given at this moment, after so many seconds."""
    card = leases.claim_next(rater=rater, campaign=cast.campaign)
    assert card is not None
    card.leased_at = datetime(2026, 1, 1, tzinfo=UTC)
    card.save(update_fields=["leased_at"])
    return labels.record_label(
        assignment=card,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
        active_ms=seconds * 1000,
        now=at,
    )


def utc(day: int, hour: int = 12, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def test_a_month_with_a_new_rate_in_its_middle_by_hand(cast: Cast) -> None:
    """3 answers at EUR 0.125, then 100 s + 50 s at EUR 18 an hour: 0.375 → 0.38, and
    150 / 3600 · 18 = 0.75. The second rate changes nothing of the first."""
    open_comparisons(cast.campaign, 5)
    rate(cast, "label", "0.125", rates.BEGINNING)
    rate(cast, "hour", "18", utc(16, 0))
    for day in (2, 9, 15):
        said(cast.rater, cast, utc(day, 23, 59), 40)
    said(cast.rater, cast, utc(16, 0), 100)
    said(cast.rater, cast, utc(31, 23, 59), 50)
    lines = earnings.work(MARCH, rater=cast.rater)
    assert [(line.labels, line.active_ms, line.amount) for line in lines] == [
        (3, 120_000, Decimal("0.38")),
        (2, 150_000, Decimal("0.75")),
    ]
    assert earnings.totals(lines) == [("EUR", Decimal("1.13"))]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_a_day_begins_where_the_installation_is_and_clocks_change(
    cast: Cast, settings: Any, zone: str
) -> None:
    """In Berlin March 2026 begins at 23:00 UTC of 28 February, in winter, and ends at 22:00 UTC of
    31 March, in summer: an hour less than its 31 days."""
    settings.TIME_ZONE = zone
    begins, ends = MARCH.bounds
    hours = (ends.timestamp() - begins.timestamp()) / 3600
    assert hours == (31 * 24 if zone == "UTC" else 31 * 24 - 1)
    open_comparisons(cast.campaign, 4)
    rate(cast, "label", "1", rates.BEGINNING)
    moments = [utc(28, 22, 59, 2), utc(28, 23, 1, 2), utc(31, 21, 59), utc(31, 22, 1)]
    for moment in moments:
        said(cast.rater, cast, moment)
    [line] = earnings.work(MARCH, rater=cast.rater)
    assert line.labels == 2
    april = earnings.work(Period.month(date(2026, 4, 1)), rater=cast.rater)
    assert [one.labels for one in april] == ([] if zone == "UTC" else [1])


def test_totals_are_the_sum_of_what_is_printed(cast: Cast) -> None:
    """Three lines of a third of a cent too many each: the total is of the rounded lines."""
    open_comparisons(cast.campaign, 3, overlap=2)
    rate(cast, "label", "0.3333", rates.BEGINNING)
    for rater in (cast.rater, cast.other_rater):
        said(rater, cast, utc(5))
    lines = earnings.work(MARCH, campaigns=[cast.campaign])
    assert [line.amount for line in lines] == [Decimal("0.33")] * 2
    assert earnings.totals(lines) == [("EUR", Decimal("0.66"))]


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "2"), ("KWD", "1.500"), ("EUR", "1.50")])
def test_an_amount_has_its_currencys_decimals(cast: Cast, currency: str, amount: str) -> None:
    open_comparisons(cast.campaign, 1)
    rate(cast, "label", "1.5", rates.BEGINNING, currency)
    said(cast.rater, cast, utc(5))
    [line] = earnings.work(MARCH, rater=cast.rater)
    assert str(line.amount) == amount


def test_what_a_lead_put_aside_is_counted_and_not_paid(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    rate(cast, "label", "1", rates.BEGINNING)
    bad, _good = (said(cast.rater, cast, utc(day), 10) for day in (5, 6))
    act = Exclusion.objects.create(
        campaign=cast.campaign, rater=cast.rater, from_at=utc(1), until=utc(5, 13),
        reason="quality", state="applied",
    )  # fmt: skip
    SetAside.objects.create(label=bad, exclusion=act)
    [line] = earnings.work(MARCH, rater=cast.rater)
    assert (line.labels, line.accepted, line.put_aside) == (2, 1, 1)
    assert (line.active_ms, line.amount) == (10_000, Decimal(1))
    found = earnings.unpaid(cast.rater, MARCH)[cast.campaign.pk]
    assert (found.sent_back, found.exclusions) == (0, [act])


def test_what_was_taken_back_is_not_paid(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    rate(cast, "label", "1", rates.BEGINNING)
    said(cast.rater, cast, utc(5))
    said(cast.rater, cast, utc(6))
    labels.undo(rater=cast.rater, campaign=cast.campaign)
    [line] = earnings.work(MARCH, rater=cast.rater)
    assert line.amount == Decimal(1)


def test_nobody_else_s_work_is_in_it(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    said(cast.other_rater, cast, utc(5))
    assert earnings.work(MARCH, rater=cast.rater) == []


def test_a_new_rate_leaves_what_the_card_says_was_earned(cast: Cast) -> None:
    """The counter on the card: 2 · 0.125, then 40 s at 18 an hour more; the answer of the first
    rate that is taken back takes its 0.125, not an hour's share."""
    open_comparisons(cast.campaign, 3)
    pay.settle(campaign=cast.campaign, counters=Counters(True, "label", Decimal("0.125"), "EUR"))
    now = datetime.now(UTC)
    first = said(cast.rater, cast, now, 20)
    said(cast.rater, cast, now, 20)
    pay.settle(campaign=cast.campaign, counters=Counters(True, "hour", Decimal(18), "EUR"))
    said(cast.rater, cast, datetime.now(UTC), 40)
    assert _shown(cast) == Decimal("0.45")
    labels.undo(rater=cast.rater, campaign=cast.campaign, assignment=first.assignment.public_id)
    assert _shown(cast) == Decimal("0.325")


def _shown(cast: Cast) -> Decimal | None:
    shown = pay.earned(cast.campaign, seats.work(cast.rater, cast.campaign))
    assert shown is not None
    return shown.amount

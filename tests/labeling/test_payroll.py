"""A period that is closed stays as it is; what changes behind it is a correction in the next."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from labeling import earnings, labels, pay_disputes, payroll, rates
from labeling.earnings import Period
from labeling.models import PayDispute, PayrollLine, PayrollPeriod
from models_runtime.models import AuditEvent
from tests.factories import Cast, open_comparisons
from tests.labeling.test_earnings import MARCH, rate, said, utc

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
APRIL = Period.month(date(2026, 4, 1))


@pytest.fixture
def paid(cast: Cast) -> Cast:
    """Two answers of one rater in March, and one of the other, at 0.50 each."""
    open_comparisons(cast.campaign, 4, overlap=2)
    rate(cast, "label", "0.5", rates.BEGINNING)
    for day in (3, 4):
        said(cast.rater, cast, utc(day))
    said(cast.other_rater, cast, utc(5))
    return cast


def booked(period: Period, cast: Cast) -> list[tuple[str, int, Decimal]]:
    lines = payroll.of(cast.campaign, period).lines
    return [(line.kind, line.labels, line.amount) for line in lines]


def test_closing_keeps_the_lines_and_says_so_in_the_log(paid: Cast) -> None:
    before = booked(MARCH, paid)
    made = payroll.close(campaign=paid.campaign, period=MARCH, actor=paid.lead)
    assert (
        before
        == booked(MARCH, paid)
        == [
            ("work", 2, Decimal("1.00")),
            ("work", 1, Decimal("0.50")),
        ]
    )
    assert payroll.of(paid.campaign, MARCH).closed == made
    event = AuditEvent.objects.get(verb="payroll closed")
    assert event.data["totals"] == {"EUR": "1.50"}


def test_what_changes_behind_a_closed_period_is_a_correction_in_the_next(paid: Cast) -> None:
    payroll.close(campaign=paid.campaign, period=MARCH, actor=paid.lead)
    labels.undo(rater=paid.rater, campaign=paid.campaign)
    said(paid.rater, paid, utc(2, month=4))
    assert booked(MARCH, paid)[0] == ("work", 2, Decimal("1.00"))
    assert booked(APRIL, paid) == [
        ("work", 1, Decimal("0.50")),
        ("correction", -1, Decimal("-0.50")),
    ]
    payroll.close(campaign=paid.campaign, period=APRIL, actor=paid.lead)
    may = Period.month(date(2026, 5, 1))
    assert booked(may, paid) == []  # corrected once


def test_the_sum_of_closed_periods_is_what_the_labels_come_to(paid: Cast) -> None:
    payroll.close(campaign=paid.campaign, period=MARCH, actor=paid.lead)
    labels.undo(rater=paid.rater, campaign=paid.campaign)
    payroll.close(campaign=paid.campaign, period=APRIL, actor=paid.lead)
    everything = Period(date(2026, 1, 1), date(2026, 12, 31))
    now = earnings.totals(earnings.work(everything, campaigns=[paid.campaign]))
    assert earnings.totals(PayrollLine.objects.all()) == now == [("EUR", Decimal("1.00"))]


def test_a_period_is_closed_once_in_order_and_when_it_is_over(paid: Cast) -> None:
    close = {"campaign": paid.campaign, "actor": paid.lead}
    today = Period.month(earnings.today())
    with pytest.raises(payroll.CannotClose, match="not over"):
        payroll.close(period=today, **close)
    with pytest.raises(payroll.CannotClose, match="since 2026-03-03 are not settled"):
        payroll.close(period=APRIL, **close)  # March's answers would never be paid
    payroll.close(period=MARCH, **close)
    payroll.close(period=APRIL, **close)
    half = Period(date(2026, 4, 20), date(2026, 5, 5))
    for again in (APRIL, half):
        with pytest.raises(payroll.CannotClose, match="closed period already"):
            payroll.close(period=again, **close)
    with pytest.raises(payroll.CannotClose, match="in order"):
        payroll.close(period=Period.month(date(2026, 2, 1)), **close)
    assert PayrollPeriod.objects.count() == 2


def test_no_line_can_be_changed(paid: Cast) -> None:
    payroll.close(campaign=paid.campaign, period=MARCH, actor=paid.lead)
    for change in (
        lambda: PayrollLine.objects.update(amount=99),
        lambda: PayrollPeriod.objects.update(ends=date(2027, 1, 1)),
        lambda: paid.campaign.pay_rates.update(amount=99),
        lambda: PayrollLine.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_what_a_dispute_granted_is_paid_with_the_days_it_was_answered_in(paid: Cast) -> None:
    dispute = pay_disputes.begin(
        rater=paid.rater, campaign=paid.campaign, period=MARCH, text="An hour is missing."
    )
    assert pay_disputes.count_open(paid.campaign, MARCH) == {paid.rater.pk: 1}
    done = pay_disputes.answer(
        dispute=dispute, is_upheld=True, sentence="You are right.", granted=Decimal("7.255"),
        currency="EUR", actor=paid.lead,
    )  # fmt: skip
    assert done
    PayDispute.objects.update(answered_at=datetime(2026, 4, 9, tzinfo=UTC))
    assert booked(MARCH, paid)[-1][0] == "work"
    assert booked(APRIL, paid) == [("granted", 0, Decimal("7.26"))]


def test_a_dispute_is_answered_once_and_open_once(paid: Cast) -> None:
    said = {"rater": paid.rater, "campaign": paid.campaign, "period": MARCH}
    dispute = pay_disputes.begin(text="Too little.", **said)
    with pytest.raises(pay_disputes.NotPossible, match="already"):
        pay_disputes.begin(text="Too little.", **said)
    reply = {"dispute": dispute, "sentence": "No.", "actor": paid.lead}
    assert pay_disputes.answer(is_upheld=False, **reply)
    assert not pay_disputes.answer(is_upheld=True, **reply)
    assert not pay_disputes.withdraw(dispute=dispute)
    assert (dispute.state, dispute.answer) == ("declined", "No.")
    assert pay_disputes.begin(text="It is, though.", **said)


def test_the_log_holds_no_word_of_a_dispute(paid: Cast) -> None:
    dispute = pay_disputes.begin(
        rater=paid.rater, campaign=paid.campaign, period=MARCH, text="Sesquipedalian"
    )
    pay_disputes.answer(dispute=dispute, is_upheld=False, sentence="Antediluvian", actor=paid.lead)
    assert AuditEvent.objects.filter(verb__startswith="pay dispute").count() == 2
    for event in AuditEvent.objects.all():
        assert "Sesquip" not in str(vars(event))
        assert "Antedil" not in str(vars(event))


def test_erasing_a_rater_empties_their_disputes(paid: Cast) -> None:
    pay_disputes.begin(rater=paid.rater, campaign=paid.campaign, period=MARCH, text="Why?")
    assert pay_disputes.erase(paid.rater) == 1
    row = PayDispute.objects.get()
    assert (row.text, row.answer, row.state) == ("", "", "withdrawn")

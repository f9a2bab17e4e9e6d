"""A rater's own statement: what they earned, what was not accepted and why, and a dispute with its
answer; and the lead's payroll, which closes."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling import pay_disputes, rates
from labeling.models import Exclusion, PayDispute, PayrollPeriod, SetAside, User
from tests.factories import Cast, open_comparisons
from tests.labeling.test_earnings import rate, said, utc

pytestmark = pytest.mark.django_db
PAYROLL = "/campaigns/helpful/payroll/"
DAYS = "?month=2026-03"
FORM = {"starts": "2026-03-01", "ends": "2026-03-31"}


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def paid(cast: Cast) -> Cast:
    """Three answers at EUR 0.125 in March 2026: two of the rater, one of the other."""
    open_comparisons(cast.campaign, 4, overlap=2)
    rate(cast, "label", "0.125", rates.BEGINNING)
    for day in (3, 4):
        said(cast.rater, cast, utc(day), 65)
    said(cast.other_rater, cast, utc(5), 10)
    return cast


def page(user: User, address: str) -> str:
    return str(browser(user).get(address).content.decode())


def lines(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.content.decode())))


def test_a_statement_says_answers_time_rate_and_amount(paid: Cast) -> None:
    body = page(paid.rater, f"/account/statement/{DAYS}")
    for shown in ("Helpfulness", "EUR 0.125 for each answer", "2 min 10 s", "EUR 0.25"):
        assert shown in body


def test_days_without_work_are_said_to_be_so(paid: Cast) -> None:
    assert "Nothing in these days" in page(paid.rater, "/account/statement/?month=2026-01")


def test_days_that_cannot_be_are_said_by_their_field(paid: Cast) -> None:
    for asked, told in (
        ("month=2026-13", "Write a month as 2026-03."),
        ("starts=2026-03-02&ends=2026-03-01", "The last day comes before the first."),
        ("starts=2026-03-02", "Say both days, or neither."),
        ("starts=2020-03-02&ends=2026-03-01", "At most a year at a time."),
        ("starts=9999-12-01&ends=9999-12-31", "less than or equal to 2199-12-31"),
    ):
        response = browser(paid.rater).get(f"/account/statement/?{asked}")
        assert response.status_code == 400
        assert told in response.content.decode()


def test_what_was_put_aside_is_told_with_its_reason(paid: Cast) -> None:
    act = Exclusion.objects.create(
        campaign=paid.campaign, rater=paid.rater, from_at=utc(1), until=utc(3, 13),
        reason="speed", state="applied",
    )  # fmt: skip
    SetAside.objects.create(label=paid.rater.labels.earliest("pk"), exclusion=act)
    body = page(paid.rater, f"/account/statement/{DAYS}")
    assert "too fast to have read" in body
    assert "EUR 0.13" in body


def test_the_file_says_what_the_page_says(paid: Cast) -> None:
    [line] = lines(browser(paid.rater).get(f"/account/statement.csv{DAYS}"))
    assert line == {
        "campaign": "Helpfulness", "from": "2026-03-01", "to": "2026-03-31", "kind": "work",
        "paid_for": "label", "rate": "0.1250", "labels": "2", "accepted": "2", "put_aside": "0",
        "active_seconds": "130.000", "amount": "0.25", "currency": "EUR", "closed": "no",
    }  # fmt: skip


def test_a_statement_asks_as_much_of_many_answers_as_of_few(
    paid: Cast, django_assert_max_num_queries: Any
) -> None:
    client = browser(paid.rater)
    with django_assert_max_num_queries(16):
        client.get(f"/account/statement/{DAYS}")


def test_a_dispute_goes_to_the_lead_and_its_answer_comes_back(paid: Cast) -> None:
    rater, lead = browser(paid.rater), browser(paid.lead)
    sent = {**FORM, "text": "I answered <b>three</b>."}
    rater.post("/account/statement/helpful/", sent)
    assert "1 dispute" in lead.get("/campaigns/helpful/").content.decode()
    body = lead.get(f"/campaigns/helpful/payroll/{DAYS}").content.decode()
    assert "I answered &lt;b&gt;three&lt;/b&gt;." in body
    dispute = PayDispute.objects.get()
    answer = {
        "verdict": "upheld",
        "reply": "One was missing.",
        "granted": "0.13",
        "currency": "EUR",
    }
    lead.post(f"/campaigns/helpful/disputes/{dispute.public_id}/", answer)
    body = rater.get(f"/account/statement/{DAYS}").content.decode()
    assert "One was missing." in body
    assert "EUR 0.13 granted" in body
    assert "1 dispute" not in lead.get("/campaigns/helpful/").content.decode()


def test_a_dispute_can_be_taken_back_until_it_is_answered(paid: Cast) -> None:
    rater = browser(paid.rater)
    rater.post("/account/statement/helpful/", {**FORM, "text": "Too little."})
    dispute = PayDispute.objects.get()
    rater.post(f"/account/disputes/{dispute.public_id}/")
    dispute.refresh_from_db()
    assert dispute.state == "withdrawn"
    assert "Too little." not in rater.get(f"/account/statement/{DAYS}").content.decode()


def test_the_month_that_is_shown_stands_in_its_field(paid: Cast) -> None:
    this = f"{timezone.localdate():%Y-%m}"
    days = "?starts=2026-03-01&ends=2026-03-31"
    for address, user in (("/account/statement/", paid.rater), (PAYROLL, paid.lead)):
        for asked, shown in (("", this), ("?page=1", this), (DAYS, "2026-03"), (days, "2026-03")):
            assert f'value="{shown}"' in page(user, f"{address}{asked}")


def test_no_more_disputes_wait_than_a_lead_can_answer(paid: Cast) -> None:
    rater = browser(paid.rater)
    for day in range(1, pay_disputes.MOST_OPEN + 2):
        sent = {"starts": f"2026-03-{day:02}", "ends": "2026-03-31", "text": "Too little."}
        said = rater.post("/account/statement/helpful/", sent, follow=True).content.decode()
        assert ("has not answered" in said) is (day > pay_disputes.MOST_OPEN)
    assert PayDispute.objects.count() == pay_disputes.MOST_OPEN


def test_days_in_the_wrong_order_are_not_disputed(paid: Cast) -> None:
    sent = {"starts": "2026-03-02", "ends": "2026-03-01", "text": "Too little."}
    response = browser(paid.rater).post("/account/statement/helpful/", sent, follow=True)
    assert "The last day comes before the first." in response.content.decode()
    assert not PayDispute.objects.exists()


def test_another_s_statement_and_dispute_are_not_there(paid: Cast) -> None:
    browser(paid.rater).post("/account/statement/helpful/", {**FORM, "text": "Mine."})
    dispute = PayDispute.objects.get()
    other = browser(paid.other_rater)
    assert other.post(f"/account/disputes/{dispute.public_id}/").status_code == 404
    assert "Mine." not in other.get(f"/account/statement/{DAYS}").content.decode()
    theirs = f"/campaigns/helpful/payroll/{paid.rater.public_id}/"
    assert other.get(theirs).status_code == 403
    assert browser(paid.outsider).get(theirs).status_code == 404
    assert browser(paid.outsider).post("/account/statement/helpful/").status_code == 404


def test_a_payroll_has_a_line_for_each_rater_and_their_sum(paid: Cast) -> None:
    body = page(paid.lead, f"/campaigns/helpful/payroll/{DAYS}")
    for shown in ("rater</a>", "other_rater</a>", "EUR 0.25", "EUR 0.13", "EUR 0.38"):
        assert shown in body
    theirs = page(paid.lead, f"/campaigns/helpful/payroll/{paid.rater.public_id}/{DAYS}")
    assert "As the rater sees it." in theirs
    assert "EUR 0.25" in theirs


def test_a_file_runs_nobody_s_formula_and_sums_to_the_page(paid: Cast) -> None:
    User.objects.filter(pk=paid.rater.pk).update(username="=2+3")
    found = lines(browser(paid.lead).get(f"/campaigns/helpful/payroll/payroll.csv{DAYS}"))
    assert [line["rater"] for line in found] == ["'=2+3", "other_rater"]
    assert sum(Decimal(line["amount"]) for line in found) == Decimal("0.38")


def test_closing_is_asked_for_when_the_days_are_over(paid: Cast) -> None:
    lead = browser(paid.lead)
    assert "Close these days" in lead.get(f"/campaigns/helpful/payroll/{DAYS}").content.decode()
    lead.post("/campaigns/helpful/payroll/close/", FORM)
    assert PayrollPeriod.objects.get().ends == date(2026, 3, 31)
    body = lead.get(f"/campaigns/helpful/payroll/{DAYS}").content.decode()
    assert "Close these days" not in body
    assert "by lead" in body
    assert "closed" in page(paid.rater, f"/account/statement/{DAYS}")
    now = f"?month={timezone.localdate():%Y-%m}"
    assert "when they are over" in lead.get(f"/campaigns/helpful/payroll/{now}").content.decode()


def test_all_campaigns_of_a_lead_stand_together(paid: Cast) -> None:
    body = page(paid.lead, f"/payroll/{DAYS}")
    assert "EUR 0.38" in body
    assert "EUR" not in page(paid.outsider, f"/payroll/{DAYS}")
    found = lines(browser(paid.lead).get(f"/payroll/payroll.csv{DAYS}"))
    assert [line["campaign"] for line in found] == ["Helpfulness"] * 2


def test_a_payroll_asks_as_much_of_many_as_of_few(
    paid: Cast, django_assert_max_num_queries: Any
) -> None:
    client = browser(paid.lead)
    client.post("/campaigns/helpful/payroll/close/", FORM)
    for address in ("/campaigns/helpful/payroll/?month=2026-04", f"/payroll/{DAYS}"):
        with django_assert_max_num_queries(23):
            client.get(address)


def test_the_rates_so_far_stand_beside_the_rate(paid: Cast) -> None:
    fields = {"pay_per": "hour", "pay_amount": "18", "pay_currency": "EUR"}
    lead = browser(paid.lead)
    lead.post("/campaigns/helpful/pay/", fields)
    body = lead.get("/campaigns/helpful/pay/").content.decode()
    assert "EUR 18.00 for each active hour" in body
    assert "EUR 0.125 for each answer" in body
    assert "the beginning" in body

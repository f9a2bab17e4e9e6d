"""Budget, deadline and quotas in the browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling import pay, quotas, spend
from labeling.models import Budget, Campaign, Seat, SpendPoint, User
from labeling.pay import Counters
from labeling.quotas import Wanted
from labeling.spend import Limits
from tests.annotate.test_new_campaign import press, sent
from tests.factories import Cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
BUDGET, QUOTAS = "/campaigns/helpful/budget/", "/campaigns/helpful/quotas/"


def browser(user: User) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


def test_a_budget_is_settled_and_shown(cast: Cast) -> None:
    lead = browser(cast.lead)
    pay.settle(campaign=cast.campaign, counters=Counters(False, "label", Decimal("0.1"), "EUR"))
    fields = {
        "limit_labels": "100",
        "limit_hours": "2.5",
        "limit_money": "9",
        "deadline": "2031-07-01T18:00",
        "zone": "Europe/Berlin",
    }
    assert lead.post(BUDGET, fields)["Location"] == BUDGET
    found = spend.limits_of(cast.campaign)
    assert (found.labels, found.hours, found.money) == (100, Decimal("2.5"), Decimal(9))
    assert found.deadline == datetime(2031, 7, 1, 16, tzinfo=UTC)  # summer time
    body = lead.get(BUDGET).content.decode()
    assert 'value="2031-07-01T18:00"' in body
    assert "1 Jul 2031, 18:00 (Europe/Berlin)" in body
    assert "of 100 at most" in body
    assert "EUR 9.00 at most" in body
    assert "until 1 Jul 2031, 18:00" in lead.get("/campaigns/helpful/").content.decode()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"limit_labels": "0"}, "greater than or equal to 1"),
        ({"limit_labels": "many"}, "Enter a whole number"),
        ({"limit_hours": "0"}, "hours above 0"),
        ({"limit_money": "5"}, "Settle what is paid first"),
        ({"deadline": "tomorrow"}, "Write a day and a time"),
        ({"deadline": "9999-12-31T23:59", "zone": "America/New_York"}, "Write a day and a time"),
        ({"deadline": "2031-07-01T18:00", "zone": "Mars/Olympus"}, "no time zone of that name"),
    ],
)
def test_what_cannot_be_is_said_by_its_field(
    cast: Cast, fields: dict[str, str], said: str
) -> None:
    response = browser(cast.lead).post(BUDGET, {"zone": "UTC", **fields})
    assert response.status_code == 400
    assert said in response.content.decode()
    assert not Budget.objects.exists()


def test_the_page_projects_and_says_when_it_is_late(cast: Cast) -> None:
    pay.settle(campaign=cast.campaign, counters=Counters(False, "hour", Decimal(18), "EUR"))
    open_comparisons(cast.campaign, 1)
    for rater, ms in ((cast.rater, 100_000), (cast.other_rater, 200_000)):
        Seat.objects.create(rater=rater, campaign=cast.campaign, answered=10, active_ms=ms)
    ends = timezone.now() + timedelta(days=2)
    spend.settle(campaign=cast.campaign, limits=Limits(labels=24, deadline=ends))
    for hours, labels in ((48, 0), (1, 19)):
        at = timezone.now() - timedelta(hours=hours)
        SpendPoint.objects.create(
            campaign=cast.campaign, hour=at, at=at, labels=labels, active_ms=0
        )
    body = browser(cast.lead).get(BUDGET).content.decode()
    assert "It will be late." in body
    assert "83 %" in body  # of the labels: the mark is 80 %
    assert "10 labels a day" in body
    assert 'aria-label="Labels so far, by hour"' in body


def test_the_curve_as_csv(cast: Cast) -> None:
    at = datetime(2026, 3, 1, 10, tzinfo=UTC)
    SpendPoint.objects.create(
        campaign=cast.campaign, hour=at, at=at, labels=7, active_ms=1500, money=Decimal("0.7")
    )
    lines = browser(cast.lead).get("/campaigns/helpful/budget.csv").content.decode().splitlines()
    assert lines == [
        "at,labels,active_seconds,money_none",
        "2026-03-01T10:00:00+00:00,7,1.5,0.7000",
    ]


def test_a_campaign_that_paused_itself_says_why_and_resumes_once_raised(cast: Cast) -> None:
    lead = browser(cast.lead)
    Seat.objects.create(rater=cast.rater, campaign=cast.campaign, answered=5)
    spend.settle(campaign=cast.campaign, limits=Limits(labels=5))
    spend.keep()
    page = lead.get("/campaigns/helpful/").content.decode()
    assert "Paused by itself." in page
    assert "The budget of labels is used up." in page
    refused = lead.post("/campaigns/helpful/resume/", follow=True).content.decode()
    assert "raise it, then resume" in refused
    lead.post(BUDGET, {"limit_labels": "9", "zone": "UTC"})
    lead.post("/campaigns/helpful/resume/")
    assert Campaign.objects.get(slug="helpful").state == "open"
    assert "Paused by itself." not in lead.get("/campaigns/helpful/").content.decode()


def test_raters_see_the_deadline(cast: Cast) -> None:
    ends = datetime(2031, 1, 31, 17, tzinfo=UTC)
    spend.settle(campaign=cast.campaign, limits=Limits(deadline=ends, zone="America/New_York"))
    body = browser(cast.rater).get("/rate/").content.decode()
    assert "31 Jan 2031, 12:00 (America/New York)" in body


def test_quotas_are_settled_counted_and_drawn(cast: Cast) -> None:
    lead = browser(cast.lead)
    open_comparisons(cast.campaign, 2, prompt__category="code", prompt__language="de")
    answer(cast.rater, cast.campaign, "0:better")
    body = lead.get(QUOTAS).content.decode()
    assert "Nothing is counted here" in body
    assert '<span class="chip">code</span>' in body
    fields = {"by_category": "code: 1\npoetry: 20 %", "by_language_of": "de: 50%"}
    assert lead.post(QUOTAS, fields)["Location"] == QUOTAS
    assert quotas.wanted_of(cast.campaign) == [
        Wanted("category", "code", 1),
        Wanted("category", "poetry", 20, "percent"),
        Wanted("language", "de", 50, "percent"),
    ]
    quotas.keep()
    live = lead.get(QUOTAS, headers={"HX-Request": "true"}).content.decode()
    assert "<form" not in live
    assert "filled" in live
    assert "140" in live  # 20 % of 700
    whole = lead.get(QUOTAS).content.decode()
    assert "poetry: 20 %" in whole
    lines = lead.get("/campaigns/helpful/quotas.csv").content.decode().splitlines()
    assert lines[0] == "kind,name,labels,wanted,filled"
    assert "category,code,1,1,True" in lines


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("code", "Write name: number"),
        ("code: many", "Write name: number"),
        ("code: 1\ncode: 2", "stands on two lines"),
        ("code: 0", "write a number from 1"),
        ("code: 70 %\npoetry: 40 %", "more than the whole"),
    ],
)
def test_quotas_that_cannot_be_stay_as_they_were_typed(cast: Cast, typed: str, said: str) -> None:
    response = browser(cast.lead).post(QUOTAS, {"by_category": typed})
    body = response.content.decode()
    assert response.status_code == 400
    assert said in body
    assert typed in body


def test_names_are_no_markup_and_no_formula(cast: Cast) -> None:
    lead = browser(cast.lead)
    quotas.settle(campaign=cast.campaign, wanted=[Wanted("category", "=1+1<b>x</b>", 3)])
    assert "<b>x</b>" not in lead.get(QUOTAS).content.decode()
    assert "'=1+1" in lead.get("/campaigns/helpful/quotas.csv").content.decode()


def test_pages_cost_as_many_queries_as_rows_grow(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    lead = browser(cast.lead)
    quotas.settle(
        campaign=cast.campaign, wanted=[Wanted("category", str(n), 1) for n in range(150)]
    )
    for address in (BUDGET, QUOTAS, "/campaigns/helpful/"):
        with django_assert_max_num_queries(40):
            lead.get(address)


def test_a_new_campaign_has_them_from_the_start(cast: Cast) -> None:
    lead = browser(cast.lead)
    fields = sent(lead.get("/campaigns/new/").content.decode())
    fields |= {"name": "Limited", "limit_labels": "50", "by_category": "code: 30 %"}
    fields |= {"deadline": "2031-07-01T18:00", "zone": "Asia/Tokyo", "new_groups": "Nurses, Poets"}
    fields |= {"gold_share": "5", "pass_mark": "80", "trains_raters": "on"}
    kept = press(lead, fields, "add", added="rationale")
    assert (kept["limit_labels"], kept["by_category"]) == ("50", "code: 30 %")
    assert (kept["deadline"], kept["zone"]) == ("2031-07-01T18:00", "Asia/Tokyo")
    assert (kept["new_groups"], kept["gold_share"]) == ("Nurses, Poets", "5")
    assert lead.post("/campaigns/new/", fields).status_code == 302
    made = Campaign.objects.get(slug="limited")
    assert spend.limits_of(made).labels == 50
    assert spend.limits_of(made).deadline == datetime(2031, 7, 1, 9, tzinfo=UTC)
    assert quotas.wanted_of(made) == [Wanted("category", "code", 30, "percent")]
    assert sorted(group.name for group in made.wanted_groups.all()) == ["Nurses", "Poets"]
    assert (made.gold_share, made.pass_mark, made.trains_raters) == (0.05, 80, True)


def test_the_preview_follows_what_is_typed(cast: Cast) -> None:
    lead = browser(cast.lead)
    fields = sent(lead.get("/campaigns/new/").content.decode())
    body = lead.post(
        "/campaigns/new/", {**fields, "act": "live", "question": "Which is <b>kinder</b>?"}
    ).content.decode()
    assert "Which is &lt;b&gt;kinder&lt;/b&gt;?" in body
    assert "Why is the sky blue?" in body
    assert not Campaign.objects.filter(name="").exists()
    broken = {**fields, "act": "live", "completions_per_comparison": "5"}
    said = lead.post("/campaigns/new/", broken).content.decode()
    assert "needs cards of 2 answers" in said

"""Time and pay in the browser: settled by a lead, seen by raters where the lead shows them."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from annotate import numerals
from labeling import pay
from labeling.models import Assignment, Campaign, User
from labeling.pay import Counters
from tests.annotate.test_new_campaign import press, sent
from tests.factories import Cast, open_comparisons
from tests.rating import held_for
from tests.talks import CONVERSATION, begun, cast_of

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}
PAGE = "/campaigns/helpful/pay/"
BY_LABEL = Counters(True, "label", Decimal("0.125"), "EUR")


def browser(user: User, language: str = "en") -> Client:
    client = Client(headers={"Accept-Language": language})
    client.force_login(user)
    return client


def card_of(page: Any) -> str:
    card = page.context["card"].assignment
    held_for(Assignment.objects.get(public_id=card), minutes=5)
    return str(card)


def send(client: Client, card: str, choice: str = "0:better") -> Any:
    form = {"preference-choice": choice, "idempotency_key": str(uuid.uuid4())}
    return client.post(f"/answers/{card}/", {**form, "active_ms": "65000"}, headers=FRAGMENT)


def test_a_card_says_neither_unless_the_lead_shows_it(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    client = browser(cast.rater)
    page = client.get("/rate/helpful/")
    for body in (page.content, send(client, card_of(page)).content, client.get("/rate/").content):
        assert 'class="earned' not in body.decode()


def test_the_card_counts_what_was_answered_and_what_was_taken_back(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    pay.settle(campaign=cast.campaign, counters=BY_LABEL)
    client = browser(cast.rater)
    page = client.get("/rate/helpful/")
    assert "0 s active" in page.content.decode()
    assert "EUR 0.00 so far" in page.content.decode()
    body = send(client, card_of(page)).content.decode()
    assert "1 min 5 s active" in body
    assert "EUR 0.13 so far" in body
    assert "1 min 5 s active" in client.get("/rate/helpful/").content.decode()
    body = client.post("/rate/helpful/undo/", headers=FRAGMENT).content.decode()
    assert "0 s active" in body
    assert "EUR 0.00 so far" in body


def test_time_alone(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    pay.settle(campaign=cast.campaign, counters=Counters(shows_time=True))
    body = browser(cast.rater).get("/rate/helpful/").content.decode()
    assert "0 s active" in body
    assert "so far" not in body


@pytest.mark.parametrize("counters", [Counters(), BY_LABEL], ids=["off", "on"])
def test_an_answer_costs_as_many_queries_with_them_as_without(
    cast: Cast, counters: Counters, django_assert_num_queries: Any
) -> None:
    """Twelve, and a savepoint of the test's own transaction."""
    open_comparisons(cast.campaign, 4)
    pay.settle(campaign=cast.campaign, counters=counters)
    client = browser(cast.rater)
    card = card_of(client.get("/rate/helpful/"))
    with django_assert_num_queries(14):
        send(client, card)


def test_the_queue_says_what_it_comes_to_and_at_which_rate(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    pay.settle(campaign=cast.campaign, counters=BY_LABEL)
    client = browser(cast.rater)
    send(client, card_of(client.get("/rate/helpful/")))
    body = client.get("/rate/").content.decode()
    assert "1 min 5 s active" in body
    assert "EUR 0.13 so far" in body
    assert "EUR 0.125 for each answer" in body
    pay.settle(campaign=cast.campaign, counters=Counters(False, "hour", Decimal(18), "EUR"))
    body = client.get("/rate/").content.decode()
    assert "EUR 0.13 so far" in body
    assert "EUR 18.00 for each active hour" in body


def test_a_talk_says_it_too() -> None:
    cast = cast_of(CONVERSATION)
    talk = begun(cast)
    address = f"/talks/{talk.public_id}/"
    client = browser(cast.rater)
    assert "so far" not in client.get(address).content.decode()
    pay.settle(campaign=cast.campaign, counters=BY_LABEL)
    body = client.get(address).content.decode()
    assert "0 s active" in body
    assert "EUR 0.00 so far" in body


@pytest.mark.parametrize(
    ("language", "amount", "currency", "written"),
    [
        ("en", "1234.567", "EUR", "EUR 1,234.57"),
        ("en", "1234.5", "JPY", "JPY 1,235"),
        ("en", "0.0005", "KWD", "KWD 0.001"),
        ("de", "1234.567", "EUR", "1.234,57"),
    ],
)
def test_an_amount_is_written_as_the_reader_writes_it(
    language: str, amount: str, currency: str, written: str
) -> None:
    with translation.override(language):
        assert written in numerals.money(Decimal(amount), currency)


def test_a_lead_settles_it_and_sees_what_it_comes_to(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    lead = browser(cast.lead)
    assert "Time and pay" in lead.get(PAGE).content.decode()
    fields = {
        "shows_time": "on",
        "pay_per": "label",
        "pay_amount": "0.125",
        "pay_currency": "eur",
    }
    assert lead.post(PAGE, fields)["Location"] == "/campaigns/helpful/"
    cast.campaign.refresh_from_db()
    assert pay.of(cast.campaign) == BY_LABEL
    assert 'value="0.125"' in lead.get(PAGE).content.decode()
    client = browser(cast.rater)
    send(client, card_of(client.get("/rate/helpful/")))
    body = lead.get("/campaigns/helpful/").content.decode()
    assert "EUR 0.125 for each answer" in body
    assert "EUR 0.13 so far" in body
    lead.post(PAGE, {"pay_per": "", "pay_amount": "0.125", "pay_currency": "EUR"})
    cast.campaign.refresh_from_db()
    assert pay.of(cast.campaign) == Counters()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"pay_per": "label"}, "Write an amount above 0."),
        ({"pay_per": "label", "pay_amount": "1"}, "is no currency"),
        ({"pay_per": "label", "pay_amount": "1", "pay_currency": "XXQ"}, "XXQ is no currency"),
        ({"pay_per": "label", "pay_amount": "0.00001", "pay_currency": "EUR"}, "4 decimal"),
        ({"pay_per": "label", "pay_amount": "-1", "pay_currency": "EUR"}, "greater than or equal"),
        ({"pay_per": "label", "pay_amount": "NaN", "pay_currency": "EUR"}, "Enter a number"),
        ({"pay_per": "week", "pay_amount": "1", "pay_currency": "EUR"}, "valid choice"),
    ],
)
def test_pay_that_cannot_be_is_said_by_its_field(
    cast: Cast, fields: dict[str, str], said: str
) -> None:
    response = browser(cast.lead).post(PAGE, fields)
    assert response.status_code == 400
    assert said in response.content.decode()
    cast.campaign.refresh_from_db()
    assert pay.of(cast.campaign) == Counters()


def test_a_new_campaign_has_it_from_the_start(cast: Cast) -> None:
    lead = browser(cast.lead)
    fields = sent(lead.get("/campaigns/new/").content.decode())
    fields |= {"pay_per": "hour", "pay_amount": "14.5", "pay_currency": "USD", "name": "Paid"}
    kept = press(lead, fields, "add", added="rationale")
    assert kept["pay_amount"] == "14.5"
    assert lead.post("/campaigns/new/", fields).status_code == 302
    made = Campaign.objects.get(slug="paid")
    assert pay.of(made) == Counters(False, "hour", Decimal("14.5"), "USD")

"""A pilot and a clone in the browser: opened, read, widened, revised, made anew."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from annotate.views import lead as lead_views
from labeling import labels, leases, pay, pilots
from labeling.models import Campaign, Pilot, User
from labeling.pay import Counters
from tests.factories import Cast, make_cast, open_comparisons

pytestmark = pytest.mark.django_db
PAGE = "/campaigns/helpful/pilot/"


def browser(user: User) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


def piloted(monkeypatch: Any) -> tuple[Cast, Client]:
    """A draft with prompts and comparisons, opened as a pilot of five by its lead."""
    cast = make_cast(state="draft")
    open_comparisons(cast.campaign, 8)
    pay.settle(campaign=cast.campaign, counters=Counters(False, "label", Decimal("0.2"), "EUR"))
    monkeypatch.setattr(lead_views.pipeline, "start_iteration", lambda *a, **k: _first(cast))
    lead = browser(cast.lead)
    sent = lead.post(PAGE, {"size": "5", "overlap": "2"})
    assert sent["Location"] == "/campaigns/helpful/"
    pilots.keep()
    return cast, lead


def _first(cast: Cast) -> Any:
    return cast.campaign.iterations.get()


def all_say(cast: Cast) -> None:
    at = timezone.now()
    for rater in (cast.rater, cast.other_rater):
        while card := leases.claim_next(rater=rater, campaign=cast.campaign, now=at):
            at += timedelta(seconds=40)
            labels.record_label(
                assignment=card,
                parts={"preference": {"choice": f"{card.order.index(min(card.order))}:better"}},
                idempotency_key=uuid.uuid4(),
                active_ms=12_000,
                now=at,
            )


def test_a_draft_is_opened_as_a_pilot(monkeypatch: Any) -> None:
    cast, lead = piloted(monkeypatch)
    assert Campaign.objects.get(slug="helpful").state == "open"
    assert Pilot.objects.get().size == 5
    page = lead.get("/campaigns/helpful/").content.decode()
    assert "Pilot 1, of 5 comparisons." in page
    body = lead.get(PAGE).content.decode()
    assert "of 5 drawn, 5 wanted" in body
    assert "nothing labelled by two people yet" in body


def test_what_it_shows(monkeypatch: Any) -> None:
    cast, lead = piloted(monkeypatch)
    all_say(cast)
    body = lead.get(PAGE).content.decode()
    assert "10 labels by 2 people" in body
    assert "100 %" in body
    assert "0.200 EUR" in body
    assert "385" in body  # labels for a win rate within 5 points
    assert "2,401" in lead.get(f"{PAGE}?within=0.02").content.decode()
    assert "385" in lead.get(f"{PAGE}?within=nan").content.decode()


def test_widened_by_one_press(monkeypatch: Any) -> None:
    cast, lead = piloted(monkeypatch)
    lead.post(f"{PAGE}widen/")
    pilots.keep()
    assert not cast.campaign.comparisons.filter(withheld__gt=0).exists()
    again = lead.post(f"{PAGE}widen/", follow=True).content.decode()
    assert "No pilot waits for a decision." in again
    assert "widened to all" in again


def test_revised_by_one_press(monkeypatch: Any) -> None:
    cast, lead = piloted(monkeypatch)
    all_say(cast)
    fields = {
        "asked-text": "Which is kinder?",
        "asked-trains_on": "chosen",
        "asked-based_on": "1",
        "told-markdown": "Be kind.",
        "told-based_on": "1",
    }
    assert lead.post(f"{PAGE}revise/", fields)["Location"] == PAGE
    made = Campaign.objects.get(slug="helpful")
    assert made.question
    assert (made.question.number, made.question.text) == (2, "Which is kinder?")
    assert [(p.number, p.decision) for p in Pilot.objects.order_by("number")] == [
        (1, "revised"),
        (2, ""),
    ]
    assert "Which is kinder?" in lead.get(PAGE).content.decode()
    first = lead.get(f"{PAGE}?number=1").content.decode()
    assert "10 labels by 2 people" in first
    assert "Widen to all" not in first


def test_a_revision_that_cannot_be_loses_nothing(monkeypatch: Any) -> None:
    cast, lead = piloted(monkeypatch)
    fields = {
        "asked-text": "Mine?",
        "asked-trains_on": "chosen",
        "asked-based_on": "7",
        "told-markdown": "My guidelines.",
        "told-based_on": "1",
    }
    response = lead.post(f"{PAGE}revise/", fields)
    body = response.content.decode()
    assert response.status_code == 400
    assert "was made while you wrote" in body
    assert "Mine?" in body
    assert "My guidelines." in body
    assert Pilot.objects.get().decision == ""


def test_sizes_that_cannot_be_are_said() -> None:
    cast = make_cast(state="draft")
    response = browser(cast.lead).post(PAGE, {"size": "3", "overlap": "1"})
    assert response.status_code == 400
    assert "greater than or equal to 5" in response.content.decode()
    assert Campaign.objects.get(slug="helpful").state == "draft"


def test_without_prompts_nothing_is_opened() -> None:
    cast = make_cast(state="draft")
    body = browser(cast.lead).post(PAGE, {"size": "9", "overlap": "2"}).content.decode()
    assert "Import prompts first" in body
    assert not Pilot.objects.exists()


def test_a_campaign_that_was_opened_to_all_says_so(cast: Cast) -> None:
    assert "No pilot" in browser(cast.lead).get(PAGE).content.decode()


def test_a_clone_is_made_by_one_press(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    lead = browser(cast.lead)
    page = lead.get("/campaigns/helpful/clone/").content.decode()
    assert "Helpfulness, again" in page
    assert "With its 2 prompts" in page
    assert "gold items" in page
    sent = lead.post("/campaigns/helpful/clone/", {"name": "Once more", "prompts": "on"})
    assert sent["Location"] == "/campaigns/once-more/"
    made = Campaign.objects.get(slug="once-more")
    assert made.state == "draft"
    assert made.prompt_sets.count() == 1
    assert lead.post("/campaigns/helpful/clone/", {"name": " "}).status_code == 400

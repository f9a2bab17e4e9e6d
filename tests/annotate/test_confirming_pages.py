"""Changed guidelines on the pages: what is new is read, confirmed, and nothing typed is lost."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from labeling import campaigns, labels, leases
from labeling.models import GuidelinesConfirmed, Label, User
from tests.factories import LLAMA2, Cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
PAGE = "/rate/helpful/confirm/"
FRAGMENT = {"HX-Request": "true"}


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def body(response: Any) -> str:
    return str(response.content.decode())


def test_a_rater_reads_what_changed_and_goes_on(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    answer(cast.rater, cast.campaign, "0:better")
    lead, rater = browser(cast.lead), browser(cast.rater)
    form = {"markdown": "Prefer answers that are *short*.", "based_on": 1, "must_confirm": "on"}
    lead.post("/campaigns/helpful/guidelines/", form)
    assert rater.get("/rate/helpful/")["Location"] == PAGE
    waits = body(rater.get("/rate/helpful/", headers=FRAGMENT))
    assert f'href="{PAGE}"' in waits
    shown = body(rater.get(PAGE))
    assert "<del>Prefer answers that are **right and kind**.</del>" in shown
    assert "<ins>Prefer answers that are *short*.</ins>" in shown
    assert rater.post(PAGE, {"version": "v1"}).status_code == 409  # not what is in force
    assert not GuidelinesConfirmed.objects.exists()
    assert rater.post(PAGE, {"version": "v2"})["Location"] == "/rate/helpful/"
    assert 'id="rate"' in body(rater.get("/rate/helpful/"))
    assert "confirmed by 1 rater<" in body(lead.get("/campaigns/helpful/wording/"))


def test_a_lead_asks_for_it_later_and_takes_it_back(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    lead, rater = browser(cast.lead), browser(cast.rater)
    same = {"markdown": cast.campaign.guideline.markdown, "based_on": 1}
    said = lead.post("/campaigns/helpful/guidelines/", {**same, "must_confirm": "on"}, follow=True)
    assert "Raters confirm it before their next card." in body(said)
    assert rater.get("/rate/helpful/")["Location"] == PAGE
    said = lead.post("/campaigns/helpful/guidelines/", same, follow=True)
    assert "Raters need not confirm it any more." in body(said)
    assert rater.get("/rate/helpful/").status_code == 200
    assert rater.get(PAGE)["Location"] == "/rate/helpful/"


def test_what_was_typed_under_an_unconfirmed_version_is_handed_back(cast: Cast) -> None:
    parts = {**LLAMA2, "why": {"type": "rationale", "required": False}}
    cast.campaign.question.parts = parts
    cast.campaign.question.save(update_fields=["parts"])
    open_comparisons(cast.campaign, 1)
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    campaigns.revise_guidelines(
        campaign=cast.campaign, markdown="Be brief.", based_on=1, must_confirm=True
    )
    sent = {
        "preference-choice": "0:better",
        "why-text": "It names the source.",
        "idempotency_key": uuid.uuid4(),
        "told": "v2",
    }
    response = browser(cast.rater).post(f"/answers/{card.public_id}/", sent, headers=FRAGMENT)
    assert response.status_code == 400
    assert "read what is new and confirm it first" in body(response)
    assert "It names the source.</textarea>" in body(response)
    assert not Label.objects.exists()


def test_nothing_comes_back_by_a_key_before_it_is_confirmed(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    answer(cast.rater, cast.campaign, "0:better")
    campaigns.revise_guidelines(
        campaign=cast.campaign, markdown="Be brief.", based_on=1, must_confirm=True
    )
    assert browser(cast.rater).post("/rate/helpful/undo/", headers=FRAGMENT).status_code == 200
    cast.campaign.refresh_from_db()
    with pytest.raises(labels.NotOpen, match="confirm it first"):
        labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert Label.objects.count() == 1

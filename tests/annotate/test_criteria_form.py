"""Criteria put in order with buttons, in the form of a new campaign."""

from __future__ import annotations

import pytest
from django.test import Client

from labeling import leases
from labeling.models import Campaign
from tests.annotate.test_new_campaign import create, press, sent
from tests.factories import Cast, make_cast, open_comparisons

pytestmark = pytest.mark.django_db
PAGE = "/campaigns/new/"
LINE = "parts-1-criteria-{}"


def lines(fields: dict[str, str]) -> list[str]:
    named = [fields.get(LINE.format(n), "") for n in range(12)]
    return [line.partition(":")[0] for line in named if line]


def test_they_are_ordered_dropped_and_added(cast: Cast) -> None:
    lead = Client(headers={"Accept-Language": "en"})
    lead.force_login(cast.lead)
    fields = press(lead, sent(lead.get(PAGE).content.decode()), "preset", preset="priorities")
    assert lines(fields) == ["Truthful", "Harmless", "Helpful"]
    fields = press(lead, fields, "raise-1-1")
    assert lines(fields) == ["Harmless", "Truthful", "Helpful"]
    fields = press(lead, fields, "lower-1-1")
    assert lines(fields) == ["Harmless", "Helpful", "Truthful"]
    fields = press(lead, fields, "drop-1-1")
    fields[LINE.format(2)] = "Short: no longer than it takes"
    fields = press(lead, fields, "line-1-2")
    assert lines(fields) == ["Harmless", "Truthful", "Short"]
    assert lines(press(lead, fields, "raise-9-9")) == lines(fields)  # what is not there
    made = create(lead, fields)
    assert made.question
    kept = made.question.parts["criteria"]
    assert [line.partition(":")[0] for line in kept["criteria"]] == lines(fields)
    assert kept["asks"] is True


def test_the_card_shows_them_and_stores_which_decided() -> None:
    parts = {
        "preference": {"type": "pairwise", "scale": "ab"},
        "why": {"type": "criteria", "criteria": ["Safe: <i>hurts</i> nobody", "Short"]},
    }
    cast = make_cast(parts=parts)
    open_comparisons(cast.campaign, 2)
    rater = Client(headers={"Accept-Language": "en"})
    rater.force_login(cast.rater)
    body = rater.get("/rate/helpful/").content.decode()
    assert "Safe" in body
    assert "&lt;i&gt;hurts&lt;/i&gt; nobody" in body
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card
    answer = {"preference-choice": "0", "why-decided": "1", "idempotency_key": card.public_id}
    assert rater.post(f"/answers/{card.public_id}/", answer).status_code == 302
    label = card.labels.get()
    assert label.answer["parts"]["why"] == {"type": "criteria", "decided": "Short"}
    assert Campaign.objects.get(pk=cast.campaign.pk).question == label.question_version

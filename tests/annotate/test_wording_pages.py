"""A lead changes what raters are asked and told; everybody of the staff sees who did, and when."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from labeling import leases
from labeling.models import Campaign, Label
from tests.factories import Cast, open_comparisons

PAGE = "/campaigns/helpful/wording/"


@pytest.fixture
def lead(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.lead)
    return client


def test_new_guidelines_are_what_raters_read(lead: Client, cast: Cast) -> None:
    form = {"markdown": "Now be **brief**.", "based_on": 1}
    body = lead.post("/campaigns/helpful/guidelines/", form, follow=True).content.decode()
    assert "Version 2 is in force from the next card on." in body
    assert "by lead: 0 answers" in body
    assert "right and kind" in body  # version 1 is still there to read
    lead.force_login(cast.rater)
    assert "<strong>brief</strong>" in lead.get("/rate/helpful/guidelines/").content.decode()


def test_the_campaign_s_page_leads_there(lead: Client, cast: Cast) -> None:
    assert f'href="{PAGE}"' in lead.get("/campaigns/helpful/").content.decode()


def test_a_question_turned_round_while_a_card_is_in_hand(lead: Client, cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    rater = Client()
    rater.force_login(cast.rater)
    assert 'name="asked" value="v1"' in rater.get("/rate/helpful/").content.decode()
    form = {"text": "Which is worse?", "trains_on": "rejected", "based_on": 1}
    lead.post("/campaigns/helpful/question/", form)
    for asked in ("v1", "v2"):
        card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
        assert card is not None
        said = {"preference-choice": "0:better", "idempotency_key": uuid.uuid4(), "asked": asked}
        rater.post(f"/answers/{card.public_id}/", said)
    versions = Label.objects.order_by("pk").values_list("question_version__number", flat=True)
    assert list(versions) == [1, 2]
    body = lead.get(PAGE).content.decode()
    assert body.count('<td class="r">1</td>') == 2


def test_what_came_too_late_is_kept_in_the_form(lead: Client, cast: Cast) -> None:
    lead.post("/campaigns/helpful/guidelines/", {"markdown": "First.", "based_on": 1})
    late = {"markdown": "Second.", "based_on": 1}
    response = lead.post("/campaigns/helpful/guidelines/", late)
    assert response.status_code == 400
    body = response.content.decode()
    assert "Version 2 was made while you wrote" in body
    assert "Second.</textarea>" in body
    assert 'name="based_on" value="2"' in body  # saved again, it follows the version just read
    assert Campaign.objects.get().guideline.markdown == "First."


def test_an_empty_question_is_marked(lead: Client, cast: Cast) -> None:
    form = {"text": "", "trains_on": "chosen", "based_on": 1}
    response = lead.post("/campaigns/helpful/question/", form)
    assert (response.status_code, Campaign.objects.get().question.number) == (400, 1)
    assert "errorlist" in response.content.decode()


def test_a_researcher_reads_and_a_closed_campaign_is_not_changed(lead: Client, cast: Cast) -> None:
    researcher = Client()
    researcher.force_login(cast.researcher)
    assert "<textarea" not in researcher.get(PAGE).content.decode()
    assert "<textarea" in lead.get(PAGE).content.decode()
    Campaign.objects.update(state="closed")
    assert "<textarea" not in lead.get(PAGE).content.decode()
    form = {"markdown": "Late.", "based_on": 1}
    assert lead.post("/campaigns/helpful/guidelines/", form).status_code == 400

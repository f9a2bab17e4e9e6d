"""A lead has more labels asked where raters disagree, and reads what that saved."""

from __future__ import annotations

import pytest
from django.test import Client

from labeling import adaptive, quality_job
from labeling.adaptive import Rule
from models_runtime.models import Job
from tests.factories import Cast, open_comparisons
from tests.labeling.test_adaptive import TWO_AGREE, raters, says

pytestmark = pytest.mark.django_db
PAGE = "/campaigns/helpful/overlap/"
FIELDS = {"least": "2", "rule": "majority", "most": "3", "sure": "80"}


@pytest.fixture
def lead(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.lead)
    return client


def test_a_lead_settles_it_and_the_campaign_page_says_so(lead: Client, cast: Cast) -> None:
    assert PAGE in lead.get("/campaigns/helpful/").content.decode()
    assert lead.post(PAGE, FIELDS)["Location"] == PAGE
    cast.campaign.refresh_from_db()
    assert adaptive.of(cast.campaign) == TWO_AGREE
    body = lead.get("/campaigns/helpful/").content.decode()
    assert "2 to 3, more where raters disagree" in body
    lead.post(PAGE, {**FIELDS, "rule": ""})
    cast.campaign.refresh_from_db()
    assert adaptive.of(cast.campaign) == Rule(2)


def test_the_page_says_what_was_saved(lead: Client, cast: Cast) -> None:
    adaptive.change(campaign=cast.campaign, rule=TWO_AGREE)
    assert "Nothing yet" in lead.get(PAGE).content.decode()
    open_comparisons(cast.campaign, 2, overlap=2)
    for rater in raters(cast, 2):
        for _ in range(2):
            says(rater, cast, first=True)
    body = lead.get(PAGE).content.decode()
    assert "2 labels saved of 6" in body
    assert "2 comparisons were settled before they had 3 labels." in body


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"most": "2"}, "above the least"),
        ({"least": "0"}, "greater than or equal to 1"),
        ({"rule": "coins"}, "valid choice"),
        ({"rule": "belief", "sure": "100"}, "less than or equal to 99"),
    ],
)
def test_what_cannot_be_is_said_by_its_field(
    lead: Client, cast: Cast, changed: dict[str, str], said: str
) -> None:
    response = lead.post(PAGE, {**FIELDS, **changed})
    assert response.status_code == 400
    assert said in response.content.decode()
    cast.campaign.refresh_from_db()
    assert adaptive.of(cast.campaign).rule == ""


@pytest.mark.long
def test_accuracies_are_counted_when_a_quarter_more_answers_came(cast: Cast) -> None:
    """Where beliefs decide; the newest count stands on each rater's seat."""
    adaptive.change(campaign=cast.campaign, rule=Rule(3, "belief", 4, 0.8))
    open_comparisons(cast.campaign, 35, overlap=3)
    people = raters(cast, 3)
    for rater in people:
        for number in range(35):
            says(rater, cast, first=bool(number % 7) if rater == people[0] else True)
    assert quality_job.start_due() == 1
    assert quality_job.start_due() == 0
    found = quality_job.reports(cast.campaign)
    quality_job.learn(cast.campaign, found)
    known = dict(cast.campaign.seats.values_list("rater", "accuracy"))
    assert known[people[0].pk] < known[people[1].pk]
    Job.objects.filter(config__call="quality").update(state="succeeded", result=found)
    assert quality_job.start_due() == 0

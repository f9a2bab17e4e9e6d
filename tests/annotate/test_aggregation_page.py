"""A lead has a campaign's labels aggregated: the rule, the job, the counts before the download."""

from __future__ import annotations

import pytest
from django.test import Client

from labeling import aggregated_rows, freezing, snapshots
from labeling.models import Campaign
from models_runtime.models import AuditEvent, Job
from tests.factories import Cast, MembershipFactory, open_comparisons
from tests.rating import answer

URL = "/campaigns/helpful/quality/"


@pytest.fixture
def split(cast: Cast) -> Campaign:
    """Three who agree on four cards; on each of six others two against one, and on two of those
    the two are wrong by what all their answers say of them."""
    raters = [
        MembershipFactory(user__username=name, project=cast.project, role="rater").user
        for name in ("ada", "ben", "cem")
    ]
    open_comparisons(cast.campaign, 10, overlap=3)
    for place, rater in enumerate(raters):
        for number in range(10):
            first = number % 2 if number < 4 or place else 1 - number % 2
            answer(rater, cast.campaign, "0:better" if first else "1:slightly")
    return cast.campaign


def test_a_lead_chooses_a_rule_and_freezes_by_one(cast: Cast, split: Campaign) -> None:
    lead = Client()
    lead.force_login(cast.lead)
    lead.post(f"{URL}aggregation/", {"rule": "mace", "act": "keep"})
    split.refresh_from_db()
    assert split.aggregation == "mace"
    event = AuditEvent.objects.filter(verb="aggregation settled").get()
    assert event.data == {"from": "", "to": "mace"}
    lead.post(f"{URL}aggregation/", {"rule": "majority", "act": "freeze"})
    said = lead.post(
        f"{URL}aggregation/", {"rule": "majority", "act": "freeze"}, follow=True
    ).content.decode()
    assert "The labels are being frozen already." in said
    assert Job.objects.filter(config__call="freeze").count() == 1


def test_the_page_shows_what_became_of_the_pairs_before_the_download(
    cast: Cast, split: Campaign
) -> None:
    lead = Client()
    lead.force_login(cast.lead)
    assert "No snapshot was made by a rule yet." in lead.get(URL).content.decode()
    snapshot = snapshots.freeze(campaign=split, rule="majority")
    page = lead.get(URL).content.decode()
    assert f'href="/snapshots/{snapshot.pk}/"' in page
    assert [row["preferences"] for row in lead.get(URL).context["aggregated"]] == [10]
    files = lead.get(f"/snapshots/{snapshot.pk}/").content.decode()
    assert aggregated_rows.NAME in files


def test_a_rule_that_there_is_not_changes_nothing(cast: Cast, split: Campaign) -> None:
    lead = Client()
    lead.force_login(cast.lead)
    for act in ("keep", "freeze"):
        page = lead.post(f"{URL}aggregation/", {"rule": "guess", "act": act}, follow=True)
        assert "There is no rule named guess." in page.content.decode()
    split.refresh_from_db()
    assert split.aggregation == ""
    assert freezing.newest(split) is None

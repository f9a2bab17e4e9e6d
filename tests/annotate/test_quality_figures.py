"""What the page of label quality says of each rater and each card: sorted, with evidence, with the
labels behind."""

from __future__ import annotations

import pytest
from django.test import Client

from annotate import quality_rows
from labeling import labels, leases, quality_job
from tests.annotate.test_quality_page import URL, count, labelled
from tests.factories import Cast, MembershipFactory, open_comparisons
from tests.rating import answer


@pytest.fixture
def lead(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.lead)
    return client


def test_every_column_sorts_both_ways_and_says_so(lead: Client, cast: Cast) -> None:
    labelled(cast)
    lead.post(f"{URL}count/")
    count(cast.campaign)
    names = [row["name"] for row in lead.get(URL, {"sort": "rater"}).context["raters"]]
    assert names == ["=cmd()", "ada", "ben"]
    down = lead.get(URL, {"sort": "-rater"})
    assert [row["name"] for row in down.context["raters"]] == names[::-1]
    assert 'aria-sort="descending"' in down.content.decode()
    for column in quality_rows.SORTED:
        assert len(quality_rows.ordered(down.context["raters"], f"-{column}")) == 3
    assert len(lead.get(URL, {"sort": "nothing'"}).context["raters"]) == 3


def test_a_sign_stands_with_its_evidence(lead: Client, cast: Cast) -> None:
    rater = MembershipFactory(user__username="hasty", project=cast.project, role="rater").user
    open_comparisons(cast.campaign, 21)
    for _ in range(21):
        answer(rater, cast.campaign, "0:better")
    lead.post(f"{URL}count/")
    count(cast.campaign)
    page = lead.get(URL).content.decode()
    assert "The text shown first in 100" in page
    assert "of 21 choices" in page
    assert "up to 21 in a row for one side" in page
    assert 'class="whisker"' in page


def test_both_pages_say_the_same_of_sides(lead: Client, cast: Cast) -> None:
    labelled(cast)
    lead.post(f"{URL}count/")
    count(cast.campaign)
    share = lead.get(URL).context["report"]["side"]["share"]
    left = lead.get("/campaigns/helpful/").context["figures"].left
    assert (left.share, left.low, left.high) == (share["value"], share["low"], share["high"])
    assert not left.is_exact


def test_what_was_passed_over_is_a_share_with_its_interval(lead: Client, cast: Cast) -> None:
    rater, *_ = labelled(cast)
    open_comparisons(cast.campaign, 2)
    card = leases.claim_next(rater=rater, campaign=cast.campaign)
    assert card
    labels.skip(assignment=card, reason="cannot_judge")
    found = quality_job.reports(cast.campaign)["person"]["raters"]
    row = next(one for one in found if one["rater"] == rater.pk)
    assert row["skipped"]["value"] == pytest.approx(1 / 7)
    assert row["skipped"]["low"] < 1 / 7 < row["skipped"]["high"]


def test_hard_cards_and_bands_of_similarity_are_files_too(lead: Client, cast: Cast) -> None:
    labelled(cast)
    lead.post(f"{URL}count/")
    count(cast.campaign)
    files = {
        of: lead.get(f"{URL}person.csv", {"of": of}).content.decode().splitlines()
        for of in ("cards", "strengths", "similarity", "")
    }
    assert files["cards"][0].startswith("comparison,difficulty")
    assert len(files["cards"]) == 7
    assert len(files["strengths"]) == 3
    assert files["similarity"] == ["from,to,cards,agree,agree_low,agree_high"]
    assert "evidence" in files[""][0]
    assert "Hardest cards" in lead.get(URL).content.decode()

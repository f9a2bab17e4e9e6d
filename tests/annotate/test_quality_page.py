"""A lead counts the labels and reads how far raters agree, with every figure's definition."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labeling import campaigns, labels, quality_job
from labeling.models import Campaign, User
from models_runtime.models import Job
from tests.factories import Cast, MembershipFactory, open_comparisons
from tests.labeling.test_adaptive import says
from tests.rating import answer

URL = "/campaigns/helpful/quality/"


@pytest.fixture
def lead(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.lead)
    return client


def labelled(cast: Cast, comparisons: int = 6) -> list[User]:
    """Three people on the same comparisons, one of whom a spreadsheet would run."""
    names = ("ada", "ben", "=cmd()")
    raters = [
        MembershipFactory(user__username=name, project=cast.project, role="rater").user
        for name in names
    ]
    open_comparisons(cast.campaign, comparisons, overlap=3)
    for place, rater in enumerate(raters):
        for number in range(comparisons):
            answer(rater, cast.campaign, "0:better" if (number + place) % 3 else "1:slightly")
    return raters


def count(campaign: Campaign) -> Job:
    """What the worker does with the job that the page submits."""
    job = quality_job.newest(campaign)
    assert job
    assert job.state == "queued"
    Job.objects.filter(pk=job.pk).update(state="succeeded", result=quality_job.reports(campaign))
    return job


def test_before_a_count_the_page_offers_one(lead: Client) -> None:
    page = lead.get(URL).content.decode()
    assert "Nothing is counted yet" in page
    assert "Count now" in page


def test_a_press_counts_once_though_pressed_twice(lead: Client, cast: Cast) -> None:
    lead.post(f"{URL}count/")
    said = lead.post(f"{URL}count/", follow=True).content.decode()
    assert "The labels are being counted already." in said
    jobs = Job.objects.filter(config__call="quality")
    assert [job.config["campaign"] for job in jobs] == [cast.campaign.pk]
    assert "Counting labels" in said


def test_figures_stand_with_their_definition_and_raters_with_their_names(
    lead: Client, cast: Cast
) -> None:
    labelled(cast)
    lead.post(f"{URL}count/")
    count(cast.campaign)
    page = lead.get(URL).content.decode()
    for said in ("Krippendorff", "Gwet", "18 judgements on 6 items, 6 of them", "ada", "ben"):
        assert said in page
    assert "nan" not in page.lower().replace("finance", "")


def test_what_cannot_be_said_is_a_sentence(lead: Client, cast: Cast) -> None:
    rater = MembershipFactory(project=cast.project, role="rater").user
    open_comparisons(cast.campaign, 2)
    answer(rater, cast.campaign, "0:better")
    lead.post(f"{URL}count/")
    count(cast.campaign)
    page = lead.get(URL).content.decode()
    assert "No item was judged by two raters." in page
    assert "undefined" in page


def test_people_and_simulated_raters_have_a_page_each(lead: Client, cast: Cast) -> None:
    labelled(cast)
    robot = MembershipFactory(user__kind="simulated", project=cast.project).user
    open_comparisons(cast.campaign, 1)
    answer(robot, cast.campaign, "0:better")
    lead.post(f"{URL}count/")
    found = quality_job.reports(cast.campaign)
    assert {name: one["labels"] for name, one in found.items()} == {"person": 18, "simulated": 1}
    count(cast.campaign)
    assert robot.username not in lead.get(URL).content.decode()
    assert robot.username in lead.get(URL, {"source": "simulated"}).content.decode()


def test_the_file_of_raters_runs_nothing_in_a_spreadsheet(lead: Client, cast: Cast) -> None:
    labelled(cast)
    lead.post(f"{URL}count/")
    count(cast.campaign)
    rows = list(csv.DictReader(lead.get(f"{URL}person.csv").content.decode().splitlines()))
    assert {row["rater"] for row in rows} == {"ada", "ben", "'=cmd()"}
    assert {row["labels"] for row in rows} == {"6"}
    assert lead.get(f"{URL}nobody.csv").status_code == 404


def test_numbers_lead_to_the_labels_behind_them_and_each_table_is_a_file(
    lead: Client, cast: Cast
) -> None:
    labelled(cast)
    lead.post(f"{URL}count/")
    count(cast.campaign)
    page = lead.get(URL).content.decode()
    for link in ("labels/?rater=ada&amp;source=person", "labels/?said=better&amp;source=person"):
        assert link in page
    assert len(lead.get("/campaigns/helpful/labels/?said=better").context["rows"]) == 12
    files = {
        of: lead.get(f"{URL}person.csv", {"of": of}).content.decode().splitlines()
        for of in ("answers", "weeks", "guidelines", "")
    }
    assert sorted(files["answers"]) == ["answer,labels", "better,12", "slightly,6"]
    assert len(files["weeks"]) == len(files["guidelines"]) == 2
    assert files[""][0].startswith("rater,labels,agrees")


def test_agreement_is_told_by_version_of_the_guidelines(lead: Client, cast: Cast) -> None:
    """Two who differ under the first version, and agree under the second."""
    one, two = (MembershipFactory(project=cast.project, role="rater").user for _ in range(2))
    open_comparisons(cast.campaign, 4, overlap=2)
    for number in range(4):
        if number == 2:
            newest = cast.campaign.guideline.number if cast.campaign.guideline else 0
            campaigns.revise_guidelines(
                campaign=cast.campaign, markdown="Look twice.", based_on=newest
            )
        says(one, cast, first=True)
        says(two, cast, first=number > 1)
    rows = quality_job.reports(cast.campaign)["person"]["guidelines"]
    assert [row["value"] for row in rows] == [0, 1]
    lead.post(f"{URL}count/")
    count(cast.campaign)
    assert "Agreement by guidelines" in lead.get(URL).content.decode()


def test_the_page_costs_the_same_with_more_raters(lead: Client, cast: Cast) -> None:
    def queries() -> int:
        lead.post(f"{URL}count/")
        count(cast.campaign)
        with CaptureQueriesContext(connection) as captured:
            assert lead.get(URL).status_code == 200
        return len(captured)

    labelled(cast, comparisons=3)
    few = queries()
    for _ in range(5):
        rater = MembershipFactory(project=cast.project, role="rater").user
        open_comparisons(cast.campaign, 1)
        answer(rater, cast.campaign, "0:better")
    assert queries() == few <= 25


def test_an_answer_taken_back_is_not_counted(cast: Cast) -> None:
    raters = labelled(cast)
    labels.undo(rater=raters[0], campaign=cast.campaign)
    found: dict[str, Any] = quality_job.reports(cast.campaign)
    assert found["person"]["labels"] == 17

"""The page of label quality compares groups of raters, and names the correction."""

from __future__ import annotations

import pytest
from django.test import Client

from labeling import groups, quality_job
from models_runtime.models import Job
from tests.factories import Cast, MembershipFactory, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
URL = "/campaigns/helpful/quality/"


def test_a_group_stands_beside_the_others(cast: Cast) -> None:
    people = [MembershipFactory(project=cast.project, role="rater").user for _ in range(6)]
    open_comparisons(cast.campaign, 3, overlap=6)
    for place, rater in enumerate(people):
        for _card in range(3):
            answer(rater, cast.campaign, "0:better" if place < 3 else "1:better")
    students = groups.make(project=cast.project, name="Students", kind="group")
    groups.make(project=cast.project, name="Law", kind="skill")
    groups.put_in(group=students, users=people[:3])
    lead = Client()
    lead.force_login(cast.lead)
    assert "Groups of raters" not in lead.get(URL).content.decode()
    job = quality_job.start(cast.campaign, cast.lead)
    assert job is not None
    Job.objects.filter(pk=job.pk).update(
        state="succeeded", result=quality_job.reports(cast.campaign)
    )
    page = lead.get(URL).content.decode()
    for said in (
        "Students",
        "corrected by Holm",
        "Agreement within, less across",
        "3 items were judged by at least two raters on each side",
    ):
        assert said in page
    assert "Law" not in page  # a skill is no group
    groups.remove(group=students)
    assert "Groups of raters" not in lead.get(URL).content.decode()

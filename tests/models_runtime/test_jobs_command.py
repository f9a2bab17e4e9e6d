"""manage.py jobs list: a line a job, and a sentence where there is none."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from models_runtime import jobs
from models_runtime.models import Job
from tests.factories import ProjectFactory

pytestmark = pytest.mark.django_db


def listed(**options: bool) -> str:
    said = StringIO()
    call_command("jobs", "list", stdout=said, **options)
    return said.getvalue()


def test_no_job_at_all() -> None:
    assert listed() == listed(all=True) == "There is no job yet.\n"


def test_jobs_that_have_ended_are_behind_an_option() -> None:
    job = jobs.submit(
        project=ProjectFactory(), kind="row", config={"call": "simulate"}, queue="gpu"
    )
    assert listed().split()[:4] == [str(job.pk), "row", "gpu", "queued"]
    Job.objects.update(state="succeeded")
    assert listed() == ("Every job has succeeded or was cancelled: jobs list --all shows them.\n")
    assert listed(all=True).split()[:4] == [str(job.pk), "row", "gpu", "succeeded"]

"""A row job is Django code in a process of its own, under the same leash and exit codes."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils.module_loading import import_string

from models_runtime import jobs
from models_runtime.models import Project
from tests.models_runtime.processes import Workers


@pytest.mark.parametrize("call", sorted(jobs.ROW_CALLS))
def test_every_row_call_can_be_imported(call: str) -> None:
    assert callable(import_string(jobs.ROW_CALLS[call]))


def test_row_job_runs_in_a_process_with_the_database(
    project: Project, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in workers.environment().items():
        monkeypatch.setenv(name, value)
    job = jobs.submit(project=project, kind="row", config={"call": "simulate", "campaign": 99})
    assert jobs.execute(job.pk) == "failed"
    job.refresh_from_db()
    assert job.error == "There is no campaign 99."  # only the database could tell


def test_only_a_row_job_can_be_run_by_hand(db: Any) -> None:
    with pytest.raises(CommandError, match="There is no row job 7"):
        call_command("run_row_job", "7")

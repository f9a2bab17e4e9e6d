"""A queued job is claimed once, run by a process of its own, and its result stored."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from models_runtime import jobs
from models_runtime.models import AuditEvent, Job, Project

Submit = Callable[..., Job]


def test_job_runs_to_its_result(submit: Submit) -> None:
    job = submit(steps=4)
    assert (job.state, job.attempt) == ("queued", 0)

    assert jobs.execute(job.pk) == "succeeded"

    job.refresh_from_db()
    assert job.result == {"sum": 10, "attempt": 1}
    assert job.progress == {"done": 4, "total": 4, "unit": "steps", "note": ""}
    assert [row["total"] for row in jobs.metrics(job)] == [1, 3, 6, 10]
    assert (job.error, job.worker, job.attempt) == ("", "", 1)
    assert job.cpu_seconds > 0
    assert job.finished_at is not None
    total = json.loads((jobs.output_folder(job) / "sum.json").read_text())
    assert total == {"step": 4, "sum": 10}


def test_execute_claims_once(submit: Submit) -> None:
    job = submit(steps=1)
    assert jobs.execute(job.pk) == "succeeded"
    assert jobs.execute(job.pk) == ""  # a second delivery
    job.refresh_from_db()
    assert job.attempt == 1


def test_most_urgent_job_of_a_queue_is_first(submit: Submit) -> None:
    first, second, other = submit(), submit(), submit(queue="default")
    Job.objects.filter(pk=second.pk).update(priority=5)
    assert [jobs.claim_next("gpu").pk for _ in range(2)] == [second.pk, first.pk]
    assert jobs.claim_next("gpu") is None
    assert jobs.claim_next("default").pk == other.pk


def test_inputs_are_laid_and_verified(project: Project, tmp_path, submit: Submit) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"id":1}\n')
    row = jobs.input_of_file("prompts", prompts)
    job = submit(steps=1)
    Job.objects.filter(pk=job.pk).update(inputs=[row])

    assert jobs.execute(job.pk) == "succeeded"

    laid = json.loads((jobs.folder(job) / "inputs.json").read_text())[0]
    assert set(laid) == {"name", "uri", "sha256", "path"}
    with open(laid["path"]) as handle:
        assert handle.read() == '{"id":1}\n'


def test_damaged_input_fails_the_job_with_its_name(tmp_path, submit: Submit) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"id":1}\n')
    row = jobs.input_of_file("prompts", prompts)
    for stored in tmp_path.glob("artifacts/inputs/*/prompts.jsonl"):
        stored.write_text('{"id":2}\n')
    job = submit(steps=1)
    Job.objects.filter(pk=job.pk).update(inputs=[row])

    assert jobs.execute(job.pk) == "failed"

    job.refresh_from_db()
    assert job.error.startswith("prompts.jsonl of the artefact inputs/")
    assert "is damaged" in job.error


def test_bad_input_fails_at_once_with_its_sentence(submit: Submit) -> None:
    job = submit(refuse="The prompts are empty.")
    assert jobs.execute(job.pk) == "failed"
    job.refresh_from_db()
    assert (job.error, job.attempt) == ("The prompts are empty.", 1)


@pytest.mark.parametrize("kind", ["dance", "row"])
@pytest.mark.usefixtures("counting")
def test_unknown_work_is_refused_when_submitted(project: Project, kind: str) -> None:
    with pytest.raises(ValueError, match=r"There is no (kind of job|row job) named"):
        jobs.submit(project=project, kind=kind, config={})
    assert not Job.objects.exists()


def test_every_move_is_in_the_audit_trail(submit: Submit) -> None:
    job = submit(steps=1)
    jobs.execute(job.pk)
    rows = AuditEvent.objects.filter(object_id=str(job.pk), object_type="models_runtime.job")
    moves = list(rows.order_by("id").values_list("from_state", "to_state"))
    assert moves == [("", "queued"), ("running", "succeeded")]


def test_jobs_command_lists_stops_and_retries(submit: Submit, capsys) -> None:
    job = submit(steps=1)
    call_command("jobs", "stop", str(job.pk))
    call_command("jobs", "list")
    call_command("jobs", "retry", str(job.pk))
    printed = capsys.readouterr().out
    assert f"job {job.pk}: stopped" in printed
    assert f"job {job.pk}: queued" in printed


def test_output_is_found_from_a_machine_without_the_job_directory(
    submit: Submit, settings: Any
) -> None:
    settings.ARTIFACTS_URI = "memory://outputs"
    job = submit(steps=2)
    assert jobs.execute(job.pk) == "succeeded"
    shutil.rmtree(jobs.folder(job))
    job.refresh_from_db()
    assert json.loads((jobs.output_folder(job) / "sum.json").read_text())["sum"] == 3


def test_output_of_a_job_that_has_not_succeeded_is_refused(submit: Submit) -> None:
    with pytest.raises(ValueError, match="has no output: it is queued"):
        jobs.output_folder(submit())

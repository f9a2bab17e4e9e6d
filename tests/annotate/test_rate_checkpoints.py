"""Checkpoints of a run are put to raters from its page and by command."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import Client
from django.utils import timezone

from labeling.models import Iteration, SamplingBatch, Snapshot
from models_runtime import artifacts, jobs, resumable
from models_runtime.jobdir import publish
from models_runtime.models import Job
from models_runtime.states import StaleState
from tests.factories import (
    Cast,
    ComparisonFactory,
    IterationFactory,
    PromptFactory,
    open_comparisons,
)
from tests.rating import answer
from tests.training import store
from training import checkpoint_batches, runs
from training.models import CheckpointBatch, TrainingRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(cast: Cast, settings: Any, tmp_path: Path) -> TrainingRun:
    """A run that is under way, with checkpoints of two steps on this disk."""
    settings.JOBS_DIR = tmp_path / "jobs"
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()
    snapshot = Snapshot.objects.create(
        project=cast.project, campaign=cast.campaign, uri="file:///nowhere/snapshot"
    )
    PromptFactory(prompt_set__campaign=cast.campaign)
    iteration: Iteration = IterationFactory(
        campaign=cast.campaign, snapshot=snapshot, state="review"
    )
    made = runs.start_run(iteration=iteration, role="policy", method="odpo")
    Job.objects.filter(pk=made.job_id).update(state="running", attempt=1)
    for step in (25, 50):
        folder = jobs.folder(made.job) / "attempt-1" / "checkpoints" / f"step-{step}"
        with publish(folder) as files:
            (files / "state.pt").write_bytes(b"%d" % step)
    return made


def rate(run: TrainingRun, *told: str) -> str:
    said = StringIO()
    call_command("rate_checkpoints", str(run.pk), *told, stdout=said)
    return said.getvalue()


def test_from_its_page(client: Client, cast: Cast, run: TrainingRun) -> None:
    client.force_login(cast.researcher)
    address = f"/jobs/{run.job_id}/rate/"
    assert f'href="{address}"' in client.get(f"/jobs/{run.job_id}/").content.decode()
    form = client.get(address).context["form"]
    assert form.fields["steps"].choices == [("50", "50"), ("25", "25")]
    sent = {field.name: field.value() for field in form}
    told = {**sent, "steps": ["25", "50"], "against": "each other", "tag": "early"}
    for _ in range(2):
        assert client.post(address, told)["Location"] == f"/jobs/{run.job_id}/"
    row = CheckpointBatch.objects.get()
    assert row.options["steps"] == [25, 50]
    body = client.get(f"/jobs/{run.job_id}/").content.decode()
    assert "early" in body
    assert f'<a href="/jobs/{row.keeping_id}/">keeping</a>' in body
    assert row.keeping is not None
    store.kept(row.keeping)
    checkpoint_batches.tick()
    row.refresh_from_db()
    assert row.publishing is not None
    assert {one["name"] for one in row.publishing.inputs} == {"policy", "step-25", "step-50"}
    body = client.get(f"/jobs/{run.job_id}/").content.decode()
    assert f'<a href="/jobs/{row.publishing_id}/">publishing</a>' in body

    gone = client.post(address, {**told, "steps": ["7"]})
    assert gone.status_code == 400
    assert "Step 7 is gone: the run goes on." in gone.content.decode()


def test_no_byte_of_a_checkpoint_is_read_while_the_page_is_waited_for(
    client: Client, cast: Cast, run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    monkeypatch.setattr(resumable, "is_complete", read.append)
    monkeypatch.setattr(artifacts, "put_files", read.append)
    client.force_login(cast.researcher)
    address = f"/jobs/{run.job_id}/rate/"
    sent = {field.name: field.value() for field in client.get(address).context["form"]}
    assert client.post(address, {**sent, "steps": ["50"]}).status_code == 302
    assert CheckpointBatch.objects.exists()
    assert not read


def test_by_command(run: TrainingRun) -> None:
    assert f"Checkpoints of run-{run.pk} that can be had now: 50, 25." in rate(run)
    said = rate(run, "--step", "50", "--set", "comparisons=3")
    row = CheckpointBatch.objects.get()
    assert f"Steps [50] wait for job {row.keeping_id}." in said
    assert row.options["comparisons"] == 3
    with pytest.raises(CommandError, match="The checkpoint of step 7 is gone"):
        rate(run, "--step", "7")
    with pytest.raises(CommandError, match="must be a whole number"):
        rate(run, "--step", "50", "--set", "comparisons=many")


def test_a_job_that_moves_meanwhile_is_a_sentence(
    client: Client, cast: Cast, run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate(run, "--step", "50")
    Job.objects.filter(keeps_for__run=run).update(state="cancelled")

    def moved(*_: object, **__: object) -> None:
        raise StaleState("Job 7 cannot run again.")

    monkeypatch.setattr(jobs, "run_again", moved)
    with pytest.raises(CommandError, match="cannot run again"):
        rate(run, "--step", "50")
    client.force_login(cast.researcher)
    address = f"/jobs/{run.job_id}/rate/"
    sent = {field.name: field.value() for field in client.get(address).context["form"]}
    reply = client.post(address, {**sent, "steps": ["50"]})
    assert "cannot run again" in reply.content.decode()


def test_its_answers_and_labels_carry_its_tags_in_every_list(
    client: Client, cast: Cast, run: TrainingRun
) -> None:
    rate(run, "--step", "50")
    job = Job.objects.create(project=cast.project, kind="sample")
    batch = SamplingBatch.objects.create(
        campaign=cast.campaign, job=job, samplers=[], tags=["early"], ingested_at=timezone.now()
    )
    CheckpointBatch.objects.update(batch=batch, opened=1)
    comparison = ComparisonFactory(campaign=cast.campaign, batch=batch)
    comparison.completions.update(batch=batch, sample_index=F("pk"))
    answer(cast.rater, cast.campaign, "0:better")
    own = open_comparisons(cast.campaign, 1)[0]
    Iteration.objects.exclude(pk=run.iteration_id).update(number=7)
    answer(cast.other_rater, cast.campaign, "0:better")
    client.force_login(cast.researcher)
    assert own.batch is None
    assert run.iteration is not None
    for rows, chips in (("labels", 1), ("samples", 2)):
        page = client.get(f"/campaigns/helpful/{run.iteration.number}/rows/{rows}/")
        assert page.content.decode().count('<span class="chip">early</span>') == chips
    others = client.get("/campaigns/helpful/7/rows/labels/").content.decode()
    assert "early" not in others


def test_what_is_no_policys_run_has_no_such_page(
    client: Client, cast: Cast, run: TrainingRun
) -> None:
    client.force_login(cast.researcher)
    TrainingRun.objects.update(role="judge")
    assert client.get(f"/jobs/{run.job_id}/rate/").status_code == 404
    assert "/rate/" not in client.get(f"/jobs/{run.job_id}/").content.decode()

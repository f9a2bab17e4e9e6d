"""A cancelled job stays cancelled; what waits for its work may have a new one begin it anew."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from labeling.models import Campaign, Iteration, Snapshot
from models_runtime import jobs
from models_runtime.models import AuditEvent, Job
from models_runtime.states import StaleState
from tests.factories import Cast, CheckpointFactory, IterationFactory, make_cast, sha256
from training import pipeline, runs
from training.models import Evaluation, TrainingRun

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def iteration_in(cast: Cast, state: str) -> Iteration:
    frozen = sha256(f"{state} {Snapshot.objects.count()}")
    snapshot = Snapshot.objects.create(project=cast.project, campaign=cast.campaign, sha256=frozen)
    return IterationFactory(campaign=cast.campaign, state=state, snapshot=snapshot)


def cancelled(cast: Cast, kind: str = "train") -> Job:
    job = jobs.submit(
        project=cast.project, kind=kind, config={"method": "raft"}, inputs=[{"name": "prompts"}],
        queue="gpu", seed=7, priority=2,
    )  # fmt: skip
    jobs.cancel(job)
    return job


def run_of(iteration: Iteration, job: Job, role: str = "policy") -> TrainingRun:
    assert iteration.snapshot is not None
    return TrainingRun.objects.create(
        project=job.project, campaign=iteration.campaign, iteration=iteration, role=role,
        method="raft", snapshot=iteration.snapshot, job=job,
    )  # fmt: skip


def test_the_run_has_a_new_job_that_does_the_same_from_the_beginning(cast: Cast) -> None:
    run = run_of(iteration_in(cast, "training"), cancelled(cast))
    old = run.job
    new = runs.run_again(old, cast.researcher)
    run.refresh_from_db()
    old.refresh_from_db()
    assert run.job == new
    assert (old.state, old.result) == ("cancelled", {"again": new.pk})
    for name in ("project", "kind", "config", "inputs", "queue", "seed", "priority"):
        assert getattr(new, name) == getattr(old, name)
    assert (new.state, new.attempt, new.created_by) == ("queued", 0, cast.researcher)
    assert new.dir != old.dir  # what the cancelled one left is deleted in its own time
    told = AuditEvent.objects.filter(object_id=str(old.pk), verb="job run again").get()
    assert (told.actor, told.data) == (cast.researcher, {"again": new.pk})


def test_samples_and_evaluations_run_again_as_well(cast: Cast) -> None:
    batch = iteration_in(cast, "sampling").batches.create(
        job=cancelled(cast, "sample"), samplers=[]
    )
    assert runs.run_again(batch.job) == Job.objects.get(sampling_batch=batch)

    judged = Evaluation.objects.create(
        project=cast.project, iteration=iteration_in(cast, "review"), job=cancelled(cast),
        checkpoint=CheckpointFactory(project=cast.project),
    )  # fmt: skip
    Job.objects.filter(pk=judged.job_id).update(kind="evaluate")
    judged.job.refresh_from_db()
    assert runs.run_again(judged.job) == Job.objects.get(evaluation=judged)


@pytest.mark.parametrize("state", ["queued", "running", "stopped", "failed", "succeeded"])
def test_only_a_cancelled_one_runs_again(cast: Cast, state: str) -> None:
    job = run_of(iteration_in(cast, "training"), cancelled(cast)).job
    Job.objects.filter(pk=job.pk).update(state=state)
    refused(job)


@pytest.mark.parametrize(
    ("role", "state"),
    [
        ("reward_model", "promoted"), ("judge", "review"), ("policy", "collecting"),
        ("policy", "promoted"), ("policy", "rejected"), ("policy", "failed"),
    ],
)  # fmt: skip
def test_nothing_runs_again_that_its_iteration_has_no_use_for(
    cast: Cast, role: str, state: str
) -> None:
    job = run_of(iteration_in(cast, state), cancelled(cast), role).job
    assert not runs.can_run_again(job)
    refused(job)


def test_nothing_runs_again_in_a_closed_campaign_or_for_nobody(cast: Cast) -> None:
    refused(cancelled(cast))
    job = run_of(iteration_in(cast, "training"), cancelled(cast)).job
    Campaign.objects.update(state="closed")
    refused(job)


def refused(job: Job) -> None:
    before = list(Job.objects.order_by("pk").values())
    with pytest.raises(StaleState):
        runs.run_again(job)
    assert list(Job.objects.order_by("pk").values()) == before


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_press_at_once_one_makes_a_job() -> None:
    cast = make_cast()
    run = run_of(iteration_in(cast, "training"), cancelled(cast))

    def press(_: int) -> Job | None:
        try:
            return runs.run_again(run.job)
        except StaleState:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        made = [job for job in pool.map(press, range(8)) if job]
    run.refresh_from_db()
    assert [run.job] == made
    assert Job.objects.count() == 2


def test_retrying_an_iteration_runs_again_what_it_failed_for(cast: Cast) -> None:
    """Its only sample job was cancelled: without another one every retry failed at once."""
    iteration = iteration_in(cast, "sampling")
    batch = iteration.batches.create(job=cancelled(cast, "sample"), samplers=[])
    pipeline.step(iteration)
    assert iteration.state == "failed"
    pipeline.retry_iteration(iteration, cast.researcher)
    pipeline.step(iteration)
    batch.refresh_from_db()
    assert (iteration.state, batch.job.state) == ("sampling", "queued")


def test_retrying_leaves_alone_what_was_cancelled_beside_another(cast: Cast) -> None:
    iteration = iteration_in(cast, "training")
    failed, beside = run_of(iteration, cancelled(cast)), run_of(iteration, cancelled(cast))
    Job.objects.filter(pk=failed.job_id).update(state="failed", error="It broke.")
    pipeline.step(iteration)
    assert iteration.state == "failed"
    pipeline.retry_iteration(iteration)
    states = {run.pk: run.job.state for run in iteration.runs.select_related("job")}
    assert states == {failed.pk: "queued", beside.pk: "cancelled"}

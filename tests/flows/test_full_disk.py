"""The disk fills up while a model trains, and again before it is registered: each time one
sentence and nothing half-done, and after space is freed the same iteration completes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from annotate import demo
from labeling import simulation
from labeling.models import Campaign, Iteration
from models_runtime import jobs
from models_runtime.models import Checkpoint, Job
from tests.models_runtime.processes import fill, wait_for
from training import pipeline

pytestmark = [pytest.mark.training, pytest.mark.django_db(transaction=True), pytest.mark.long]
JOB_SENTENCE = (
    "The disk that holds the job directory is full: free some space, then start the job again."
)
STORE_SENTENCE = "The disk is full: free some space, then retry."
PLAN = {
    "prompts": 24,
    "k": 2,
    "comparisons": 24,
    "target_labels": 26,
    "count_simulated": True,
    "repeat": False,
    "reward": {"epochs": 16, "batch_size": 4, "save_every": 2},
    "options": {"k": 2, "epochs": 1, "prompts": 32},
    "evaluation": {"samples_per_prompt": 2},
    "guards": {"valid_text": -1.0, "kl": -1.0, "length_growth": -1.0, "duplicates": -1.0},
}
ROOM = 2 << 20  # bytes left: a checkpoint begins to be written and cannot end


@pytest.fixture
def campaign(small_disk: Path, tmp_path: Path, settings: Any) -> Campaign:
    settings.DATA_DIR = tmp_path
    settings.JOBS_DIR = small_disk / "jobs"
    settings.ARTIFACTS_URI = (small_disk / "artifacts").as_uri()
    project = demo.ensure_project()
    policy = demo.ensure_policy(project)
    return demo.create_campaign(project=project, policy=policy, name="Full", plan=PLAN)


@contextmanager
def filled(disk: Path, room: int = 0) -> Iterator[None]:
    """The disk without more than room bytes, until the block ends."""
    filler = disk / "filler"
    fill(filler)
    with filler.open("r+b") as handle:
        handle.truncate(max(0, filler.stat().st_size - room))
    yield
    filler.unlink()


def step_until(iteration: Iteration, done: Callable[[], object], work: bool = True) -> None:
    for _ in range(30):
        pipeline.tick()
        iteration.refresh_from_db()
        if done():
            return
        if work:
            jobs.execute_next("gpu")
    waiting = list(Job.objects.exclude(state="succeeded").values("kind", "state", "error"))
    raise AssertionError(f"still {iteration.state}: {waiting}")


def execute_beside() -> threading.Thread:
    def execute() -> None:
        try:
            jobs.execute_next("gpu")
        finally:
            connection.close()

    thread = threading.Thread(target=execute)
    thread.start()
    return thread


@pytest.fixture
def labelled(campaign: Campaign) -> Iteration:
    """An iteration whose reward model is about to be trained."""
    iteration = pipeline.start_iteration(campaign)
    step_until(iteration, lambda: iteration.state == "collecting")
    simulation.label_as_simulated(campaign=campaign, count=26, seed=0)
    step_until(iteration, lambda: iteration.state == "training", work=False)
    return iteration


def test_a_full_disk_is_one_sentence_and_the_iteration_completes_once_there_is_space(
    labelled: Iteration, small_disk: Path
) -> None:
    job = Job.objects.get(training_run__role="reward_model")
    training = execute_beside()
    wait_for(lambda: list(jobs.folder(job).glob("attempt-1/checkpoints/step-*")), 120)
    with filled(small_disk, ROOM):
        training.join()
        step_until(labelled, lambda: labelled.state == "failed")
        job.refresh_from_db()
        assert (job.state, job.result, job.error) == ("failed", {}, JOB_SENTENCE)
        assert labelled.error == JOB_SENTENCE
        nothing_half_done(labelled, small_disk)

    pipeline.retry_iteration(labelled)
    assert jobs.execute(job.pk) == "succeeded"
    steps = [row["step"] for row in jobs.metrics(job)]
    assert steps == list(range(1, len(steps) + 1))
    assert job.metric_chunks.filter(attempt=2).order_by("id").first().from_step > 1

    with filled(small_disk):
        step_until(labelled, lambda: labelled.state == "failed", work=False)
        assert labelled.error == STORE_SENTENCE
        nothing_half_done(labelled, small_disk)

    pipeline.retry_iteration(labelled)
    step_until(labelled, lambda: labelled.state == "review")
    assert Checkpoint.objects.count() == 4  # the first policy, two reward models, the new policy
    assert labelled.evaluations.count() == 1


def nothing_half_done(iteration: Iteration, disk: Path) -> None:
    assert Checkpoint.objects.get() == iteration.campaign.first_policy
    assert [path for path in disk.rglob(".*")] == []

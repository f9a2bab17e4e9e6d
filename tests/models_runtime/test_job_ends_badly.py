"""A child that crashes, hangs, refuses or is told to stop: retried, resumed, or said in one
sentence, and never repeated for ever."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from models_runtime import jobs, states
from models_runtime.jobdir import DISK_FULL
from models_runtime.models import Job
from tests.models_runtime.processes import child_in, fill, is_alive, wait_for

Submit = Callable[..., Job]


def execute_now(job: Job) -> str:
    """An attempt whose backoff is over."""
    Job.objects.filter(pk=job.pk).update(not_before=None)
    state = jobs.execute(job.pk)
    job.refresh_from_db()
    return state


def totals(job: Job) -> list[int]:
    return [row["total"] for row in jobs.metrics(job)]


@pytest.mark.parametrize("how", ["crash_at", "exit_at", "killed_at"])
def test_crashed_child_resumes_from_its_newest_checkpoint(submit: Submit, how: str) -> None:
    job = submit(steps=5, **{how: 3})

    assert execute_now(job) == "queued"
    assert job.not_before > timezone.now()
    assert execute_now(job) == "succeeded"

    assert job.result == {"sum": 15, "attempt": 2}
    first_step = json.loads(
        (jobs.folder(job) / "attempt-2" / "metrics.jsonl").read_text().splitlines()[0]
    )
    assert first_step["step"] == 4  # it did not begin again
    assert totals(job) == [1, 3, 6, 10, 15]


def test_figures_that_are_no_numbers_are_stored_as_none(submit: Submit) -> None:
    job = submit(steps=1, diverged=True)
    assert execute_now(job) == "succeeded"
    assert job.result["kl"] == [None, {"of": [None, 1.5]}]


def test_steps_done_again_are_in_the_curve_once(submit: Submit) -> None:
    job = submit(steps=6, checkpoint_every=2, crash_at=5)
    execute_now(job)
    assert execute_now(job) == "succeeded"
    assert job.metric_chunks.filter(attempt=1).exists()
    assert [row["step"] for row in jobs.metrics(job)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"crash_at": 1},
            "The job stopped unexpectedly (RuntimeError: a planted crash).",
        ),
        ({"killed_at": 1}, "The job was ended by signal 9: the machine may be out of memory."),
        (
            {"exit_at": 1, "say": "the last word"},
            "The job stopped with status 3: the last word",
        ),
        (
            {"exit_at": 1, "say": "ModuleNotFoundError: No module named 'trl'"},
            "The worker could not load trl, which the job needs; the log says why.",
        ),
        (
            {"exit_at": 1, "say": "OSError: [Errno 28] No space left on device"},
            DISK_FULL,
        ),
    ],
)
def test_attempts_without_progress_are_capped(
    submit: Submit, config: dict[str, Any], sentence: str
) -> None:
    job = submit(steps=2, checkpoint_every=9, misbehaves=9, **config)
    assert [execute_now(job) for _ in range(3)] == ["queued", "queued", "failed"]
    assert (job.error, job.attempt) == (sentence, 3)
    assert execute_now(job) == ""


def test_attempts_with_progress_are_not_counted(submit: Submit) -> None:
    job = submit(steps=2, exit_at=2, checkpoint_every=1, misbehaves=9)
    assert execute_now(job) == "queued"
    assert job.attempts_without_progress == 0
    states_after = [execute_now(job) for _ in range(4)]  # it resumes at the end: nothing to do
    assert states_after[0] == "succeeded"


def test_stop_checkpoints_and_requeue_resumes(submit: Submit) -> None:
    job = submit(steps=8, seconds=0.2, checkpoint_every=100)
    with running(job) as state:
        wait_for(lambda: Job.objects.get(pk=job.pk).progress.get("done", 0) >= 2)
        jobs.request_stop(job)
    assert state() == "stopped"

    jobs.requeue(job)
    assert execute_now(job) == "succeeded"
    assert job.result == {"sum": 36, "attempt": 2}
    assert totals(job) == [1, 3, 6, 10, 15, 21, 28, 36]


def test_child_deaf_to_a_stop_is_killed(submit: Submit, monkeypatch) -> None:
    monkeypatch.setattr("models_runtime.attempts.STOP_GRACE_SECONDS", 0.3)
    job = submit(steps=100, seconds=0.2, deaf=True)
    with running(job) as state:
        wait_for(lambda: Job.objects.get(pk=job.pk).progress.get("done", 0) >= 1)
        jobs.request_stop(job)
    assert state() == "stopped"
    assert not child_in(jobs.folder(job))


def test_cancel_kills_the_child_and_is_final(submit: Submit) -> None:
    job = submit(steps=1000, seconds=0.1)
    with running(job) as state:
        child = wait_for(lambda: child_in(jobs.folder(job)))
        jobs.cancel(job)
    assert state() == ""
    assert not is_alive(child)
    job.refresh_from_db()
    assert job.state == "cancelled"
    with pytest.raises(states.StaleState):
        jobs.requeue(job)


def test_child_without_progress_is_ended(submit: Submit, settings: Any) -> None:
    settings.JOB_STALL_SECONDS = 1
    job = submit(steps=3, silent_at=2)
    assert execute_now(job) == "queued"
    assert job.error == "The job made no progress for 1 seconds."
    assert execute_now(job) == "succeeded"


def test_stopping_a_waiting_job_keeps_it_for_later(submit: Submit) -> None:
    job = submit()
    jobs.request_stop(job)
    assert job.state == "stopped"
    assert execute_now(job) == ""
    jobs.requeue(job)
    assert execute_now(job) == "succeeded"


def test_full_disk_fails_in_one_sentence_and_goes_on_when_space_returns(
    submit: Submit, small_disk: Path, settings: Any
) -> None:
    settings.JOBS_DIR = small_disk
    filler = small_disk / "filler"
    fill(filler)
    job = submit()
    assert execute_now(job) == "failed"
    assert "full: free some space" in job.error

    filler.unlink()
    jobs.requeue(job)
    assert execute_now(job) == "succeeded"


def test_backoff_written_before_the_clock_was_stepped_back_is_ignored(submit: Submit) -> None:
    job = submit()
    Job.objects.filter(pk=job.pk).update(not_before=timezone.now() + timedelta(hours=1))
    assert jobs.execute(job.pk) == "succeeded"
    Job.objects.filter(pk=submit().pk).update(not_before=timezone.now() + timedelta(seconds=30))
    assert not jobs.due().exists()


class running:
    """While the block runs, a thread executes the job; the value tells the state at its end."""

    def __init__(self, job: Job) -> None:
        self.states: list[str] = []
        self.thread = threading.Thread(target=self.execute, args=(job.pk,))

    def execute(self, job_id: int) -> None:
        from django.db import connection

        try:
            self.states.append(jobs.execute(job_id))
        finally:
            connection.close()

    def __enter__(self) -> Callable[[], str]:
        self.thread.start()
        return self.state

    def state(self) -> str:
        return self.states[0]

    def __exit__(self, *error: object) -> None:
        self.thread.join(20)
        assert not self.thread.is_alive()


pytestmark = pytest.mark.django_db(transaction=True)

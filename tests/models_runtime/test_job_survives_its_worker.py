"""Workers are killed, frozen and doubled, for real: the job goes on elsewhere, nothing is done
twice, and a worker that comes back changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from models_runtime import jobs
from models_runtime.models import Job
from tests.models_runtime.processes import Workers, child_in, freeze, is_alive, wait_for

Submit = Callable[..., Job]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _short_lease(settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 2


def done(job: Job, steps: int) -> bool:
    job.refresh_from_db()
    return bool(job.progress.get("done", 0) >= steps)


def steps_of(job: Job) -> list[int]:
    return [row["step"] for row in jobs.metrics(job)]


def resume_here(job: Job) -> str:
    """What another worker does once the sweeper has given the job back."""
    Job.objects.filter(pk=job.pk).update(not_before=None)
    state = jobs.execute(job.pk)
    job.refresh_from_db()
    return state


def test_killed_worker_takes_its_child_along_and_the_job_resumes(
    submit: Submit, workers: Workers
) -> None:
    job = submit(steps=30, seconds=0.1, checkpoint_every=1)
    worker = workers.start("execute", str(job.pk))
    wait_for(lambda: done(job, 3))
    child = child_in(jobs.folder(job))
    assert child

    worker.kill()
    worker.wait()
    wait_for(lambda: not is_alive(child), 5)

    assert jobs.sweep() == [job.pk]  # its process is known to be gone: no lease to wait for
    job.refresh_from_db()
    assert (job.state, job.attempts_without_progress) == ("queued", 0)
    assert job.error == "The worker that ran the job disappeared."
    assert resume_here(job) == "succeeded"
    assert job.result == {"sum": 465, "attempt": 2}
    assert steps_of(job) == list(range(1, 31))
    assert jobs.sweep() == []


def test_frozen_worker_thawed_after_its_job_was_taken_changes_nothing(
    submit: Submit, workers: Workers
) -> None:
    job = submit(steps=400, seconds=0.05)
    worker = workers.start("execute", str(job.pk))
    wait_for(lambda: done(job, 2))
    child = child_in(jobs.folder(job))

    freeze(worker.pid)
    # Left alone by its worker, the child lets go before the sweeper may act.
    wait_for(lambda: not is_alive(child), 6)
    wait_for(lambda: jobs.sweep() == [job.pk], 6)
    Job.objects.filter(pk=job.pk).update(not_before=None)
    taken = jobs.claim(job.pk, "another worker")
    assert taken is not None
    assert taken.attempt == 2
    before = Job.objects.filter(pk=job.pk).values().get()
    chunks = list(job.metric_chunks.values())

    os.kill(worker.pid, signal.SIGCONT)
    assert worker.wait(10) == 0

    assert Job.objects.filter(pk=job.pk).values().get() == before
    assert list(job.metric_chunks.values()) == chunks
    assert not child_in(jobs.folder(job))


def test_frozen_with_its_child_and_thawed_both_let_go(submit: Submit, workers: Workers) -> None:
    job = submit(steps=1000, seconds=0.05, checkpoint_every=1000)
    worker = workers.start("execute", str(job.pk))
    wait_for(lambda: done(job, 2))
    child = child_in(jobs.folder(job))
    freeze(worker.pid, child)
    wait_for(lambda: jobs.sweep() == [job.pk], 10)
    Job.objects.filter(pk=job.pk).update(config={"steps": 2})
    assert resume_here(job) == "succeeded"
    before = Job.objects.filter(pk=job.pk).values().get()
    rows = rows_written(job, attempt=1)

    for process in (child, worker.pid):
        os.kill(process, signal.SIGCONT)
    assert worker.wait(10) == 0

    wait_for(lambda: not is_alive(child), 5)
    assert Job.objects.filter(pk=job.pk).values().get() == before
    assert rows_written(job, attempt=1) <= rows + 1  # it may have been frozen in mid-write


def rows_written(job: Job, attempt: int) -> int:
    path = jobs.folder(job) / f"attempt-{attempt}" / "metrics.jsonl"
    return len(path.read_text(encoding="utf-8").splitlines())


def test_of_two_workers_one_wins(submit: Submit, workers: Workers) -> None:
    found = [submit(steps=2) for _ in range(4)]
    for job in found:
        pair = [workers.start("execute", str(job.pk)) for _ in range(2)]
        assert [process.wait(30) for process in pair] == [0, 0]
        job.refresh_from_db()
        assert (job.state, job.attempt) == ("succeeded", 1)
        assert steps_of(job) == [1, 2]


def test_worker_told_to_go_hands_the_job_back_at_no_cost(submit: Submit, workers: Workers) -> None:
    job = submit(steps=40, seconds=0.1, checkpoint_every=100)
    worker = workers.start("execute", str(job.pk))
    wait_for(lambda: done(job, 2))

    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == -signal.SIGTERM

    job.refresh_from_db()
    assert (job.state, job.attempts_without_progress) == ("queued", 0)
    assert job.not_before <= timezone.now()
    assert resume_here(job) == "succeeded"
    assert steps_of(job) == list(range(1, 41))


def test_stopped_job_whose_worker_died_is_stopped_by_the_sweep(submit: Submit) -> None:
    job = submit()
    taken = jobs.claim(job.pk, "a machine far away:1")
    assert taken is not None
    jobs.request_stop(job)
    silent(job, timedelta(minutes=5))
    assert jobs.sweep() == [job.pk]
    job.refresh_from_db()
    assert job.state == "stopped"


def test_sweep_fails_a_job_whose_attempts_are_used_up(submit: Submit) -> None:
    job = submit()
    for attempt in (1, 2, 3):
        Job.objects.filter(pk=job.pk).update(not_before=None)
        taken = jobs.claim(job.pk, "a machine far away:1")
        assert taken is not None
        assert taken.attempt == attempt
        silent(job, timedelta(minutes=5))
        jobs.sweep()
    job.refresh_from_db()
    assert (job.state, job.error) == ("failed", "The worker that ran the job disappeared.")


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=-1)])
def test_stepped_clock_takes_no_job_from_a_living_worker(
    submit: Submit, workers: Workers, step: timedelta
) -> None:
    job = submit(steps=40, seconds=0.1)
    workers.start("execute", str(job.pk))
    wait_for(lambda: done(job, 2))
    assert jobs.sweep(now=timezone.now() + step) == []
    wait_for(lambda: Job.objects.get(pk=job.pk).state == "succeeded")
    job.refresh_from_db()
    assert job.attempt == 1


def test_heartbeat_from_a_stepped_clock_does_not_hide_a_dead_worker(submit: Submit) -> None:
    job = submit()
    jobs.claim(job.pk, "a machine far away:1")
    silent(job, timedelta(hours=-1))
    assert jobs.sweep() == [job.pk]


def test_metrics_left_behind_by_a_killed_worker_are_relayed_once(submit: Submit) -> None:
    job = submit(steps=2)
    lost = jobs.claim(job.pk, "a machine far away:1")
    folder = jobs.folder(job) / "attempt-1"
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text('{"step": 0, "total": 7}\n{"step": 1, "to')
    assert lost is not None
    silent(job, timedelta(minutes=5))
    jobs.sweep()
    assert resume_here(job) == "succeeded"
    assert [(row["step"], row["total"]) for row in jobs.metrics(job)] == [(0, 7), (1, 1), (2, 3)]


def test_database_away_for_a_moment_ends_nothing(
    submit: Submit, workers: Workers, settings: Any
) -> None:
    """A lock held for longer than a beat, shorter than a lease."""
    settings.JOB_LEASE_SECONDS = 30
    job = submit(steps=60, seconds=0.05)
    workers.start("execute", str(job.pk))
    wait_for(lambda: done(job, 2))
    child = child_in(jobs.folder(job))
    script = (
        "import sys,time,django;django.setup()\n"
        "from django.db import connection,transaction\n"
        "from models_runtime.models import Job\n"
        "with transaction.atomic():\n"
        "    Job.objects.select_for_update().update(priority=1)\n"
        "    time.sleep(1.5)\n"
    )
    environment = {**os.environ, **workers.environment()}
    environment["DJANGO_SETTINGS_MODULE"] = "annotate.settings"
    python = workers.started[0].args[0]
    subprocess.run(
        [python, "-c", script], cwd=settings.BASE_DIR, env=environment, check=True, timeout=30
    )
    assert is_alive(child)
    wait_for(lambda: Job.objects.get(pk=job.pk).state == "succeeded")
    job.refresh_from_db()
    assert job.attempt == 1


def test_database_lost_between_the_ending_and_its_commit_loses_no_result(submit: Submit) -> None:
    """The move is rolled back; the worker that did the work stores it again."""
    job, moves = submit(steps=2), []

    def lose_once(execute: Any, sql: str, *rest: Any) -> Any:
        if 'SET "state"' in sql and "succeeded" in str(rest[0]):
            moves.append(sql)
        elif len(moves) == 1 and sql.startswith("INSERT") and "auditevent" in sql:
            raise OperationalError("the connection is gone")
        return execute(sql, *rest)

    with connection.execute_wrapper(lose_once):
        assert jobs.execute(job.pk) == "succeeded"
    assert len(moves) == 2
    job.refresh_from_db()
    assert (job.state, job.attempt, job.result["sum"]) == ("succeeded", 1, 3)


def silent(job: Job, ago: timedelta) -> None:
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - ago)

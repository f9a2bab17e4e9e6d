"""Real Celery workers with beat on a real Redis: the broker only rings, so it may lose all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from models_runtime import jobs
from models_runtime.models import Job
from tests.models_runtime.processes import Redis, Workers, child_in, is_alive, wait_for

Submit = Callable[..., Job]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


@pytest.fixture
def site(workers: Workers, redis: Redis, settings: Any) -> Workers:
    settings.JOB_LEASE_SECONDS = 10
    workers.redis_url = redis.url
    return workers


def finished(job: Job) -> bool:
    job.refresh_from_db()
    return job.state == "succeeded"


def done(job: Job, steps: int) -> bool:
    job.refresh_from_db()
    return bool(job.progress.get("done", 0) >= steps)


def test_rings_do_not_pile_up(submit: Submit, site: Workers, settings: Any) -> None:
    for _ in range(3):
        submit()
    printed = subprocess.run(
        [sys.executable, "-m", "tests.models_runtime.worker", "ring", "5"],
        cwd=settings.BASE_DIR,
        env={**os.environ, **site.environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout == "3\n"


def test_jobs_complete_though_redis_is_killed_and_flushed(
    submit: Submit, site: Workers, redis: Redis
) -> None:
    site.celery("default", "gpu", beat=True)
    first = submit(steps=1)
    wait_for(lambda: finished(first), 30)

    began = time.monotonic()
    running = submit(steps=30, seconds=0.1)
    wait_for(lambda: done(running, 1))
    assert time.monotonic() - began < 3  # an idle worker: a second for beat, one for the rest

    redis.kill()  # without persistence: all that was rung is forgotten
    unrung = submit(steps=2)
    wait_for(lambda: finished(running), 20)  # a job needs no broker while it runs
    redis.start()
    wait_for(lambda: finished(unrung), 40)

    assert (running.attempt, unrung.attempt) == (1, 1)
    assert [row["step"] for row in jobs.metrics(running)] == list(range(1, 31))


def test_worker_told_to_go_with_all_its_processes_hands_the_job_back(
    submit: Submit, site: Workers
) -> None:
    """SIGTERM to the whole group, as a service manager does it."""
    worker = site.celery("default", "gpu", beat=True)
    job = submit(steps=200, seconds=0.1, checkpoint_every=1000)
    wait_for(lambda: done(job, 2), 30)
    child = child_in(jobs.folder(job))

    os.killpg(worker.pid, signal.SIGTERM)
    worker.wait(20)

    assert not is_alive(child)
    job.refresh_from_db()
    assert (job.state, job.attempts_without_progress) == ("queued", 0)
    assert list((jobs.folder(job) / "attempt-1" / "checkpoints").glob("step-*"))

"""The whole stack, while its parts are killed, frozen and emptied for real: the iteration
completes all the same, nothing is done twice, and what was done is not done again."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.annotate.launching import ROOT, Launcher, environment, launched, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.training, pytest.mark.xdist_group("stack")]
LEASE = 6  # seconds
GPU_WORKER, REDIS = "worker -Q gpu", "-server"
OTHERS = ("worker -Q default", " beat -s", "gunicorn")
# What small_campaign asks for: prompts, and completions of each by every checkpoint sampled.
PROMPTS, K = 96, 4


@dataclass
class Stack:
    """A stack that a small campaign runs on, seen from outside: its database and its folders."""

    launcher: Launcher
    campaign: subprocess.Popen[bytes]

    @property
    def data(self) -> Path:
        return self.launcher.data

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        with contextlib.closing(sqlite3.connect(self.data / "concord.sqlite3")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, values)]

    def row(self, query: str, *values: object) -> dict[str, Any]:
        (found,) = self.rows(query, *values)
        return found

    def can_be_written(self) -> bool:
        """Whether nobody holds the database's lock for longer than a write takes."""
        database = sqlite3.connect(self.data / "concord.sqlite3", timeout=2, isolation_level=None)
        with contextlib.closing(database), contextlib.suppress(sqlite3.OperationalError):
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
            return True
        return False

    def job(self, role: str) -> dict[str, Any]:
        """The first job of a kind (sample, evaluate) or of a training run's role; {} if none."""
        roles = (
            "SELECT job.* FROM models_runtime_job AS job "
            "LEFT JOIN training_trainingrun AS run ON run.job_id = job.id "
            "WHERE coalesce(run.role, job.kind) = ? ORDER BY job.id LIMIT 1"
        )
        return next(iter(self.rows(roles, role)), {})

    def folder(self, role: str, attempt: int) -> Path:
        return self.data / "jobs" / self.job(role)["dir"] / f"attempt-{attempt}"

    def has(self, role: str, attempt: int, pattern: str) -> bool:
        """Whether an attempt at a job has published something of this name."""
        return bool(self.job(role) and list(self.folder(role, attempt).glob(pattern)))

    def steps(self, role: str, attempt: int) -> list[int]:
        """The steps that an attempt itself wrote metrics of."""
        lines = (self.folder(role, attempt) / "metrics.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line)["step"] for line in lines]

    def wait(self, condition: Callable[[], object], seconds: float = 120) -> None:
        """Until condition() holds; fails at once when the campaign has given up."""
        wait_for(lambda: condition() or self.campaign.poll(), seconds)
        assert not self.campaign.poll(), self.said()

    def said(self) -> str:
        return self.data.with_name("campaign.out").read_text("utf-8")

    def kill(self, part: str) -> None:
        self.launcher.child(part).kill()

    def kill_if_there(self, part: str) -> bool:
        """Kill a part unless it is just being started again; Redis comes back empty."""
        if not self.launcher.children(part):
            return False
        self.empty_redis() if part == REDIS else self.kill(part)
        return True

    def empty_redis(self) -> None:
        """Killed with what it had on disk gone: it comes back without one message."""
        shutil.rmtree(self.data / "redis" / "appendonlydir", ignore_errors=True)
        self.kill(REDIS)

    def finish(self) -> None:
        assert self.campaign.wait(timeout=180) == 0, self.said()


@contextlib.contextmanager
def running(data: Path, iterations: int = 1) -> Iterator[Stack]:
    """The stack and, beside it, the process that plays the people."""
    lease = {"CONCORD_JOB_LEASE": str(LEASE)}
    with launched(data, "serve", ALLOWED_HOSTS="127.0.0.1", **lease) as launcher:
        launcher.wait_until_ready()
        with data.with_name("campaign.out").open("wb") as output:
            campaign = subprocess.Popen(
                [sys.executable, "-m", "tests.flows.small_campaign", str(iterations)],
                cwd=ROOT,
                env=environment(data),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield Stack(launcher, campaign)
        finally:
            campaign.kill()
            campaign.wait()


def another_worker(stack: Stack) -> subprocess.Popen[bytes]:
    """A second gpu worker, as another machine's would be. The launcher's data folder names it, so
    the launcher's clearing ends it too."""
    first = stack.launcher.child(GPU_WORKER)
    command = [f"other-{word}" if word.startswith("gpu-") else word for word in first.cmdline()]
    return subprocess.Popen(command, cwd=ROOT, env=first.environ(), start_new_session=True)


def freeze(stack: Stack, worker: psutil.Process) -> list[psutil.Process]:
    """Stop a worker and its child in mid-motion, as a suspended machine would. Not while it writes
    to the database: its lock on the one file would hold all the others, which no suspended
    machine's could, since several machines need a database server."""
    while True:
        frozen = [worker, *worker.children(recursive=True)]
        for process in frozen:
            process.suspend()
        if stack.can_be_written():
            return frozen
        thaw(frozen)


def thaw(frozen: list[psutil.Process]) -> None:
    for process in frozen:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()


def nothing_was_done_twice(stack: Stack, iterations: int = 1) -> None:
    """One of everything, whatever was interrupted."""
    sampled = stack.rows(
        "SELECT batch_id, prompt_id, sampler_index, sample_index FROM labeling_completion"
    )
    batches = stack.rows("SELECT id, samplers FROM labeling_samplingbatch ORDER BY id")
    assert len(batches) == iterations
    for batch in batches:
        mine = [row for row in sampled if row["batch_id"] == batch["id"]]
        each = Counter((row["prompt_id"], row["sampler_index"]) for row in mine)
        assert len(each) == PROMPTS * len(json.loads(batch["samplers"]))
        assert set(each.values()) == {K}
        assert len({tuple(row.values()) for row in mine}) == len(mine)
    runs = stack.rows("SELECT role, output_id, job_id FROM training_trainingrun")
    assert Counter(run["role"] for run in runs) == dict.fromkeys(
        ("reward_model", "judge", "policy"), iterations
    )
    made = stack.rows("SELECT id, job_id FROM models_runtime_checkpoint WHERE job_id IS NOT NULL")
    assert {(run["output_id"], run["job_id"]) for run in runs} == {
        (row["id"], row["job_id"]) for row in made
    }
    assert len(made) == len(runs)
    for table in ("training_evaluation", "labeling_promotion"):
        assert stack.row(f"SELECT count(*) AS n FROM {table}")["n"] == iterations
    ended = stack.rows(
        "SELECT object_id FROM models_runtime_auditevent "
        "WHERE object_type LIKE '%job' AND to_state = 'succeeded'"
    )
    jobs = stack.rows("SELECT id, state FROM models_runtime_job")
    assert {job["state"] for job in jobs} == {"succeeded"}
    assert sorted(int(row["object_id"]) for row in ended) == sorted(job["id"] for job in jobs)


@pytest.mark.long
def test_killed_frozen_and_emptied_the_iteration_completes(tmp_path: Path) -> None:
    with running(tmp_path / "data") as stack:
        stack.wait(lambda: stack.has("sample", 1, "shards/*.jsonl"))
        stack.kill(GPU_WORKER)
        stack.empty_redis()

        stack.wait(lambda: stack.has("reward_model", 1, "checkpoints/step-*"))
        stack.kill(GPU_WORKER)
        stack.wait(lambda: stack.job("reward_model")["attempt"] == 2)
        another_worker(stack)

        stack.wait(lambda: stack.has("policy", 1, "checkpoints/step-[1-9]*"))
        owner = psutil.Process(int(stack.job("policy")["worker"].rpartition(":")[2]))
        frozen = freeze(stack, owner)
        stack.empty_redis()
        stack.wait(lambda: stack.has("policy", 2, "metrics.jsonl"))
        lost = stored_of(stack, "policy", attempt=1)
        reached = newest_checkpoint(stack, "policy")
        thaw(frozen)
        stack.finish()

        assert stored_of(stack, "policy", attempt=1) == lost
        for role in ("sample", "reward_model", "policy"):
            assert stack.job(role)["attempt"] == 2
            assert endings(stack, role) == ["queued", "succeeded"]
        nothing_was_done_twice(stack)
        no_shard_was_drawn_again(stack)
        went_on_from(stack, "reward_model", newest_checkpoint(stack, "reward_model"))
        went_on_from(stack, "policy", reached)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_any_part_killed_at_any_moment_changes_nothing_about_the_outcome(
    tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    killed: Counter[str] = Counter()
    with running(tmp_path / "data", iterations=2) as stack:
        while stack.campaign.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                stack.campaign.wait(timeout=draw.uniform(4, 16))
            if stack.campaign.poll() is None:
                part = draw.choice([GPU_WORKER, REDIS, *OTHERS])
                killed[part] += stack.kill_if_there(part)
        stack.finish()
        assert killed[GPU_WORKER]
        assert killed[REDIS]
        nothing_was_done_twice(stack, iterations=2)


def stored_of(stack: Stack, role: str, attempt: int) -> list[dict[str, Any]]:
    """The metrics that an attempt's worker has stored."""
    query = "SELECT * FROM models_runtime_metricchunk WHERE job_id = ? AND attempt = ? ORDER BY id"
    return stack.rows(query, stack.job(role)["id"], attempt)


def endings(stack: Stack, role: str) -> list[str]:
    """How a job's attempts ended, in their order."""
    query = (
        "SELECT to_state FROM models_runtime_auditevent WHERE object_id = ? "
        "AND object_type LIKE '%job' AND from_state = 'running' ORDER BY id"
    )
    return [row["to_state"] for row in stack.rows(query, str(stack.job(role)["id"]))]


def newest_checkpoint(stack: Stack, role: str) -> int:
    """The step of the first attempt's newest complete checkpoint."""
    complete = stack.folder(role, 1).glob("checkpoints/step-*/manifest.json")
    return max(int(path.parent.name.removeprefix("step-")) for path in complete)


def no_shard_was_drawn_again(stack: Stack) -> None:
    first, second = (
        {path.name for path in stack.folder("sample", attempt).glob("shards/*.jsonl")}
        for attempt in (1, 2)
    )
    assert first
    assert not first & second
    assert len(first | second) == 3


def went_on_from(stack: Stack, role: str, step: int) -> None:
    """The second attempt began after the first one's checkpoint, and left no step out."""
    steps = stack.steps(role, 2)
    assert step > 0
    assert steps == list(range(step + 1, steps[-1] + 1))

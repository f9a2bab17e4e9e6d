"""Whole jobs that a judge behind an endpoint rewards, run by a worker that alone may ask it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models_runtime import artifacts, jobs
from models_runtime.jobdir import publish
from models_runtime.models import Endpoint, Job, Project
from tests.endpoint import FakeEndpoint, Handler, endpoint
from tests.factories import ProjectFactory
from tests.models_runtime.processes import Workers, wait_for
from tests.training import tiny

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.training]

UNGUARDED = {
    "guard_kl": -1.0, "guard_valid_text": -1.0, "guard_length_growth": -1.0, "guard_chosen": -1.0,
}  # fmt: skip
SAMPLING = {"learning_rate": 3e-3, "max_new_tokens": 6, "save_every": 1, "panel": 0}
OPTIONS: dict[str, dict[str, Any]] = {
    "raft": {**SAMPLING, "k": 4, "batch_size": 4, "epochs": 1},
    "ppo": {**SAMPLING, **UNGUARDED, "rounds": 3, "rollouts": 8, "batch_size": 4},
    "grpo": {**SAMPLING, **UNGUARDED, "batch_size": 8, "k": 4, "epochs": 2},
    "rloo": {**SAMPLING, **UNGUARDED, "batch_size": 8, "k": 4, "epochs": 2},
}


class Scorer(Handler):
    """Gives an answer a number by its length; of every fifth answer it says none at first."""

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(raw)
        answer = json.loads(body["messages"][-1]["content"])["answer"]
        with self.server.lock:
            self.server.asked.append(body)
            self.server.keys.append(self.headers["Authorization"])
        said = "Hm." if len(answer) % 5 == 0 and not body["seed"] else str(len(answer) % 10 + 1)
        self.send_response(200)
        self.end_headers()
        self._event({"choices": [{"delta": {"content": said}, "finish_reason": "stop"}]})
        self.wfile.write(b"data: [DONE]\n\n")


@pytest.fixture
def judge() -> Iterator[FakeEndpoint]:
    with endpoint(["unasked"]) as server:
        server.RequestHandlerClass = Scorer
        yield server


@pytest.fixture
def project(transactional_db: None) -> Project:
    made: Project = ProjectFactory()
    return made


@pytest.fixture
def place(settings: Any, tmp_path: Path) -> Path:
    settings.JOBS_DIR = tmp_path / "jobs"
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def inputs(place: Path) -> list[dict[str, Any]]:
    with publish(place / "made") as made:
        tiny.make_policy(made)
    snapshot = tiny.write_snapshot(place / "snapshot", tiny.preference_records(24, 3))
    prompts = tiny.write_lines(place / "prompts.jsonl", tiny.prompt_records())
    policy, manifest = artifacts.put_folder(place / "made", "inputs/policy")
    labels, stated = artifacts.put_folder(snapshot, "inputs/snapshot")
    return [
        {"name": "policy", "uri": policy, "sha256": manifest},
        {"name": "reference", "uri": policy, "sha256": manifest},
        {"name": "snapshot", "uri": labels, "sha256": stated},
        jobs.input_of_file("prompts", prompts),
    ]


def submitted(
    project: Project,
    inputs: list[dict[str, Any]],
    judge: FakeEndpoint,
    method: str,
    **options: Any,
) -> Job:
    row, _ = Endpoint.objects.get_or_create(
        project=project, name="wise", defaults={"base_url": judge.url, "model_name": "big"}
    )
    wanted = {**OPTIONS[method], "reward": "judge", "judge": "wise", **options}
    config = {
        "method": method,
        "options": wanted,
        "relay": {"endpoint": row.pk, "calls": 1000, "at_once": 4, "seconds": 10.0},
    }
    return jobs.submit(project=project, kind="train", config=config, inputs=inputs, seed=7)


def weights(job: Job) -> str:
    job.refresh_from_db()
    assert (job.state, job.error) == ("succeeded", "")
    return artifacts.sha256(jobs.output_folder(job) / "model.safetensors")


def questions(server: FakeEndpoint) -> Counter[str]:
    return Counter(json.dumps([body["messages"], body["seed"]]) for body in server.asked)


@pytest.mark.parametrize(
    "method",
    ["rloo", *(pytest.param(m, marks=pytest.mark.long) for m in ("raft", "ppo", "grpo"))],
)
def test_a_run_is_rewarded_by_the_judge_and_says_what_it_cost(
    project: Project, inputs: list[dict[str, Any]], judge: FakeEndpoint, method: str
) -> None:
    job = submitted(project, inputs, judge, method)
    jobs.execute(job.pk)
    assert weights(job)
    asked = questions(judge)
    assert set(asked.values()) == {1}, "something was asked twice"
    said = job.result["judge"]
    assert said["calls"] == len(asked)
    assert said["without_verdict"] == 0
    assert said["answers"] <= said["calls"]


@pytest.mark.long
@pytest.mark.parametrize("method", ["ppo", "rloo"])
def test_a_killed_run_goes_on_to_the_same_bytes_and_pays_nothing_twice(
    project: Project,
    inputs: list[dict[str, Any]],
    judge: FakeEndpoint,
    place: Path,
    settings: Any,
    method: str,
) -> None:
    whole = submitted(project, inputs, judge, method)
    jobs.execute(whole.pk)
    expected, once = weights(whole), questions(judge)
    judge.asked.clear()
    killed = submitted(project, inputs, judge, method)
    workers = Workers(settings)
    try:
        worker = workers.start("execute", str(killed.pk))
        kept = place / "jobs" / killed.dir / "attempt-1" / "checkpoints"
        wait_for(lambda: list(kept.glob("step-*")), 60)
        worker.kill()
        worker.wait()
        wait_for(lambda: jobs.sweep() == [killed.pk])
    finally:
        workers.end()
    Job.objects.filter(pk=killed.pk).update(not_before=None)
    jobs.execute(killed.pk)
    assert weights(killed) == expected
    assert killed.attempt == 2
    twice = questions(judge)
    assert set(twice) == set(once)
    assert sum(twice.values()) - len(twice) <= 4  # what was on its way when the worker was killed


def test_a_run_stops_where_the_judge_was_asked_as_often_as_it_may(
    project: Project, inputs: list[dict[str, Any]], judge: FakeEndpoint
) -> None:
    job = submitted(project, inputs, judge, "rloo", judge_calls=3)
    job.config["relay"]["calls"] = 3
    job.save()
    assert jobs.execute(job.pk) == "failed"
    job.refresh_from_db()
    assert job.error.startswith("The judge was asked 3 times, as often as the option judge_calls")
    assert len(judge.asked) == 3

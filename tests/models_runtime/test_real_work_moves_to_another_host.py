"""Training and sampling that go on elsewhere, their host killed, give the very bytes of a run that
nobody disturbed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

from models_runtime import artifacts, handover, jobs
from models_runtime.jobdir import publish
from models_runtime.models import Job, Project
from models_runtime.records import (
    CompletionRecord,
    SampleConfig,
    Sampler,
    jsonl_line,
    read_jsonl,
    to_dict,
)
from tests.models_runtime.processes import Workers, wait_for
from tests.models_runtime.tiny import DEMO_POLICY, world_prompts
from tests.training import tiny

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.training, pytest.mark.long]
PROMPTS, SHARD = 24, 4
SAMPLER = Sampler("policy", k=3, temperature=1.1, max_new_tokens=40, seed=3)
REWARD = {"learning_rate": 1e-2, "epochs": 60, "batch_size": 4, "save_every": 5}


@dataclass
class Hosts:
    """Workers that share a database and a store, each host with a job folder of its own."""

    workers: Workers
    settings: Any
    root: Path

    def run(self, job: Job, host: str) -> None:
        self.workers.start("execute", str(job.pk), CONCORD_JOBS=str(self.root / host)).wait(120)
        self.settings.JOBS_DIR = self.root / host
        job.refresh_from_db()

    def run_until(self, job: Job, host: str, condition: Callable[[list[str]], object]) -> None:
        """Until what the store has of the job satisfies condition; then SIGKILL."""
        worker = self.workers.start("execute", str(job.pk), CONCORD_JOBS=str(self.root / host))
        home = f"{handover.HOME}/{job.dir}"
        wait_for(lambda: condition(artifacts.files_below(home)), 60)
        worker.kill()
        worker.wait()
        wait_for(lambda: jobs.sweep() == [job.pk])
        Job.objects.filter(pk=job.pk).update(not_before=None)

    def outputs(self, job: Job) -> dict[str, str]:
        assert (job.state, job.error) == ("succeeded", "")
        folder = jobs.output_folder(job)
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
            if path.is_file() and path.name != artifacts.MARKER
        }


@pytest.fixture(params=["file", "local"])
def hosts(
    request: pytest.FixtureRequest,
    workers: Workers,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Hosts:
    """With a store on their disk, and with one behind an address."""
    monkeypatch.setenv("FSSPEC_LOCAL_AUTO_MKDIR", "1")  # for the workers, and for this process:
    monkeypatch.setitem(fsspec.config.conf, "local", {"auto_mkdir": True})
    settings.ARTIFACTS_URI = f"{request.param}://{tmp_path}/artifacts"
    return Hosts(workers, settings, tmp_path)


def folder_input(name: str, folder: Path) -> dict[str, Any]:
    uri, manifest = artifacts.put_folder(folder, f"inputs/{name}")
    return {"name": name, "uri": uri, "sha256": manifest}


def test_training_goes_on_bit_for_bit(hosts: Hosts, project: Project, tmp_path: Path) -> None:
    with publish(tmp_path / "made") as made:
        tiny.make_policy(made)
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", tiny.preference_records(24, 3))
    inputs = [folder_input("policy", tmp_path / "made"), folder_input("snapshot", snapshot)]
    config = {"method": "reward", "options": REWARD, "select": {}}
    whole, moved = (
        jobs.submit(project=project, kind="train", config=config, inputs=inputs, seed=7)
        for _ in range(2)
    )
    hosts.run(whole, "one")
    expected = hosts.outputs(whole)

    hosts.run_until(moved, "one", _has_a_checkpoint)
    hosts.run(moved, "two")

    assert hosts.outputs(moved) == expected
    assert moved.attempt == 2
    rows, again = jobs.metrics(whole), jobs.metrics(moved)
    assert again == rows
    first = tiny.metrics_of(tmp_path / "two" / moved.dir, 2)[0]["step"]
    assert first > 1, "the second host began from the start"


def test_no_completion_is_sampled_twice(hosts: Hosts, project: Project, tmp_path: Path) -> None:
    lines = tmp_path / "prompts.jsonl"
    lines.write_text("".join(map(jsonl_line, world_prompts(PROMPTS))), encoding="utf-8")
    inputs = [folder_input("policy", DEMO_POLICY), jobs.input_of_file("prompts", lines)]
    samplers = [SAMPLER, replace(SAMPLER, k=2, temperature=0.7)]
    config = to_dict(SampleConfig(samplers=samplers, shard_size=SHARD, batch_size=4))
    whole, moved = (
        jobs.submit(project=project, kind="sample", config=config, inputs=inputs) for _ in range(2)
    )
    hosts.run(whole, "one")
    expected = hosts.outputs(whole)

    hosts.run_until(moved, "one", lambda names: len(_whole(names)) >= 2)
    kept = _whole(artifacts.files_below(f"progress/{moved.dir}"))
    hosts.run(moved, "two")

    assert hosts.outputs(moved) == expected
    drawn = {path.name for path in (tmp_path / "two" / moved.dir).glob("attempt-2/shards/*")}
    assert kept
    assert not kept & drawn
    assert len(kept | drawn) == 2 * PROMPTS / SHARD
    rows = read_jsonl(jobs.output_folder(moved) / "completions.jsonl", CompletionRecord)
    seen = Counter((row.prompt_id, row.sampler, row.index) for row in rows)
    assert set(seen.values()) == {1}


def _whole(names: list[str]) -> set[str]:
    """The shards among names: what a killed copy left begins with a dot."""
    return {name for path in names if not (name := path.rpartition("/")[2]).startswith(".")}


def _has_a_checkpoint(names: list[str]) -> bool:
    """Whole: its marker is written last."""
    return any("step-" in name and name.endswith(artifacts.MARKER) for name in names)

"""A worker that is told to starts a training job in several processes, and all of them end with
the job, however it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models_runtime import artifacts, jobs
from models_runtime.jobdir import RANKS, publish
from models_runtime.models import Job
from tests.factories import ProjectFactory
from tests.models_runtime.processes import Workers, is_alive, wait_for
from tests.training import tiny

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.training, pytest.mark.long]

OPTIONS = {"learning_rate": 3e-3, "batch_size": 4, "max_new_tokens": 8, "save_every": 2}


@pytest.fixture
def job(settings: Any, tmp_path: Path, transactional_db: None) -> Job:
    """A run of DPO that is long enough to be disturbed."""
    settings.JOBS_DIR = tmp_path / "jobs"
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()
    settings.DATA_DIR = tmp_path
    settings.TRAINING_LAUNCH, settings.TRAINING_PROCESSES = "ddp", 2
    with publish(tmp_path / "made") as made:
        tiny.make_policy(made)
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", tiny.preference_records(24))
    policy, manifest = artifacts.put_folder(tmp_path / "made", "inputs/policy")
    labels, stated = artifacts.put_folder(snapshot, "inputs/snapshot")
    inputs = [
        {"name": "policy", "uri": policy, "sha256": manifest},
        {"name": "reference", "uri": policy, "sha256": manifest},
        {"name": "snapshot", "uri": labels, "sha256": stated},
    ]
    config = {"method": "dpo", "options": {**OPTIONS, "epochs": 100}}
    return jobs.submit(project=ProjectFactory(), kind="train", config=config, inputs=inputs)


def processes_of(folder: Path) -> list[int]:
    """Those whose command line names the job's folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(folder).encode() in words:
            found.append(int(entry.name))
    return found


def test_a_job_runs_in_two_processes_to_its_end(job: Job) -> None:
    job.config["options"]["epochs"] = 1
    job.save()
    assert jobs.execute(job.pk) == "succeeded"
    job.refresh_from_db()
    ranks = jobs.folder(job) / "attempt-1" / RANKS
    assert sorted(path.name for path in ranks.iterdir()) == ["0", "1"]
    assert [row["step"] for row in jobs.metrics(job)] == [1, 2, 3, 4, 5]
    assert (jobs.output_folder(job) / "model.safetensors").is_file()


def test_none_outlives_its_worker(job: Job, settings: Any) -> None:
    workers = Workers(settings)
    try:
        worker = workers.start(
            "execute", str(job.pk), CONCORD_LAUNCH="ddp", CONCORD_LAUNCH_PROCESSES="2"
        )
        folder = settings.JOBS_DIR / job.dir
        wait_for(lambda: (folder / "attempt-1" / "metrics.jsonl").exists(), 200)
        running = processes_of(folder)
        assert len(running) >= 4  # the launcher, accelerate, and two that train
        worker.kill()
        worker.wait()
        wait_for(lambda: not any(map(is_alive, running)), 30)
    finally:
        workers.end()

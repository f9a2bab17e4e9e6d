"""Rows with real files behind them: a tiny policy, its prompts, and frozen preferences, so that
jobs really run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from labeling.models import Iteration, Snapshot
from models_runtime import artifacts, jobs, registry
from models_runtime.jobdir import BadInput, JobDir
from models_runtime.loading import check_policy
from models_runtime.models import Checkpoint, Job
from tests.factories import Cast, IterationFactory, PromptFactory, PromptSetFactory
from tests.training import tiny
from training import keeping

PROMPTS = 8


def keep_in(settings: Any, folder: Path) -> None:
    """Job directories and artefacts in a folder of the test's own."""
    settings.DATA_DIR = folder
    settings.JOBS_DIR = folder / "jobs"
    settings.ARTIFACTS_URI = (folder / "artifacts").as_uri()


def policy(cast: Cast, folder: Path, seed: int = 0) -> Checkpoint:
    """A random policy, as registered."""
    made = tiny.make_policy(folder / f"policy-{seed}", seed)
    return registry.register(
        project=cast.project,
        kind="policy",
        folder=made,
        name=f"tiny-{seed}",
        facts=check_policy(made),
    )


def in_review(cast: Cast, folder: Path, **plan: Any) -> Iteration:
    """An iteration with frozen preferences, of a campaign that has begun with a tiny policy."""
    cast.campaign.first_policy = policy(cast, folder)
    cast.campaign.save()
    prompts = PromptSetFactory(campaign=cast.campaign)
    for row in tiny.prompt_records(PROMPTS):
        PromptFactory(prompt_set=prompts, messages=row.messages, item=row.item)
    files = tiny.write_snapshot(folder / "snapshot", tiny.preference_records())
    uri, manifest = artifacts.put_folder(files, "snapshots/tiny")
    snapshot = Snapshot.objects.create(
        project=cast.project, campaign=cast.campaign, sha256="0" * 64, uri=uri, manifest=manifest,
        counts={"labels": {"person": 24}, "comparisons": {"kept": 24}},
    )  # fmt: skip
    told = {"max_new_tokens": 8, "temperature": 1.0, **plan}
    made: Iteration = IterationFactory(
        campaign=cast.campaign, state="review", snapshot=snapshot, plan=told
    )
    return made


def weights_of(job: Job) -> dict[str, str]:
    """The sha256 of what a finished job made, by file; but for what says which job it was."""
    job.refresh_from_db()
    assert (job.state, job.error) == ("succeeded", "")
    found = artifacts.manifest_of(jobs.output_folder(job))
    return {name: sha for name, sha in found.items() if name.endswith(".safetensors")}


def kept(job: Job) -> Job:
    """The row job "keep", done in this process instead of a worker's."""
    root = jobs.folder(job)
    root.mkdir(parents=True, exist_ok=True)
    (root / "job.json").write_text(json.dumps({"config": job.config}), encoding="utf-8")
    attempt = JobDir(root, 1, "")
    attempt.folder.mkdir(exist_ok=True)
    changes: dict[str, Any] = {"state": "succeeded", "attempt": 1}
    try:
        keeping.run(attempt)
        changes["result"] = json.loads((attempt.folder / "result.json").read_text("utf-8"))
    except BadInput as error:
        changes |= {"state": "failed", "error": str(error)}
    Job.objects.filter(pk=job.pk).update(**changes)
    job.refresh_from_db()
    return job

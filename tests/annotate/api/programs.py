"""A program with a token, and a project with one of everything that the API shows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.test import Client

from labeling import tokens
from labeling.models import Iteration, Snapshot, User
from models_runtime import artifacts
from models_runtime.models import Job, Project
from tests.factories import Cast, CheckpointFactory, IterationFactory
from training.models import Evaluation, TrainingRun

ROOT = "/api/v1"
EVERYTHING = tuple(tokens.SCOPES)


@dataclass
class Program:
    """Speaks to the API under a token, or under none. It has no session."""

    secret: str = ""
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))

    def get(self, path: str, **headers: str) -> Any:
        return self.send("GET", path, None, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, {} if body is None else body, **headers)

    def send(self, method: str, path: str, body: Any, **headers: str) -> Any:
        if self.secret:
            headers = {"authorization": f"Bearer {self.secret}", **headers}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body)
        return self.client.generic(
            method, ROOT + path, sent, content_type="application/json", headers=named
        )


def program(
    user: User, project: Project, scopes: tuple[str, ...] = EVERYTHING, days: int = 30
) -> Program:
    """With a token of theirs."""
    _row, secret = tokens.make(
        user=user, project=project, name="A script", scopes=scopes, days=days
    )
    return Program(secret)


@dataclass(frozen=True)
class Scene:
    """A project under review, with a run that trains and one that is stopped."""

    cast: Cast
    iteration: Iteration
    snapshot: Snapshot
    run: TrainingRun
    stopped: TrainingRun
    evaluation: Evaluation


def make_scene(cast: Cast, folder: Path) -> Scene:
    """Its snapshot has one file in the artefact store."""
    path = folder / "labels.jsonl"
    path.write_text('{"label": 1}\n', encoding="utf-8")
    uri, manifest = artifacts.put_files({path.name: path}, f"snapshots/{cast.campaign.pk}")
    snapshot = Snapshot.objects.create(
        project=cast.project, campaign=cast.campaign, uri=uri, manifest=manifest, sha256="5" * 64,
        counts={"labels": {"person": 1}},
    )  # fmt: skip
    iteration = IterationFactory(
        campaign=cast.campaign,
        policy=CheckpointFactory(project=cast.project),
        snapshot=snapshot,
        state="review",
    )
    run, stopped = (_run(iteration, state) for state in ("running", "stopped"))
    job = Job.objects.create(project=cast.project, kind="evaluate", state="succeeded")
    evaluation = Evaluation.objects.create(
        project=cast.project, iteration=iteration, run=run, checkpoint=iteration.policy, job=job,
        result={"win_rate": float(1), "guards": []},
    )  # fmt: skip
    return Scene(cast, iteration, snapshot, run, stopped, evaluation)


def _run(iteration: Iteration, state: str) -> TrainingRun:
    project = iteration.campaign.project
    job = Job.objects.create(project=project, kind="train", state=state)
    run: TrainingRun = TrainingRun.objects.create(
        project=project, campaign=iteration.campaign, iteration=iteration, role="policy",
        method="dpo", options={"beta": 0.1}, snapshot=iteration.snapshot, job=job,
    )  # fmt: skip
    return run

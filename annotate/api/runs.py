"""Runs: started on frozen labels, followed by their metrics, stopped and continued."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from django.http import StreamingHttpResponse
from ninja import Field, Query, Router, Schema, Status
from pydantic import ConfigDict

from annotate import access
from annotate.api.gate import Bearer, Call
from annotate.api.jobs import JobOut, finite, job_out
from annotate.api.pages import WIDEST, Cursor, Id, Limit, Page, page
from annotate.api.problems import refusals
from annotate.method_titles import SCORERS
from models_runtime import jobs
from training import on_request
from training import runs as service
from training.models import TrainingRun

router = Router(tags=["runs"])
READS, WRITES = Bearer("runs:read"), Bearer("runs:write")
NDJSON = "application/x-ndjson"
FromStep = Annotated[
    int, Query(ge=0, le=WIDEST, description="Rows of this step and of those after it.")
]


class Strict(Schema):
    """What a program sends: a name that is none is an error, and no option that does nothing."""

    model_config = ConfigDict(extra="forbid")


class PartIn(Strict):
    """A snapshot with its share of the drawn rows, relative to the others'."""

    id: int = Field(ge=1, le=WIDEST)
    weight: float = Field(1.0, gt=0, le=1e9)


class RunIn(Strict):
    """``options`` as GET /methods has them, ``filters`` too; what is left out has its default."""

    method: str = Field(max_length=40)
    snapshots: list[PartIn] = Field(min_length=1, max_length=20)
    options: dict[str, Any] = {}
    filters: dict[str, Any] = {}
    seed: int | None = Field(None, ge=0, le=service.MOST_SEED)


class RunOut(Schema):
    """``state`` is its job's; ``output`` the checkpoint that it made."""

    id: int
    method: str
    role: str
    campaign: str
    iteration: int | None
    snapshots: list[int]
    options: dict[str, Any]
    filters: dict[str, Any]
    state: str
    job: JobOut
    output: int | None
    created_at: datetime


@router.post("/runs", response={201: RunOut}, auth=WRITES)
def start_run(request: Call, body: RunIn) -> Any:
    """Train by a method on a snapshot, or on a mixture of several: as the page and the command
    do, for the iteration that trains on the first of them on which one does."""
    parts = [
        (access.snapshot_for_staff(request.user, part.id), part.weight) for part in body.snapshots
    ]
    role = "reward_model" if body.method in SCORERS else "policy"
    with refusals():
        found = on_request.iteration_on([snapshot for snapshot, _weight in parts], role)
        iteration = access.iteration_for_researcher(
            request.user, found.campaign.slug, found.number
        )
        run = on_request.start_run(
            iteration=iteration,
            role=role,
            method=body.method,
            options=body.options,
            filters=body.filters,
            mixture=parts,
            seed=body.seed,
            actor=request.user,
        )
    return Status(201, _run(run))


@router.get("/runs", response=Page[RunOut], auth=READS)
def list_runs(request: Call, cursor: Cursor = "", limit: Limit = 50) -> Any:
    """Runs of the project, the newest first."""
    access.require_role(request.user, *access.STAFF)
    return page(access.runs_for_staff(request.user), cursor, limit, _run)


@router.get("/runs/{id}", response=RunOut, auth=READS)
def get_run(request: Call, id: Id) -> Any:
    """One run."""
    return _run(access.run_for_staff(request.user, id))


@router.get("/runs/{id}/metrics", auth=READS)
def stream_metrics(request: Call, id: Id, from_step: FromStep = 0) -> StreamingHttpResponse:
    """Its metrics as lines of JSON, in the order of steps, named as TRL names them. To follow a
    run ask again from the last step you have: that step may have grown, and a run that resumed
    says its steps anew. The header Job-State tells whether more may come."""
    run = access.run_for_staff(request.user, id)
    lines = _lines(jobs.metrics(run.job), from_step)
    response = StreamingHttpResponse(lines, content_type=NDJSON)
    response["Job-State"] = run.job.state
    return response


@router.post("/runs/{id}/stop", response={202: RunOut}, auth=WRITES)
def stop_run(request: Call, id: Id) -> Any:
    """Ask it to keep a checkpoint and end; it can be continued. One that has ended stays so."""
    run = access.run_for_researcher(request.user, id)
    with refusals():
        jobs.request_stop(run.job, actor=request.user)
    return Status(202, _run(access.run_for_staff(request.user, id)))


@router.post("/runs/{id}/continue", response={202: RunOut}, auth=WRITES)
def continue_run(request: Call, id: Id) -> Any:
    """Queue it again, stopped or failed: it resumes from its newest complete checkpoint."""
    run = access.run_for_researcher(request.user, id)
    with refusals():
        jobs.requeue(run.job, actor=request.user)
    return Status(202, _run(access.run_for_staff(request.user, id)))


def _run(row: TrainingRun) -> dict[str, Any]:
    mixed = [part.snapshot_id for part in row.parts.all()]
    return {
        "id": row.pk,
        "method": row.method,
        "role": row.role,
        "campaign": row.campaign.slug,
        "iteration": row.iteration.number if row.iteration else None,
        "snapshots": mixed or [row.snapshot_id],
        "options": row.options,
        "filters": row.select.get("filters") or {},
        "state": row.job.state,
        "job": job_out(row.job),
        "output": row.output_id,
        "created_at": row.created_at,
    }


def _lines(rows: list[dict[str, Any]], from_step: int) -> Iterator[str]:
    for row in rows:
        if int(row.get("step") or 0) >= from_step:
            yield json.dumps(finite(row)) + "\n"

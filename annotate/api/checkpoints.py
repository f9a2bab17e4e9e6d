"""Checkpoints with their model cards, and how they were judged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils import translation
from ninja import Router, Schema

from annotate import access, language, model_card
from annotate.api.gate import Bearer, Call
from annotate.api.jobs import finite
from annotate.api.pages import Cursor, Id, Limit, Page, page
from models_runtime.models import Checkpoint
from training import runs
from training.models import Evaluation

router = Router(tags=["checkpoints"])
READS = Bearer("checkpoints:read")
READS_RUNS = Bearer("runs:read")
MARKDOWN = "text/markdown"


class CheckpointOut(Schema):
    """``files``: sha256 by name; ``sha256`` is of them all. ``parent``: what it was trained
    from."""

    id: int
    name: str
    kind: str
    state: str
    parent: int | None
    sha256: str
    bytes: int
    files: dict[str, str]
    facts: dict[str, Any]
    job: int | None
    created_at: datetime


class EvaluationOut(Schema):
    """``result`` is empty until its job has succeeded; ``failed_guards`` are the sentences of
    those that a promotion would break."""

    id: int
    checkpoint: int
    run: int | None
    campaign: str | None
    iteration: int | None
    job: int
    state: str
    result: dict[str, Any]
    failed_guards: list[str]
    created_at: datetime


@router.get("/checkpoints", response=Page[CheckpointOut], auth=READS)
def list_checkpoints(request: Call, cursor: Cursor = "", limit: Limit = 50) -> Any:
    """Checkpoints of the project, the newest first."""
    access.require_role(request.user, *access.STAFF)
    return page(access.checkpoints_for_staff(request.user), cursor, limit, _checkpoint)


@router.get("/checkpoints/{id}", response=CheckpointOut, auth=READS)
def get_checkpoint(request: Call, id: Id) -> Any:
    """One checkpoint."""
    return _checkpoint(access.checkpoint_for_staff(request.user, id))


@router.get("/checkpoints/{id}/card", auth=READS)
def get_model_card(request: Call, id: Id) -> HttpResponse:
    """Its model card, README.md as model hubs read it: Markdown, in English."""
    row = access.checkpoint_for_staff(request.user, id)
    with translation.override("en-gb"):
        text = model_card.of(row).text
    return HttpResponse(text, content_type=f"{MARKDOWN}; charset=utf-8")


@router.get("/evaluations", response=Page[EvaluationOut], auth=READS_RUNS)
def list_evaluations(request: Call, cursor: Cursor = "", limit: Limit = 50) -> Any:
    """Evaluations of the project, the newest first."""
    access.require_role(request.user, *access.STAFF)
    return page(access.evaluations_for_staff(request.user), cursor, limit, _evaluation)


@router.get("/evaluations/{id}", response=EvaluationOut, auth=READS_RUNS)
def get_evaluation(request: Call, id: Id) -> Any:
    """One evaluation: win rates, guards, what was measured."""
    return _evaluation(access.evaluation_for_staff(request.user, id))


def _checkpoint(row: Checkpoint) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "kind": row.kind,
        "state": row.state,
        "parent": row.parent_id,
        "sha256": row.sha256,
        "bytes": row.bytes,
        "files": row.manifest,
        "facts": finite(row.facts),
        "job": row.job_id,
        "created_at": row.created_at,
    }


def _evaluation(row: Evaluation) -> dict[str, Any]:
    iteration = row.iteration
    return {
        "id": row.pk,
        "checkpoint": row.checkpoint_id,
        "run": row.run_id,
        "campaign": iteration.campaign.slug if iteration else None,
        "iteration": iteration.number if iteration else None,
        "job": row.job_id,
        "state": row.job.state,
        "result": finite(row.result),
        "failed_guards": [language.translated(one) for one in runs.failed_guards(row)],
        "created_at": row.created_at,
    }

"""Snapshots: freezing labels, and what was frozen, to read and to download."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Path, Router, Schema, Status

from annotate import access
from annotate.api.campaigns import IterationOut, iteration_out
from annotate.api.gate import Bearer, Call
from annotate.api.pages import Cursor, Id, Limit, Page, Slug, page
from annotate.api.problems import Problem, refusals
from annotate.views import downloads
from labeling.models import Snapshot
from training import on_request

router = Router(tags=["snapshots"])
READS, WRITES = Bearer("snapshots:read"), Bearer("snapshots:write")
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class SnapshotOut(Schema):
    """``files``: sha256 by name. ``counts``: how many rows of what kind, and what was left out."""

    id: int
    sha256: str
    campaign: str
    iteration: int | None
    files: dict[str, str]
    counts: dict[str, Any]
    replaces: int | None
    created_at: datetime


@router.post("/campaigns/{slug}/freeze", response={202: IterationOut}, auth=WRITES)
def freeze_labels(request: Call, slug: Slug) -> Any:
    """Stop collecting and train with the labels there are. The loop does it: the iteration's
    snapshot is there once it is training. Repeating it changes nothing."""
    campaign = access.campaign_for_lead(request.user, slug)
    with refusals():
        iteration = on_request.freeze(campaign, request.user)
    iteration.refresh_from_db()
    iteration.campaign = campaign
    return Status(202, iteration_out(iteration))


@router.get("/snapshots", response=Page[SnapshotOut], auth=READS)
def list_snapshots(request: Call, cursor: Cursor = "", limit: Limit = 50) -> Any:
    """Snapshots of the project, the newest first."""
    access.require_role(request.user, *access.STAFF)
    return page(access.snapshots_for_staff(request.user), cursor, limit, _snapshot)


@router.get("/snapshots/{id}", response=SnapshotOut, auth=READS)
def get_snapshot(request: Call, id: Id) -> Any:
    """One snapshot. It never changes."""
    return _snapshot(access.snapshot_for_staff(request.user, id))


@router.get("/snapshots/{id}/files/{name}", auth=READS)
def download_snapshot_file(request: Call, id: Id, name: Name) -> HttpResponseBase:
    """One of its files, byte for byte as it was frozen. Its ETag is its sha256."""
    snapshot = access.snapshot_for_staff(request.user, id)
    if name not in snapshot.manifest:
        raise Http404
    response = downloads.file_of(snapshot, name, request.user)
    if isinstance(response, HttpResponse):  # a sentence: the file is no stream
        raise Problem(response.status_code, "damaged", response.content.decode())
    response["ETag"] = f'"{snapshot.manifest[name]}"'
    return response


def _snapshot(row: Snapshot) -> dict[str, Any]:
    return {
        "id": row.pk,
        "sha256": row.sha256,
        "campaign": row.campaign.slug,
        "iteration": row.iteration.number if row.iteration else None,
        "files": row.manifest,
        "counts": row.counts,
        "replaces": row.replaces_id,
        "created_at": row.created_at,
    }

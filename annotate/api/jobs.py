"""Jobs: the work behind runs and evaluations, as far as a program waits for it."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from ninja import Router, Schema

from annotate import access, language
from annotate.api.gate import Bearer, Call
from annotate.api.pages import Id
from models_runtime.models import Job

router = Router(tags=["jobs"])
READS = Bearer("runs:read")


class JobOut(Schema):
    """``done`` of ``total`` are in ``unit``; ``error`` is a sentence, empty while all is well."""

    id: int
    kind: str
    state: str
    attempt: int
    done: int
    total: int
    unit: str
    error: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@router.get("/jobs/{id}", response=JobOut, auth=READS)
def get_job(request: Call, id: Id) -> Any:
    """One job."""
    return job_out(access.job_for_staff(request.user, id))


def job_out(row: Job) -> dict[str, Any]:
    """As JobOut."""
    return {
        "id": row.pk,
        "kind": row.kind,
        "state": row.state,
        "attempt": row.attempt,
        "done": row.progress.get("done") or 0,
        "total": row.progress.get("total") or 0,
        "unit": row.progress.get("unit") or "",
        "error": language.translated(row.error),
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }


def finite(data: Any) -> Any:
    """JSON knows no NaN: a figure that does not exist is null."""
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, list):
        return [finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data

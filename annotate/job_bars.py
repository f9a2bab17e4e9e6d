"""What a job's bar shows: what is being done, how much of it, and how long it may take"""

from __future__ import annotations

import time
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.method_titles import SCORERS, short_name
from models_runtime.models import Job

# When this process first saw a running job in its present phase: (phase, done, monotonic seconds).
_phases: dict[int, tuple[str, int, float]] = {}

KINDS = {
    "sample": gettext_lazy("Sampling answers"),
    "train": gettext_lazy("Training"),
    "evaluate": gettext_lazy("Evaluating"),
    "publish": gettext_lazy("Publishing checkpoints"),
    "reward": gettext_lazy("Rewarding answers"),
    "row": gettext_lazy("Simulated raters"),
}
ROW_CALLS = {
    "quality": gettext_lazy("Counting labels"),
    "freeze": gettext_lazy("Freezing labels"),
    "erase": gettext_lazy("Erasing a rater"),
    "keep": gettext_lazy("Keeping checkpoints"),
}


def progress_of(job: Job) -> dict[str, Any]:
    """What a job's bar shows."""
    done, total = job.progress.get("done") or 0, job.progress.get("total") or 0
    spent = (timezone.now() - job.started_at).total_seconds() if job.started_at else 0.0
    return {
        "title": _title(job),
        "done": done,
        "total": total,
        "unit": job.progress.get("unit", "").rstrip(" 0123456789"),  # "prompts, parent 4": a draw
        "note": job.progress.get("note", ""),
        "left": _remaining(job, done, total),
        "spent": spent if job.finished_at is None else took(job),
    }


def _title(job: Job) -> str:
    """The kind of work; for training also what is trained, since three runs follow each other."""
    if job.kind == "row" and (title := ROW_CALLS.get(job.config.get("call", ""))):
        return str(title)
    method = job.config.get("method") if job.kind == "train" else None
    if method is None:
        return str(KINDS.get(job.kind, job.kind))
    if method in SCORERS:
        return _("Training: reward model")
    return _("Training: policy, %(method)s") % {"method": short_name(method)}


def _remaining(job: Job, done: int, total: int) -> float | None:
    """Seconds until this phase of a job ends, by its speed since it was first looked at; None
    before it has moved. Start-up, earlier phases and earlier attempts say nothing about it."""
    if job.state != "running" or not total:
        _phases.pop(job.pk, None)
        return None
    phase, now = f"{job.attempt} {job.progress.get('unit')}", time.monotonic()
    known = _phases.get(job.pk)
    if known is None or known[0] != phase or done < known[1]:
        _phases[job.pk] = (phase, done, now)
        return None
    moved = done - known[1]
    return (now - known[2]) / moved * (total - done) if moved and done < total else None


def took(job: Job) -> float | None:
    """Wall seconds of the last attempt."""
    if job.started_at is None or job.finished_at is None:
        return None
    return (job.finished_at - job.started_at).total_seconds()

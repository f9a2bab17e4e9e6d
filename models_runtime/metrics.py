"""A job's metrics: from the child's metrics.jsonl into rows while it runs, and back out."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from models_runtime.models import Job, MetricChunk

_CHUNK_BYTES = 1 << 20

Row = dict[str, Any]


def relay(job_id: int, attempt: int, folder: Path) -> int:
    """Store the whole lines of folder/metrics.jsonl that are not stored yet; how many.

    The byte offset is unique for an attempt, and where to go on is read from what is stored, so
    relaying twice, or from another worker, stores a line once.
    """
    path = folder / "metrics.jsonl"
    if not path.is_file():
        return 0
    offset, count = _position(job_id, attempt, path), 0
    while lines := _whole_lines(path, offset):
        _store(job_id, attempt, offset, [_parse(line) for line in lines])
        offset += sum(len(line) for line in lines)
        count += len(lines)
    return count


def rows_of(job: Job) -> list[Row]:
    """The job's one curve: an attempt that resumed replaces what earlier ones had from its first
    step on. In the order of writing, so of steps."""
    curve: list[Row] = []
    for _, chunks in groupby(job.metric_chunks.order_by("attempt", "offset"), _attempt_of):
        rows = [row for chunk in chunks for row in chunk.rows if row]
        first = min((_step(row) for row in rows), default=0)
        curve = [row for row in curve if _step(row) < first] + rows if rows else curve
    return curve


def _attempt_of(chunk: MetricChunk) -> int:
    return chunk.attempt


def _step(row: Row) -> int:
    return int(row.get("step") or 0)


def _position(job_id: int, attempt: int, path: Path) -> int:
    """The first byte not yet stored: the end of the last chunk's lines."""
    chunks = MetricChunk.objects.filter(job_id=job_id, attempt=attempt)
    last = chunks.order_by("-offset").first()
    if last is None:
        return 0
    with path.open("rb") as handle:
        handle.seek(last.offset)
        for _ in last.rows:
            handle.readline()
        return handle.tell()


def _whole_lines(path: Path, offset: int) -> list[bytes]:
    """Complete lines from offset on, a megabyte at most; the child may be in the midst of one."""
    with path.open("rb") as handle:
        handle.seek(offset)
        block = handle.read(_CHUNK_BYTES)
    return block[: block.rfind(b"\n") + 1].splitlines(keepends=True)


def _parse(line: bytes) -> Row | None:
    """A row, or None for a line that a full disk tore: it keeps its place in the chunk."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _store(job_id: int, attempt: int, offset: int, rows: list[Row | None]) -> None:
    steps = [_step(row) for row in rows if row] or [0]
    MetricChunk.objects.get_or_create(
        job_id=job_id,
        attempt=attempt,
        offset=offset,
        defaults={"from_step": min(steps), "to_step": max(steps), "rows": rows},
    )

"""What a policy answered to its job's panel of prompts, step by step, as far as it lies here"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_runtime import attempts
from models_runtime.models import Job

FILE = "panel.jsonl"  # training.panel writes it
STEPS = 12  # as many of the newest are shown
TAIL_BYTES = 1 << 20  # of each attempt's file: a page that is asked for every two seconds


@dataclass(frozen=True)
class Answers:
    """What was said at a step: ``texts`` in the order of the panel's prompts."""

    step: int
    texts: list[str]


@dataclass(frozen=True)
class Panel:
    """``prompts`` are conversations; the newest step is first."""

    prompts: list[list[dict[str, str]]]
    rows: list[Answers]


def of(job: Job) -> Panel | None:
    """Of all attempts, a later one's answers in place of an earlier one's; None where there are
    none, or where the job ran on another machine."""
    found: dict[int, dict[int, dict[str, Any]]] = {}
    for number in range(1, job.attempt + 1):
        for row in _rows(attempts.folder_of(job) / f"attempt-{number}" / FILE):
            found.setdefault(row["step"], {})[row["prompt"]] = row
    if not found:
        return None
    newest = sorted(found, reverse=True)[:STEPS]
    places = sorted(found[newest[0]])
    return Panel(
        [found[newest[0]][place]["messages"] for place in places],
        [
            Answers(step, [found[step].get(place, {}).get("text", "") for place in places])
            for step in newest
        ],
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines at the end of the file: its beginning, or a line that is being written, may
    be cut off."""
    if not path.is_file():
        return
    with path.open("rb") as handle:
        start = max(0, path.stat().st_size - TAIL_BYTES)
        handle.seek(start)
        lines = handle.read().split(b"\n")
    for line in lines[1 if start else 0 : -1]:
        yield json.loads(line)

"""What a job has asked somebody else's model through its worker: the rows, and where they lie.

    attempt-N/relayed.jsonl         a row an answer, written by the worker before it passes it on
    attempt-N/spent.jsonl           the calls so far, counted before each, also those in vain
    attempt-N/shards/asked-*.jsonl  the same rows, by the process that asked: what travels to
                                    another host (models_runtime.handover)

A question is asked once: whoever asks it again, after whatever kill, finds its row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

VARIABLE = "CONCORD_RELAY"  # the number of the process's end of the socket pair
FILE = "relayed.jsonl"
SPENT = "spent.jsonl"
SHARDS = "asked-"
WINDOW = 64  # questions on their way at most: both ends would else wait for each other


@dataclass(frozen=True)
class Row:
    """An answer: to which question (a hash), the how-manieth time it was asked, counted from 0,
    and the calls that it took."""

    question: str
    again: int
    text: str
    calls: int = 1

    @property
    def key(self) -> tuple[str, int]:
        return self.question, self.again


def storable(text: str) -> str:
    """The text as a file can hold it: without halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode("utf-8")


def read(root: Path) -> tuple[dict[tuple[str, int], Row], set[tuple[str, int]]]:
    """(every row of any attempt below the job directory, the keys of those that are in shards). A
    line that a kill tore is no row."""
    shards = _rows(root.glob(f"attempt-*/shards/{SHARDS}*"))
    return {**_rows(root.glob(f"attempt-*/{FILE}")), **shards}, set(shards)


def spent(root: Path) -> int:
    """The calls of all attempts: as many as the worker counted, or on another host, where that
    is not known, as many as its rows took. A line that a kill tore is a lesser number."""
    counted = [sum(row.calls for row in read(root)[0].values())]
    for path in root.glob(f"attempt-*/{SPENT}"):
        told = path.read_text(encoding="utf-8", errors="replace").split()
        counted += [int(number) for number in told if number.isdecimal()]
    return max(counted)


def _rows(paths: Iterable[Path]) -> dict[tuple[str, int], Row]:
    found = {}
    for path in sorted(paths):
        with path.open(encoding="utf-8") as lines:  # which end at "\n" alone, unlike splitlines
            for line in lines:
                try:
                    row = Row(**json.loads(line))
                    row = replace(row, text=storable(row.text))
                except (ValueError, TypeError, AttributeError):
                    continue
                found[row.key] = row
    return found

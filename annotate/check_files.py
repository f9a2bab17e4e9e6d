"""The answers that check raters as a file: raw rows, each with its flags, kept apart from every
export of the campaign's labels."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from annotate.spreadsheets import cell
from labeling import checks, snapshots
from labeling.models import Campaign, Label
from labeling.pseudonyms import pseudonym

CHUNK = 500
COLUMNS = (
    *("label", "comparison", "purpose", "occasion", "rater", "source", "created_at"),
    *("active_ms", "question", "right", "distance", "void", "answer"),
)


def answers(campaign: Campaign) -> tuple[BinaryIO, int]:
    """An open file without a name, and its rows: it is gone when the response ends."""
    key = campaign.project.pseudonym_key
    rows = checks.answers(campaign).select_related(
        "comparison", "assignment", "rater", "question_version", "result"
    )
    count = 0
    with tempfile.TemporaryDirectory(prefix="export-") as scratch:
        path = Path(scratch) / "checks.csv"
        with snapshots.consistent_read(), path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(COLUMNS)
            for label in rows.order_by("pk").iterator(CHUNK):
                facts = _facts(label, pseudonym(key, label.rater))
                writer.writerow([cell(facts[name]) for name in COLUMNS])
                count += 1
        return os.fdopen(os.open(path, os.O_RDONLY), "rb"), count


def _facts(label: Label, rater: str) -> dict[str, Any]:
    """``purpose`` and ``occasion`` are the flags: an occasion above 0 of work is a repeat, of the
    test a later try."""
    result = getattr(label, "result", None)
    return {
        "label": label.pk,
        "comparison": label.comparison_id,
        "purpose": label.comparison.purpose,
        "occasion": label.assignment.occasion,
        "rater": rater,
        "source": label.source,
        "created_at": label.created_at.isoformat(),
        "active_ms": label.active_ms if label.active_ms is not None else "",
        "question": label.question_version.number,
        "right": "" if result is None or result.right is None else int(result.right),
        "distance": "" if result is None or result.distance is None else result.distance,
        "void": int(bool(result and result.void_at)),
        "answer": json.dumps(label.answer["parts"], ensure_ascii=False, sort_keys=True),
    }

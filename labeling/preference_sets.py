"""Preferences that were stated elsewhere, frozen beside the labels that were given here.

An imported set is a Snapshot whose counts say so: it has preferences.jsonl, no labels.jsonl and no
label by anybody, and runs mix it in by a weight. Its records have the source "imported" and ids
below zero, which no row has; a prompt that the campaign asks too keeps its own id, item and split,
so that nothing held out is trained on.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TextIO

from django.db import transaction

from labeling.imports import Fault, jsonl, load, preferences
from labeling.imports.preferences import Given, LeftOut, PreferenceRow
from labeling.imports.shapes import BadRow, PromptRow
from labeling.judgements import SOURCES
from labeling.models import Campaign, Prompt, Snapshot, User
from labeling.prompts import SHOWN_PROBLEMS, Problem
from labeling.snapshots import FORMAT, MANIFEST, PREFERENCES, code_version
from models_runtime import artifacts, audit
from models_runtime.jobdir import sha256_of
from models_runtime.phrases import phrase
from models_runtime.records import (
    Preference,
    PreferenceRecord,
    SnapshotCompletion,
    jsonl_line,
    under_system,
)

IMPORTED = "imported"  # the source of its records, and what its counts say it by
CHUNK = 500  # comparisons in memory at a time


@dataclass
class Report:
    """What an import found and did. counts: lines, faulty, pairs, comparisons, train, heldout,
    known (comparisons of a prompt that the campaign asks), and each reason of
    preferences.REASONS; ``errors`` holds the first faults, ``ignored`` keys that mean nothing."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: list[Problem] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    snapshot: Snapshot | None = None

    def fault(self, line: int, sentence: str) -> None:
        self.counts["faulty"] += 1
        if len(self.errors) < SHOWN_PROBLEMS:
            self.errors.append(Problem(line, sentence))


def import_preferences(
    *,
    campaign: Campaign,
    path: Path,
    actor: User | None = None,
    licence: str = "",
    skip_faulty: bool = False,
    dry_run: bool = False,
) -> Report:
    """Freeze the preferences of a JSONL file as a set of the campaign's project.

    Any line that cannot be read means that nothing is imported, unless ``skip_faulty``: then it is
    counted and passed over. The same file gives the same set, stored once. Raises ValueError for
    another suffix than .jsonl and for a file without a usable preference.
    """
    if load(path) is not jsonl:
        raise ValueError(phrase("Preferences are read from a file whose name ends in .jsonl."))
    report = Report()
    with tempfile.TemporaryDirectory(prefix="preferences-") as scratch:
        folder = Path(scratch)
        _write(campaign, path, folder / PREFERENCES, report)
        if report.counts["faulty"] and not skip_faulty:
            return report
        if not report.counts["comparisons"]:
            raise ValueError(phrase("The file holds no preference that can be learned from."))
        if not dry_run:
            manifest = _manifest(campaign, path, folder, licence, report)
            data = {"rows": manifest["rows"], "name": path.name}
            verb = "preferences imported"
            report.snapshot = store(campaign, folder, manifest, actor, verb, data)
    return report


def _write(campaign: Campaign, path: Path, target: Path, report: Report) -> None:
    """Write the records of a file; the report says what there was."""
    first = int(sha256_of(path)[:10], 16)  # so that the ids of two files hardly ever meet
    number = 0
    comparisons = _comparisons(_rows(path, report))
    with target.open("w", encoding="utf-8") as out:
        while chunk := list(islice(comparisons, CHUNK)):
            known = _Known.of(campaign, [rows[0].prompt for rows in chunk])
            for rows in chunk:
                number += 1
                _write_one(out, _record(rows, known, -first - number), report, known)


def _write_one(out: TextIO, record: PreferenceRecord, report: Report, known: _Known) -> None:
    out.write(jsonl_line(record))
    report.counts.update(["comparisons", record.split])
    report.counts["pairs"] += len(record.preferences)
    report.counts["known"] += record.prompt_id > 0


def _rows(path: Path, report: Report) -> Iterator[PreferenceRow]:
    ignored: set[str] = set()
    for line, raw in jsonl.rows(path):
        report.counts["lines"] += 1
        if isinstance(raw, Fault):
            report.fault(line, raw.sentence)
            continue
        ignored |= set(raw) - preferences.KNOWN
        try:
            yield preferences.preference(raw)
        except LeftOut as error:
            report.counts[str(error)] += 1
        except BadRow as error:
            report.fault(line, error.args[0])
    report.ignored = sorted(ignored)


def _comparisons(rows: Iterable[PreferenceRow]) -> Iterator[list[PreferenceRow]]:
    """Rows that follow one another and that the file says are of one comparison."""
    numbered = enumerate(rows)
    for _, found in groupby(numbered, key=lambda one: _of_one(*one)):
        yield [row for _, row in found]


def _of_one(number: int, row: PreferenceRow) -> tuple[str, str]:
    return (row.comparison or f"row {number}", row.prompt.sha256)


@dataclass
class _Known:
    """What the campaign has of some prompts: conversations by their hash, splits by item."""

    prompts: dict[str, Prompt]
    splits: dict[str, str]

    @classmethod
    def of(cls, campaign: Campaign, rows: list[PromptRow]) -> _Known:
        asked = Prompt.objects.filter(prompt_set__campaign=campaign)
        same = asked.filter(messages_sha256__in={row.sha256 for row in rows})
        about = asked.filter(item__in={row.item for row in rows})
        return cls(
            {row.messages_sha256: row for row in same},
            dict(about.values_list("item", "split").distinct()),
        )


def _record(rows: list[PreferenceRow], known: _Known, number: int) -> PreferenceRecord:
    """One comparison of the file, of however many pairs."""
    prompt = rows[0].prompt
    asked = known.prompts.get(prompt.sha256)
    ids: dict[str, int] = {}
    answers: dict[int, Given] = {}
    stated = []
    for row in rows:
        pair = []
        for given in (row.chosen, row.rejected):
            pk = ids.setdefault(given.key, -len(ids) - 1)
            answers[pk] = given
            pair.append(pk)
        stated.append(Preference(pair[0], pair[1], row.strength))
    return PreferenceRecord(
        comparison_id=number,
        prompt_id=asked.pk if asked else -int(prompt.sha256[:12], 16),
        iteration=0,
        item=asked.item if asked else prompt.item,
        split=asked.split if asked else known.splits.get(prompt.item, prompt.split),
        fold="policy",
        messages=under_system(prompt.messages, rows[0].system_prompt),
        completions=[_completion(pk, given) for pk, given in answers.items()],
        preferences=stated,
        labels=0,
        source=IMPORTED,
        category=prompt.category or (asked.category if asked else ""),
        tags=sorted({*prompt.tags, *(asked.tags if asked else [])}),
        raters=[],
    )


def _completion(pk: int, given: Given) -> SnapshotCompletion:
    return SnapshotCompletion(pk, given.text, given.checkpoint, given.finish_reason, False)


def store(
    campaign: Campaign,
    folder: Path,
    manifest: dict[str, Any],
    actor: User | None,
    verb: str,
    data: dict[str, Any],
) -> Snapshot:
    """Store the records written in folder under their hash, with a row that says where they are
    from; an event of ``verb`` and ``data`` the first time."""
    text = jsonl_line(manifest)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    uri, files = artifacts.put_folder(folder, f"snapshots/{sha256}")
    with transaction.atomic():
        snapshot, created = Snapshot.objects.get_or_create(
            campaign=campaign,
            sha256=sha256,
            defaults={
                "project": campaign.project,
                "uri": uri,
                "manifest": files,
                "counts": manifest["counts"],
                "created_by": actor,
            },
        )
        if created:
            audit.record(verb=verb, obj=snapshot, actor=actor, data=data)
    return snapshot


def _manifest(
    campaign: Campaign, path: Path, folder: Path, licence: str, report: Report
) -> dict[str, Any]:
    left_out = {why: report.counts[why] for why in (*preferences.REASONS, "faulty")}
    return {
        "format": FORMAT,
        "project": campaign.project.slug,
        "campaign": campaign.slug,
        "iteration": None,
        "code": code_version(),
        "rows": {PREFERENCES: report.counts["comparisons"]},
        "files": {PREFERENCES: artifacts.sha256(folder / PREFERENCES)},
        "counts": {
            "labels": dict.fromkeys(SOURCES, 0),
            "comparisons": {
                "kept": report.counts["comparisons"],
                **{why: n for why, n in left_out.items() if n},
            },
            "preferences": {IMPORTED: report.counts["pairs"]},
            IMPORTED: {
                "name": path.name,
                "sha256": sha256_of(path),
                "licence": licence,
            },
        },
    }

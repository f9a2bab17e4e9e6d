"""Prompts: what a campaign asks its models. A file is imported whole or not at all."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from django.db import connection, transaction
from django.utils import timezone

from labeling import imports
from labeling.imports import Fault, shapes
from labeling.imports.shapes import BadRow, PromptRow
from labeling.models import Campaign, ImportBatch, Prompt, PromptSet, User
from models_runtime import audit, states
from models_runtime.jobdir import sha256_of
from models_runtime.phrases import phrase, together

CHUNK = 500
SHOWN_PROBLEMS = 50
KIND = "prompts"
OF_ANOTHER_WORLD = phrase(
    "This campaign is judged by the demo world, which knows its own prompts only: make a new "
    "campaign for yours."
)
STOPPED = phrase("Reading stopped there.")
ABANDONED_AFTER = timedelta(hours=6)


@dataclass(frozen=True)
class Problem:
    line: int
    sentence: str

    def __str__(self) -> str:
        return str(self.said)

    @property
    def said(self) -> str:
        """The sentence with its line, for a page to translate."""
        if not self.line:
            return self.sentence
        return phrase("Line %(line)s: %(sentence)s", line=self.line, sentence=self.sentence)


@dataclass
class Report:
    """What an import found and did.

    counts: lines (rows read), new, duplicates (again in the file), known (in the campaign
    already), train and heldout (of the new), errors. ``errors`` holds the first 50; any error
    means that nothing was imported. ``ignored`` names keys or columns that mean nothing here.
    """

    counts: Counter[str] = field(default_factory=Counter)
    errors: list[Problem] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    prompt_set: PromptSet | None = None

    @property
    def ok(self) -> bool:
        return not self.counts["errors"]

    def problem(self, line: int, sentence: str) -> None:
        self.counts["errors"] += 1
        if len(self.errors) < SHOWN_PROBLEMS:
            self.errors.append(Problem(line, sentence))


def import_prompts(
    *,
    campaign: Campaign,
    path: Path,
    actor: User | None = None,
    dry_run: bool = False,
    name: str = "",
    licence: str = "",
) -> Report:
    """Add the prompts of a JSONL or CSV file to a campaign, as a prompt set of their own.

    The file is checked first, line by line; a fault anywhere, named with its line in the report,
    leaves everything as it was. Conversations that the campaign has already are passed over.
    Rows are written in small transactions to a set that belongs to no campaign yet, so that
    raters are never held up, and appear with one update. ``name`` stands for the file's own
    where that is a temporary one. Raises ValueError for a suffix that is no format, and for a
    campaign of the demo world.
    """
    if campaign.demo_world:
        raise ValueError(OF_ANOTHER_WORLD)
    name = name or path.name
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        report = _checked(campaign, path, name, spool)
        if report.ok and not dry_run:
            spool.seek(0)
            _import(campaign, path, name, licence, actor, report, spool)
    return report


def add_prompts(
    prompt_set: PromptSet,
    rows: Iterable[PromptRow | dict[str, Any]],
    batch: ImportBatch | None = None,
) -> int:
    """Add rows to a set, passing over conversations that it has; how many were new.

    A row may also be raw, in the shapes that a file may have. Raises BadRow then.
    """
    before = prompt_set.prompts.count()
    _insert(prompt_set, map(_values, _parsed(rows)), batch)
    return prompt_set.prompts.count() - before


def _parsed(rows: Iterable[PromptRow | dict[str, Any]]) -> Iterator[PromptRow]:
    for row in rows:
        yield from [row] if isinstance(row, PromptRow) else shapes.prompts(row)


# The columns of Prompt that a row fills, in the order of _values.
_FILLED = (
    "messages", "messages_sha256", "item", "split", "follow_ups", "source", "category", "tags",
    "language", "author", "priority",
)  # fmt: skip


def _values(row: PromptRow) -> list[str | int]:
    """What the columns take, JSON as text."""
    follow_ups, tags = (json.dumps(one) if one else "[]" for one in (row.follow_ups, row.tags))
    return [
        json.dumps(row.messages), row.sha256, row.item, row.split, follow_ups, row.source,
        row.category, tags, row.language, row.author, row.priority,
    ]  # fmt: skip


def _insert(
    prompt_set: PromptSet, values: Iterator[list[str | int]], batch: ImportBatch | None
) -> None:
    """Insert rows, but conversations that the set has. As SQL: of a file's cost, making rows and
    their statement with Django was the larger half."""
    columns = ", ".join(f'"{name}"' for name in ("prompt_set_id", "import_batch_id", *_FILLED))
    places = ", ".join(["%s"] * (2 + len(_FILLED)))
    statement = (
        f'INSERT INTO "{Prompt._meta.db_table}" ({columns}) VALUES ({places}) '
        "ON CONFLICT DO NOTHING"
    )
    same = [prompt_set.pk, batch.pk if batch else None]
    while chunk := [[*same, *row] for row in islice(values, CHUNK)]:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(statement, chunk)


def _rows(path: Path, name: str) -> Iterator[tuple[int, list[PromptRow] | Fault, set[str]]]:
    """(line, its prompts or its fault, its keys) of a file."""
    for line, raw in imports.load(path).rows(path):
        if isinstance(raw, Fault):
            yield line, raw, set()
            continue
        try:
            yield line, shapes.prompts(raw, name), set(raw)
        except BadRow as error:
            yield line, Fault(error.args[0]), set()


def _checked(campaign: Campaign, path: Path, name: str, spool: TextIO) -> Report:
    """The report of a file that is only read. What it holds goes into ``spool``, a line each, so
    that it is read and looked at once."""
    report, seen, ignored = Report(), _Seen(campaign), set[str]()
    for line, found, keys in _rows(path, name):
        report.counts["lines"] += 1
        if not keys <= shapes.KNOWN:
            ignored |= keys - shapes.KNOWN
        if isinstance(found, Fault):
            pieces = [found.sentence, *([STOPPED] if found.last else [])]
            report.problem(line, together(" ", pieces))
            continue
        for row in found:
            if seen.add(line, row, report):
                spool.write(json.dumps(_values(row)) + "\n")
    seen.compare_with_campaign(report)
    if not report.counts["lines"]:
        report.problem(0, phrase("The file holds no prompts."))
    report.ignored = sorted(ignored)
    return report


class _Seen:
    """The conversations and items of the file so far: counts what is new, refuses an item that
    would be on both sides of the split, since evaluation would then ask what was trained on."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.is_first = not Prompt.objects.filter(prompt_set__campaign=campaign).exists()
        self.conversations: set[bytes] = set()
        self.items: dict[str, tuple[str, int]] = {}
        self.pending: dict[str, str] = {}

    def add(self, line: int, row: PromptRow, report: Report) -> bool:
        """Whether it is the first of its kind in the file."""
        digest = bytes.fromhex(row.sha256)
        if row.split_given or row.item != row.sha256:
            split, first = self.items.setdefault(row.item, (row.split, line))
            if split != row.split:
                report.problem(
                    line,
                    phrase(
                        "Its item is %(split)s here but %(other)s on line %(first)s.",
                        split=row.split,
                        other=split,
                        first=first,
                    ),
                )
        if digest in self.conversations:
            report.counts["duplicates"] += 1
            return False
        self.conversations.add(digest)
        self.pending[row.sha256] = row.split
        if len(self.pending) >= CHUNK:
            self._count_pending(report)
        return True

    def compare_with_campaign(self, report: Report) -> None:
        self._count_pending(report)
        items = iter(self.items.items())
        while chunk := dict(islice(items, CHUNK)):
            stored = Prompt.objects.filter(prompt_set__campaign=self.campaign, item__in=chunk)
            for item, split in stored.values_list("item", "split").distinct():
                if split != chunk[item][0]:
                    report.problem(
                        chunk[item][1],
                        phrase("Its item is %(split)s in the campaign already.", split=split),
                    )

    def _count_pending(self, report: Report) -> None:
        stored = Prompt.objects.filter(
            prompt_set__campaign=self.campaign, messages_sha256__in=list(self.pending)
        )
        known = set() if self.is_first else set(stored.values_list("messages_sha256", flat=True))
        report.counts["known"] += len(known)
        new = [split for digest, split in self.pending.items() if digest not in known]
        report.counts.update(["new"] * len(new))
        report.counts.update(new)
        self.pending.clear()


def _import(
    campaign: Campaign,
    path: Path,
    name: str,
    licence: str,
    actor: User | None,
    report: Report,
    spool: TextIO,
) -> None:
    """Write what was checked; leaves nothing visible unless it ends well."""
    _discard_abandoned(campaign)
    batch = ImportBatch.objects.create(
        project=campaign.project,
        kind=KIND,
        source_name=name[:300],
        source_sha256=sha256_of(path),
        created_by=actor,
    )
    try:
        staged = PromptSet.objects.create(
            project=campaign.project, name=name[:200], licence=licence[:200]
        )
        _insert(staged, map(json.loads, spool), batch)
        _publish(campaign, staged, batch, report, actor)
    except BaseException:
        _discard(batch)
        raise


def _publish(
    campaign: Campaign, staged: PromptSet, batch: ImportBatch, report: Report, actor: User | None
) -> None:
    """Give the staged set to the campaign, less what another import brought meanwhile."""
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        known = Prompt.objects.filter(prompt_set__campaign=campaign).values("messages_sha256")
        staged.prompts.filter(messages_sha256__in=known).delete()
        report.counts["new"] = staged.prompts.count()
        states.advance(batch, "live", counts=dict(report.counts))
        if not report.counts["new"]:
            staged.delete()
            return
        PromptSet.objects.filter(pk=staged.pk).update(campaign=campaign)
        audit.record(
            verb="prompts imported",
            obj=staged,
            actor=actor,
            project=campaign.project,
            data={"batch": batch.pk, **report.counts},
        )
    report.prompt_set = staged


def _discard_abandoned(campaign: Campaign) -> None:
    """Clear what an import that was killed left behind; nobody could see it."""
    old = timezone.now() - ABANDONED_AFTER
    rows = ImportBatch.objects.filter(
        project=campaign.project, kind=KIND, state="staged", created_at__lt=old
    )
    for batch in rows:
        _discard(batch)


def _discard(batch: ImportBatch) -> None:
    with transaction.atomic():
        sets = set(Prompt.objects.filter(import_batch=batch).values_list("prompt_set", flat=True))
        Prompt.objects.filter(import_batch=batch).delete()
        PromptSet.objects.filter(pk__in=sets, campaign=None).delete()
        states.advance(batch, "discarded")

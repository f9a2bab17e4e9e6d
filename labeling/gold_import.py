"""Importing items with a known answer: a file is taken whole or not at all.

A set of items is small, a thousand at most, so that it goes in by one transaction: nobody is ever
handed half of one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction

from labeling import gold, marking, repairs, suggested_answers
from labeling.gold import Key
from labeling.imports import Fault, jsonl, load
from labeling.imports import gold as rows_of
from labeling.imports.gold import GoldRow
from labeling.imports.shapes import BadRow
from labeling.models import (
    Campaign,
    Completion,
    Gold,
    ImportBatch,
    Prompt,
    PromptSet,
    QuestionVersion,
    User,
)
from labeling.prompts import SHOWN_PROBLEMS, STOPPED, Problem, add_prompts
from labeling.questions import Raw, combining
from models_runtime import audit
from models_runtime.jobdir import sha256_of
from models_runtime.phrases import of, phrase, together

KIND = "gold"
SOURCE = "imported"  # of a completion
MOST = 1_000  # items of a file


@dataclass
class Report:
    """What an import found and did. counts: lines, items (new ones), known (in the campaign
    already), duplicates (again in the file), faulty. ``errors`` holds the first faults,
    ``ignored`` keys that mean nothing here."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: list[Problem] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def fault(self, line: int, sentence: str) -> None:
        self.counts["faulty"] += 1
        if len(self.errors) < SHOWN_PROBLEMS:
            self.errors.append(Problem(line, sentence))


@dataclass(frozen=True)
class _Item:
    """A row that fits the question. ``posted``: what is expected, as a form would send it."""

    row: GoldRow
    posted: dict[str, Raw]


def import_gold(
    *,
    campaign: Campaign,
    path: Path,
    actor: User | None = None,
    skip_faulty: bool = False,
    dry_run: bool = False,
    name: str = "",
) -> Report:
    """Add the items of a JSONL file to a campaign. Their prompts are asked of no model.

    The file is checked first, line by line, against what the campaign asks. A fault anywhere,
    named with its line in the report, leaves everything as it was, unless ``skip_faulty``: then
    such lines are counted and passed over. The same file twice adds nothing. ``name`` stands for
    the file's own where that is a temporary one. Raises ValueError for another suffix than .jsonl
    and for a campaign that asks nothing.
    """
    if campaign.question is None:
        raise ValueError(phrase("This campaign asks no question yet."))
    if load(path) is not jsonl:
        raise ValueError(phrase("Items are read from a file whose name ends in .jsonl."))
    report, name = Report(), name or path.name
    items = _fresh(campaign, _items(path, name, campaign.question, report), report)
    if not report.counts["lines"]:
        report.fault(0, phrase("The file holds no items."))
    report.counts["items"] = len(items)
    if (report.counts["faulty"] and not skip_faulty) or dry_run or not items:
        return report
    _write(campaign, campaign.question, items, path, name, actor, report)
    return report


def told_apart(campaign: Campaign) -> str:
    """What a lead is to know of imported items where cards suggest an answer, as a sentence; ""
    where none do. What is expected is no suggestion: it would give the answer away."""
    if not repairs.cards(campaign):
        return ""
    return phrase(
        "Cards of this campaign suggest an answer and imported items suggest none: raters can "
        "tell them apart. Gold made of a complete card suggests what the card did."
    )


def _items(path: Path, name: str, question: QuestionVersion, report: Report) -> Iterator[_Item]:
    ignored: set[str] = set()
    for line, raw in jsonl.rows(path):
        report.counts["lines"] += 1
        if isinstance(raw, Fault):
            pieces = [raw.sentence, *([STOPPED] if raw.last else [])]
            report.fault(line, together(" ", pieces))
            continue
        if report.counts["lines"] > MOST:
            report.fault(line, phrase("A file holds at most %(most)s items.", most=MOST))
            break
        ignored |= set(raw) - rows_of.KNOWN
        try:
            yield _item(rows_of.item(raw, name), question)
        except (BadRow, RecursionError) as error:
            report.fault(line, of(error))
    report.ignored = sorted(ignored)


def _item(row: GoldRow, question: QuestionVersion) -> _Item:
    """Checked as if the completions had the ids 1, 2, ...: nothing is stored yet."""
    try:
        combining.check(question.parts, len(row.completions))
    except ValueError as error:
        raise BadRow(error.args[0]) from error
    posted = suggested_answers.as_posted(question.parts, row.expected, row.completions)
    ids = list(range(1, len(row.completions) + 1))
    _checked(row, _key(question, _Item(row, posted), ids))
    return _Item(row, posted)


def _checked(row: GoldRow, key: Key) -> None:
    try:
        gold.check(row.purpose, key)
    except ValueError as error:
        raise BadRow(error.args[0]) from error


def _key(question: QuestionVersion, item: _Item, ids: list[int]) -> Key:
    row = item.row
    found = suggested_answers.cleaned(question.parts, item.posted, ids, row.completions)
    judged = {
        key: part for key, part in found.answer["parts"].items() if part["type"] in marking.JUDGED
    }
    rules = marking.rules_of(judged) if row.rules is None else row.rules
    return Key(judged, rules, row.explanation)


def _fresh(campaign: Campaign, items: Iterator[_Item], report: Report) -> list[_Item]:
    """Those that the campaign has not, each once."""
    rows = Gold.objects.filter(campaign=campaign).exclude(source_sha256="")
    known = set(rows.values_list("source_sha256", flat=True))
    found: dict[str, _Item] = {}
    for item in items:
        digest = item.row.sha256
        if digest in known:
            report.counts["known"] += 1
        elif digest in found:
            report.counts["duplicates"] += 1
        else:
            found[digest] = item
    return list(found.values())


def _write(
    campaign: Campaign,
    question: QuestionVersion,
    items: list[_Item],
    path: Path,
    name: str,
    actor: User | None,
    report: Report,
) -> None:
    with transaction.atomic():
        Campaign.objects.select_for_update().only("pk").get(pk=campaign.pk)
        batch = ImportBatch.objects.create(
            project=campaign.project,
            kind=KIND,
            state="live",
            source_name=name[:300],
            source_sha256=sha256_of(path),
            counts=dict(report.counts),
            created_by=actor,
        )
        prompts = _prompts(campaign, batch, items, name)
        known = Gold.objects.filter(campaign=campaign)
        there = set(known.values_list("source_sha256", flat=True))  # by another import meanwhile
        for item in items:
            if item.row.sha256 in there:
                continue
            prompt = prompts[item.row.prompt.sha256]
            ids = _completions(prompt, item.row.completions, batch)
            gold.build(
                campaign=campaign,
                prompt=prompt,
                completions=ids,
                purpose=item.row.purpose,
                key=_key(question, item, ids),
                actor=actor,
                source_sha256=item.row.sha256,
            )
        said = {"batch": batch.pk, **report.counts}
        audit.record(verb="gold imported", obj=campaign, actor=actor, data=said)


def _prompts(
    campaign: Campaign, batch: ImportBatch, items: list[_Item], name: str
) -> dict[str, Prompt]:
    """The prompt of each item by its hash: the campaign's own where it asks it already, else one
    in a set that no campaign asks, so that no model is trained on what raters are checked by."""
    wanted = {item.row.prompt.sha256: item.row.prompt for item in items}
    own = Prompt.objects.filter(prompt_set__campaign=campaign, messages_sha256__in=wanted)
    found = {row.messages_sha256: row for row in own}
    missing = [row for digest, row in wanted.items() if digest not in found]
    if missing:
        staged = PromptSet.objects.create(project=campaign.project, name=name[:200])
        add_prompts(staged, missing, batch)
        found |= {row.messages_sha256: row for row in staged.prompts.all()}
    return found


def _completions(prompt: Prompt, texts: list[str], batch: ImportBatch) -> list[int]:
    rows = Completion.objects.bulk_create(
        Completion(
            prompt=prompt,
            import_batch=batch,
            source=SOURCE,
            on_policy=False,
            text=text,
            text_sha256=hashlib.sha256(text.encode()).hexdigest(),
        )
        for text in texts
    )
    return [row.pk for row in rows]

"""Cards that arrive with an answer to be reviewed: a file is imported whole or not at all.

They are cards like any other, of no iteration, for people alone; what was suggested lies beside
each and is nobody's label. Rows are written in small transactions as cards that want no answer,
and with one update, at the end, they do; but for cards with long texts, which late_rendering
hands out.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from labeling import late_rendering, suggested_answers
from labeling.comparisons import fold_of
from labeling.imports import Fault, jsonl, load, suggestions
from labeling.imports.shapes import BadRow
from labeling.imports.suggestions import SuggestionRow
from labeling.models import (
    Campaign,
    Comparison,
    ComparisonCompletion,
    Completion,
    ImportBatch,
    Prompt,
    PromptSet,
    QuestionVersion,
    User,
)
from labeling.prompts import (
    ABANDONED_AFTER,
    OF_ANOTHER_WORLD,
    SHOWN_PROBLEMS,
    STOPPED,
    Problem,
    add_prompts,
)
from labeling.questions import Raw, combining
from models_runtime import audit, states
from models_runtime.jobdir import sha256_of
from models_runtime.phrases import of, phrase, together

KIND = "suggestions"
SOURCE = "imported"  # of a completion
STRATEGY = "suggested"  # of a comparison: nobody chose what is on it
CHUNK = 100  # cards in memory at a time, and in a transaction


@dataclass
class Report:
    """What an import found and did. counts: lines, cards (new ones), waiting (of these: for
    late_rendering), known (in the campaign already, with the same suggestion), duplicates (again
    in the file), faulty. ``errors`` holds the first faults, ``ignored`` keys that mean nothing
    here."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: list[Problem] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    batch: ImportBatch | None = None

    def fault(self, line: int, sentence: str) -> None:
        self.counts["faulty"] += 1
        if len(self.errors) < SHOWN_PROBLEMS:
            self.errors.append(Problem(line, sentence))


@dataclass(frozen=True)
class _Card:
    """A row that fits the question. ``posted``: its suggestion as a form would send it."""

    row: SuggestionRow
    posted: dict[str, Raw]
    sha256: str


def import_suggestions(
    *,
    campaign: Campaign,
    path: Path,
    actor: User | None = None,
    skip_faulty: bool = False,
    dry_run: bool = False,
    name: str = "",
    licence: str = "",
) -> Report:
    """Add the cards of a JSONL file to a campaign, each with the answer suggested for it.

    The file is checked first, line by line, against what the campaign asks. A fault anywhere,
    named with its line in the report, leaves everything as it was, unless ``skip_faulty``: then
    such lines are counted and passed over. The same file twice adds nothing. Memory stays flat;
    so a dry run counts lines that stand far apart in the file and are alike as new ones. ``name``
    stands for the file's own where that is a temporary one. Raises ValueError for another suffix
    than .jsonl, for a campaign of the demo world and for one that asks nothing.
    """
    question = _question(campaign)
    if load(path) is not jsonl:
        raise ValueError(phrase("Suggestions are read from a file whose name ends in .jsonl."))
    report, name = Report(), name or path.name
    for chunk in _chunks(_cards(path, name, question, report)):
        fresh = _fresh(campaign, chunk, report)
        report.counts["cards"] += len(fresh)
    if not report.counts["lines"]:
        report.fault(0, phrase("The file holds no cards."))
    if (report.counts["faulty"] and not skip_faulty) or dry_run or not report.counts["cards"]:
        return report
    _import(campaign, question, path, name, licence, actor, report)
    return report


def name_suggesters(*, campaign: Campaign, named: bool, actor: User | None = None) -> None:
    """Let raters read who suggested an answer, or keep it from them. Repeating it changes
    nothing."""
    rows = Campaign.objects.filter(pk=campaign.pk).exclude(names_suggesters=named)
    if rows.update(names_suggesters=named):
        verb = "suggesters named" if named else "suggesters hidden"
        audit.record(verb=verb, obj=campaign, actor=actor)


def _question(campaign: Campaign) -> QuestionVersion:
    if campaign.demo_world:
        raise ValueError(OF_ANOTHER_WORLD)
    if campaign.question is None:
        raise ValueError(phrase("This campaign asks no question yet."))
    return campaign.question


def _cards(path: Path, name: str, question: QuestionVersion, report: Report) -> Iterator[_Card]:
    """The cards of a file; the report says what there was besides."""
    ignored: set[str] = set()
    for line, raw in jsonl.rows(path):
        report.counts["lines"] += 1
        if isinstance(raw, Fault):
            pieces = [raw.sentence, *([STOPPED] if raw.last else [])]
            report.fault(line, together(" ", pieces))
            continue
        ignored |= set(raw) - suggestions.KNOWN
        try:
            yield _card(suggestions.suggestion(raw, name), question)
        except (BadRow, RecursionError) as error:
            report.fault(line, of(error))
    report.ignored = sorted(ignored)


def _card(row: SuggestionRow, question: QuestionVersion) -> _Card:
    try:
        combining.check(question.parts, len(row.completions))
    except ValueError as error:
        raise BadRow(error.args[0]) from error
    posted = suggested_answers.as_posted(question.parts, row.suggested, row.completions)
    return _Card(row, posted, row.sha256)


def _chunks(cards: Iterator[_Card]) -> Iterator[list[_Card]]:
    while chunk := list(islice(cards, CHUNK)):
        yield chunk


def _fresh(
    campaign: Campaign, chunk: list[_Card], report: Report, batch: ImportBatch | None = None
) -> list[_Card]:
    """Those that the campaign has not, each once; of ``batch`` too where one is being written."""
    there = Comparison.objects.filter(
        campaign=campaign, suggestion_sha256__in=[card.sha256 for card in chunk]
    )
    known = set(_live(there).values_list("suggestion_sha256", flat=True))
    own = there.filter(import_batch=batch) if batch else there.none()
    written = set(own.values_list("suggestion_sha256", flat=True))
    fresh: dict[str, _Card] = {}
    for card in chunk:
        if card.sha256 in known:
            report.counts["known"] += 1
        elif card.sha256 in written or card.sha256 in fresh:
            report.counts["duplicates"] += 1
        else:
            fresh[card.sha256] = card
    return list(fresh.values())


def _live(rows: QuerySet[Comparison]) -> QuerySet[Comparison]:
    return rows.filter(import_batch__state="live")


def _import(
    campaign: Campaign,
    question: QuestionVersion,
    path: Path,
    name: str,
    licence: str,
    actor: User | None,
    report: Report,
) -> None:
    """Write the checked file; leaves nothing visible unless it ends well."""
    _discard_abandoned(campaign)
    batch = ImportBatch.objects.create(
        project=campaign.project,
        kind=KIND,
        source_name=name[:300],
        source_sha256=sha256_of(path),
        created_by=actor,
    )
    staged = PromptSet.objects.create(
        project=campaign.project, name=name[:200], licence=licence[:200]
    )
    written = Report()
    try:
        for chunk in _chunks(_cards(path, name, question, written)):
            fresh = _fresh(campaign, chunk, written, batch)
            _write(campaign, question, staged, batch, fresh)
            written.counts["cards"] += len(fresh)
        if written.counts["faulty"] != report.counts["faulty"]:
            raise ValueError(phrase("%(name)s changed while it was read.", name=name))
        report.counts = written.counts
        _publish(campaign, staged, batch, report, actor)
    except BaseException:
        _discard(batch)
        PromptSet.objects.filter(pk=staged.pk).delete()
        raise
    report.batch = batch


def _write(
    campaign: Campaign,
    question: QuestionVersion,
    staged: PromptSet,
    batch: ImportBatch,
    cards: list[_Card],
) -> None:
    """A chunk of cards with their completions, in one short transaction."""
    prompts = _prompts(campaign, staged, batch, cards)
    completions = [_completions(prompts[card.row.prompt.sha256], card, batch) for card in cards]
    with transaction.atomic():
        Completion.objects.bulk_create(one for row in completions for one in row)
        rows = [
            _comparison(campaign, question, batch, card, shown)
            for card, shown in zip(cards, completions, strict=True)
        ]
        Comparison.objects.bulk_create(rows)
        ComparisonCompletion.objects.bulk_create(
            ComparisonCompletion(comparison=row, completion=one, position=position)
            for row, shown in zip(rows, completions, strict=True)
            for position, one in enumerate(shown)
        )


def _prompts(
    campaign: Campaign, staged: PromptSet, batch: ImportBatch, cards: list[_Card]
) -> dict[str, Prompt]:
    """The prompt of each card by its hash: the campaign's own where it asks it already, else a new
    one on the side of the split where the campaign has its item."""
    asked = [card.row.prompt for card in cards]
    wanted = {row.sha256: row for row in asked}
    own = Prompt.objects.filter(prompt_set__campaign=campaign)
    found = {row.messages_sha256: row for row in own.filter(messages_sha256__in=wanted)}
    missing = {digest: row for digest, row in wanted.items() if digest not in found}
    if not missing:
        return found
    items = {row.item for row in missing.values()}
    splits = dict(staged.prompts.filter(item__in=items).values_list("item", "split").distinct())
    splits |= dict(own.filter(item__in=items).values_list("item", "split").distinct())
    for row in missing.values():
        splits.setdefault(row.item, row.split)
    add_prompts(staged, [replace(row, split=splits[row.item]) for row in missing.values()], batch)
    new = staged.prompts.filter(messages_sha256__in=missing)
    return {**found, **{row.messages_sha256: row for row in new}}


def _completions(prompt: Prompt, card: _Card, batch: ImportBatch) -> list[Completion]:
    return [
        Completion(
            prompt=prompt,
            import_batch=batch,
            source=SOURCE,
            on_policy=False,
            text=text,
            text_sha256=hashlib.sha256(text.encode()).hexdigest(),
        )
        for text in card.row.completions
    ]


def _comparison(
    campaign: Campaign,
    question: QuestionVersion,
    batch: ImportBatch,
    card: _Card,
    shown: list[Completion],
) -> Comparison:
    """Of no slot and no overlap, so that nobody is handed it yet."""
    ids = [one.pk for one in shown]
    found = suggested_answers.cleaned(question.parts, card.posted, ids, card.row.completions)
    prompt = shown[0].prompt
    return Comparison(
        campaign=campaign,
        prompt=prompt,
        audience="person",
        overlap=0,
        slots_left=0,
        fold=fold_of(0, prompt.item),
        strategy=STRATEGY,
        shuffle=random.getrandbits(31),
        import_batch=batch,
        suggestion=suggested_answers.suggestion(
            found, by=card.row.by, trains_on=question.trains_on
        ),
        suggestion_sha256=card.sha256,
    )


def _publish(
    campaign: Campaign,
    staged: PromptSet,
    batch: ImportBatch,
    report: Report,
    actor: User | None,
) -> None:
    """Hand the cards to the raters, less what another import brought meanwhile."""
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        own = Comparison.objects.filter(import_batch=batch)
        again = Comparison.objects.filter(campaign=campaign)
        late = own.filter(suggestion_sha256__in=_live(again).values("suggestion_sha256"))
        lost = _delete(late)
        report.counts["known"] += lost
        report.counts["cards"] -= lost
        wanted = campaign.labels_per_comparison
        ready = own.exclude(late_rendering.is_long())
        ready.update(overlap=wanted, slots_left=wanted)
        report.counts["waiting"] = late_rendering.withheld(batch).count()
        states.advance(batch, "live", counts=dict(report.counts))
        if staged.prompts.exists():
            PromptSet.objects.filter(pk=staged.pk).update(campaign=campaign)
        else:
            staged.delete()
        audit.record(
            verb="suggestions imported",
            obj=campaign,
            actor=actor,
            data={"batch": batch.pk, **report.counts},
        )


def _delete(cards: QuerySet[Comparison]) -> int:
    """Delete cards with their completions; how many cards."""
    found = list(cards.values_list("pk", flat=True))
    items = ComparisonCompletion.objects.filter(comparison__in=found)
    shown = list(items.values_list("completion", flat=True))
    Comparison.objects.filter(pk__in=found).delete()
    Completion.objects.filter(pk__in=shown).delete()
    return len(found)


def _discard_abandoned(campaign: Campaign) -> None:
    """Clear what an import that was killed left behind; nobody could see it."""
    rows = ImportBatch.objects.filter(
        project=campaign.project,
        kind=KIND,
        state="staged",
        created_at__lt=timezone.now() - ABANDONED_AFTER,
    )
    for batch in rows:
        _discard(batch)


def _discard(batch: ImportBatch) -> None:
    own = Comparison.objects.filter(import_batch=batch)
    while chunk := list(own.values_list("pk", flat=True)[:CHUNK]):
        _delete(own.filter(pk__in=chunk))
    with transaction.atomic():
        Completion.objects.filter(import_batch=batch).delete()
        sets = set(Prompt.objects.filter(import_batch=batch).values_list("prompt_set", flat=True))
        Prompt.objects.filter(import_batch=batch).delete()
        PromptSet.objects.filter(pk__in=sets, campaign=None).delete()
        states.advance(batch, "discarded")

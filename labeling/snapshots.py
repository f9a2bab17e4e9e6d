"""Labels frozen into immutable files, which are all that training ever sees.

    labels.jsonl       one row for each label in force, by id, whether it counts or not
    preferences.jsonl  one records.PreferenceRecord for each comparison with a majority, by id;
                       a comparison that tied is there with its tie and no preference
    manifest.json      rows, sha256 of the two files, what was filtered and dropped and why, how
                       many labels are people's and how many simulated, the questions, the code

Built twice from the same labels the files are the same to the byte; their sha256 is their name.
Raters are pseudonyms, HMAC(project's key, public id).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from labeling import aggregation, questions
from labeling.aggregation import Verdict
from labeling.judgements import SOURCES, Answer, Judged, JudgedCompletion
from labeling.models import (
    Campaign,
    Comparison,
    ComparisonCompletion,
    Completion,
    Flag,
    Iteration,
    Label,
    Snapshot,
    User,
)
from models_runtime import artifacts, audit
from models_runtime.records import (
    FinishReason,
    PreferenceRecord,
    SnapshotCompletion,
    jsonl_line,
    to_dict,
    under_system,
)

FORMAT = 1
LABELS, PREFERENCES, MANIFEST = "labels.jsonl", "preferences.jsonl", "manifest.json"
CHUNK = 200  # comparisons in memory at a time


def freeze(
    *, campaign: Campaign, iteration: Iteration | None = None, actor: User | None = None
) -> Snapshot:
    """The snapshot of the campaign's labels up to and with an iteration; of all without one.

    Equal labels give the same snapshot, stored once. Call it outside a transaction: it reads in
    one of its own. Raises ValueError when there is no label in force.
    """
    up_to = None if iteration is None else iteration.number
    with tempfile.TemporaryDirectory(prefix="snapshot-") as scratch:
        folder = Path(scratch)
        with consistent_read():
            manifest = _write(campaign, up_to, folder)
        if not manifest["rows"][LABELS]:
            raise ValueError(f"{campaign.name} has no labels yet: there is nothing to freeze.")
        text = jsonl_line(manifest)
        (folder / MANIFEST).write_text(text, encoding="utf-8")
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        uri, files = artifacts.put_folder(folder, f"snapshots/{sha256}")
    return _row(campaign, iteration, actor, sha256, uri, files, manifest)


def read_manifest(snapshot: Snapshot) -> dict[str, Any]:
    """The snapshot's manifest.json."""
    with artifacts.open_file(snapshot.uri, MANIFEST) as handle:
        manifest: dict[str, Any] = json.load(handle)
    return manifest


def judged(
    campaign: Campaign,
    *,
    up_to: int | None = None,
    only: int | None = None,
    among: list[int] | None = None,
) -> Iterator[Judged]:
    """Every comparison that has a label in force, by id, with all its labels in force.

    Of all iterations, of those numbered ``up_to`` and before (with what belongs to none), or of
    ``only`` one; where ``among`` is given, those of these ids alone. Memory stays flat. Within
    consistent_read all of it is of one moment.
    """
    rows = _comparisons(campaign, up_to, only).order_by("id")
    if among is not None:
        rows = rows.filter(pk__in=among)
    for comparison in rows.iterator(chunk_size=CHUNK):
        yield _judged(comparison, campaign.project.pseudonym_key)


def superseded(campaign: Campaign, *, up_to: int | None = None, only: int | None = None) -> int:
    """How many answers were withdrawn or replaced."""
    rows = Label.objects.filter(comparison__in=_scope(campaign, up_to, only))
    return rows.filter(kind="answer", superseded_by__isnull=False).count()


@contextlib.contextmanager
def consistent_read() -> Iterator[None]:
    """All that is read inside is of one moment, and no writer waits for it. Nothing may be
    written inside.

    PostgreSQL: REPEATABLE READ. SQLite: a deferred transaction, which in WAL mode reads beside
    writers (the connection's own transactions are IMMEDIATE and would stop them). Inside a
    transaction of the caller's, that one's isolation holds.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield


def pseudonym(key: str, user: User) -> str:
    """A rater's name in files: the same in a project, another in every other one."""
    return hmac.new(key.encode(), user.public_id.bytes, hashlib.sha256).hexdigest()[:32]


def _row(
    campaign: Campaign,
    iteration: Iteration | None,
    actor: User | None,
    sha256: str,
    uri: str,
    files: dict[str, str],
    manifest: dict[str, Any],
) -> Snapshot:
    with transaction.atomic():
        snapshot, created = Snapshot.objects.get_or_create(
            campaign=campaign,
            sha256=sha256,
            defaults={
                "project": campaign.project,
                "iteration": iteration,
                "uri": uri,
                "manifest": files,
                "counts": manifest["counts"],
                "created_by": actor,
            },
        )
        if created:
            audit.record(
                verb="labels frozen", obj=snapshot, actor=actor, data={"rows": manifest["rows"]}
            )
    return snapshot


def _write(campaign: Campaign, up_to: int | None, folder: Path) -> dict[str, Any]:
    """Write the two files; the manifest as data."""
    labels, by_source = _write_labels(campaign, up_to, folder / LABELS)
    preferences, comparisons, preferred_by = _write_preferences(
        campaign, up_to, folder / PREFERENCES
    )
    return {
        "format": FORMAT,
        "project": campaign.project.slug,
        "campaign": campaign.slug,
        "iteration": up_to,
        "code": code_version(),
        "rows": {LABELS: labels, PREFERENCES: preferences},
        "files": {name: artifacts.sha256(folder / name) for name in (LABELS, PREFERENCES)},
        "filters": {
            LABELS: ["in force"],
            PREFERENCES: ["counted", "no hidden repeat", "no unresolved flag", "people first"],
            "aggregation": aggregation.NAME,
        },
        "counts": {
            "labels": by_source,
            "superseded": superseded(campaign, up_to=up_to),
            "comparisons": comparisons,
            "preferences": preferred_by,
        },
        **_versions(campaign),
    }


def _write_labels(campaign: Campaign, up_to: int | None, path: Path) -> tuple[int, dict[str, int]]:
    """(rows, labels by source, with how many came late or do not count)."""
    key = campaign.project.pseudonym_key
    rows = _in_force(_label_rows().filter(comparison__in=_scope(campaign, up_to, None)))
    rows = rows.select_related("comparison__iteration", "comparison__prompt").prefetch_related(
        _unresolved_flags("comparison__flags")
    )
    counts = Counter(dict.fromkeys((*SOURCES, "late", "not counted"), 0))
    written = 0
    with path.open("w", encoding="utf-8") as out:
        for label in rows.order_by("id").iterator(chunk_size=CHUNK):
            out.write(jsonl_line(_label_row(label, key)))
            counts.update([label.source])
            counts.update({"late": label.late, "not counted": not label.counted})
            written += 1
    return written, dict(counts)


def _write_preferences(
    campaign: Campaign, up_to: int | None, path: Path
) -> tuple[int, dict[str, int], dict[str, int]]:
    """(rows, comparisons kept and dropped by reason, those kept by source of their labels)."""
    counts = Counter(dict.fromkeys(("kept", *aggregation.REASONS), 0))
    sources: Counter[str] = Counter()
    written = 0
    with path.open("w", encoding="utf-8") as out:
        for row in judged(campaign, up_to=up_to):
            verdict = aggregation.decide(row)
            counts[verdict.reason or "kept"] += 1
            if verdict.preferences:
                sources[verdict.source] += 1
            if verdict.preferences or verdict.reason == "tied":
                out.write(jsonl_line(_record(row, verdict)))
                written += 1
    return written, dict(counts), dict(sources)


def _versions(campaign: Campaign) -> dict[str, Any]:
    asked = campaign.questions.order_by("number")
    told = campaign.guidelines.order_by("number")
    return {
        "questions": list(asked.values("number", "text", "parts", "trains_on")),
        "guidelines": [
            {"number": row.number, "sha256": hashlib.sha256(row.markdown.encode()).hexdigest()}
            for row in told
        ],
    }


def code_version() -> str:
    """The version in pyproject.toml."""
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def _label_row(label: Label, key: str) -> dict[str, Any]:
    comparison = label.comparison
    return {
        **to_dict(_answer(label, key)),
        "public_id": str(label.public_id),
        "comparison": comparison.pk,
        "iteration": _number(comparison),
        "prompt": comparison.prompt_id,
        "item": comparison.prompt.item,
        "split": comparison.prompt.split,
        "fold": comparison.fold,
        "flags": _codes(comparison),
    }


def _shared_system_prompt(row: Judged) -> str:
    """What every answer of the comparison was asked under; none where they differ."""
    asked = {completion.system_prompt for completion in row.completions}
    return asked.pop() if len(asked) == 1 else ""


def _record(row: Judged, verdict: Verdict) -> PreferenceRecord:
    return PreferenceRecord(
        comparison_id=row.comparison,
        prompt_id=row.prompt,
        iteration=row.iteration,
        item=row.item,
        split=row.split,
        fold=row.fold,
        messages=under_system(row.messages, _shared_system_prompt(row)),
        completions=[
            SnapshotCompletion(
                c.id, c.text, c.checkpoint, cast(FinishReason, c.finish_reason), c.on_policy
            )
            for c in row.completions
        ],
        preferences=verdict.preferences,
        ties=verdict.ties,
        labels=verdict.labels,
        source=verdict.source,
    )


def _scope(campaign: Campaign, up_to: int | None, only: int | None) -> QuerySet[Comparison]:
    rows = Comparison.objects.filter(campaign=campaign).exclude(state="discarded")
    if only is not None:
        rows = rows.filter(iteration__number=only)
    if up_to is not None:
        rows = rows.filter(Q(iteration=None) | Q(iteration__number__lte=up_to))
    return rows


def _comparisons(campaign: Campaign, up_to: int | None, only: int | None) -> QuerySet[Comparison]:
    """Comparisons with a label in force, and everything that _judged reads."""
    labelled = _in_force(Label.objects.filter(comparison=OuterRef("pk")))
    items = ComparisonCompletion.objects.select_related("completion__checkpoint")
    return (
        _scope(campaign, up_to, only)
        .filter(Exists(labelled))
        .select_related("prompt", "iteration")
        .prefetch_related(
            Prefetch("items", items.order_by("position")),
            Prefetch("labels", _in_force(_label_rows()).order_by("id")),
            _unresolved_flags("flags"),
        )
    )


def _label_rows() -> QuerySet[Label]:
    return Label.objects.select_related(
        "rater", "assignment", "question_version", "guideline_version"
    )


def _in_force(rows: QuerySet[Label]) -> QuerySet[Label]:
    return rows.filter(kind="answer", superseded_by__isnull=True)


def _unresolved_flags(path: str) -> Prefetch:
    return Prefetch(path, Flag.objects.filter(resolved_at=None).order_by("code"))


def _judged(comparison: Comparison, key: str) -> Judged:
    return Judged(
        comparison=comparison.pk,
        iteration=_number(comparison),
        prompt=comparison.prompt_id,
        item=comparison.prompt.item,
        split=comparison.prompt.split,
        fold=comparison.fold,
        strategy=comparison.strategy,
        messages=comparison.prompt.messages,
        completions=[_completion(item.completion) for item in comparison.items.all()],
        answers=[_answer(label, key) for label in comparison.labels.all()],
        flags=_codes(comparison),
    )


def _completion(completion: Completion) -> JudgedCompletion:
    return JudgedCompletion(
        id=completion.pk,
        text=completion.text,
        checkpoint=completion.checkpoint.name if completion.checkpoint else "",
        finish_reason=completion.finish_reason,
        on_policy=completion.on_policy,
        system_prompt=completion.system_prompt,
    )


def _answer(label: Label, key: str) -> Answer:
    asked = label.question_version
    preferences, ties = questions.preferences_of(asked.parts, label.answer, asked.trains_on)
    guideline = label.guideline_version
    return Answer(
        label=label.pk,
        rater=pseudonym(key, label.rater),
        source=label.source,
        preferences=preferences,
        ties=ties,
        counted=label.counted,
        late=label.late,
        occasion=label.assignment.occasion,
        order=label.order,
        question=asked.number,
        guideline=guideline.number if guideline else None,
        active_ms=label.active_ms,
        layout=label.layout,
        created_at=label.created_at.astimezone(UTC).isoformat(),
        answer=label.answer,
    )


def _number(comparison: Comparison) -> int:
    return comparison.iteration.number if comparison.iteration else 0


def _codes(comparison: Comparison) -> list[str]:
    return sorted({flag.code for flag in comparison.flags.all()})

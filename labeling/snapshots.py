"""Labels frozen into immutable files, which are all that training ever sees.

    labels.jsonl       one row for each accepted label, by id, whether it counts or not, and for
                       each answer by which a lead decided, with adjudicated: true
    preferences.jsonl  one records.PreferenceRecord for each comparison with a majority, by id;
                       a comparison that tied is there with its tie and no preference
    demonstrations.jsonl  one records.Demonstration for each answer that a rater wrote; there is no
                       such file where nobody wrote one
    ratings.jsonl      one records.Rated for each completion that was given points or a thumb by
                       itself; there is no such file where none was
    aggregated.jsonl   where the campaign has a rule for many raters' labels (aggregated_rows.py):
                       of each pair how likely each outcome is; the preferences are then the rule's
    manifest.json      rows, sha256 of the files, what was filtered and dropped and why, how
                       many labels are people's and how many simulated, the questions, the code

Built twice from the same labels the files are the same to the byte; their sha256 is their name.
Raters are pseudonyms, HMAC(project's key, public id).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from labeling import (
    accepted,
    aggregated_rows,
    aggregation,
    frozen_rows,
    questions,
    repairs,
    threads,
)
from labeling.aggregates import Aggregated
from labeling.judgements import SOURCES, Answer, Judged, JudgedCompletion, without_erased
from labeling.models import (
    Adjudication,
    Campaign,
    Comparison,
    ComparisonCompletion,
    Completion,
    Flag,
    Iteration,
    Label,
    RaterText,
    Snapshot,
    User,
)
from labeling.pseudonyms import pseudonym
from labeling.questions import red_team
from labeling.written import SOURCE as WRITTEN
from labeling.written import is_erased, is_erased_prompt
from models_runtime import artifacts, audit
from models_runtime.records import Message, PreferenceRecord, jsonl_line, to_dict

FORMAT = 2  # 1 had nothing of what filters read: agreement, category, tags, dates, raters
LABELS, PREFERENCES, MANIFEST = "labels.jsonl", "preferences.jsonl", "manifest.json"
DEMONSTRATIONS, RATINGS = "demonstrations.jsonl", "ratings.jsonl"
CHUNK = 200  # comparisons in memory at a time
RATED = ["counted", "no hidden repeat", "no unresolved flag", "people first", "not erased"]
UNTAGGED = "no tagged batch"
RESERVED = "reserved"  # the split of what chance alone chose, which no run trains on
SEVERAL_TURNS = "several turns"  # why a vote on whole threads is no pair to train on


def freeze(
    *,
    campaign: Campaign,
    iteration: Iteration | None = None,
    actor: User | None = None,
    tagged: bool = True,
    rule: str | None = None,
) -> Snapshot:
    """The snapshot of the campaign's labels up to and with an iteration; of all without one.
    Without ``tagged`` what belongs to a tagged batch is left out; within, its rows have its tags.
    Many raters' labels become one by ``rule`` (aggregates.TITLES; "" is the majority), by the
    campaign's own where it is None.

    Equal labels give the same snapshot, stored once. Call it outside a transaction: it reads in
    one of its own. Raises ValueError when there is no label in force.
    """
    up_to = None if iteration is None else iteration.number
    with tempfile.TemporaryDirectory(prefix="snapshot-") as scratch:
        folder = Path(scratch)
        with consistent_read():
            by = campaign.aggregation if rule is None else rule
            manifest = _write(campaign, up_to, folder, tagged, by)
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
    tagged: bool = True,
) -> Iterator[Judged]:
    """Every comparison that has an accepted label, by id, with all its accepted labels.

    Of all iterations, of those numbered ``up_to`` and before (with what belongs to none), or of
    ``only`` one; where ``among`` is given, those of these ids alone; without ``tagged``, none of a
    tagged batch. Memory stays flat. Within consistent_read all of it is of one moment.
    """
    rows = _comparisons(campaign, up_to, only, tagged).order_by("id")
    if among is not None:
        rows = rows.filter(pk__in=among)
    for comparison in rows.iterator(chunk_size=CHUNK):
        yield _judged(comparison, campaign.project.pseudonym_key)


def superseded(
    campaign: Campaign,
    *,
    up_to: int | None = None,
    only: int | None = None,
    tagged: bool = True,
) -> int:
    """How many answers were withdrawn or replaced: raters' to the campaign's work."""
    rows = Label.objects.filter(
        comparison__in=_scope(campaign, up_to, only, tagged),
        comparison__purpose="work",
        assignment__occasion=0,
    )
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


def _write(
    campaign: Campaign, up_to: int | None, folder: Path, tagged: bool, rule: str
) -> dict[str, Any]:
    """Write the files; the manifest as data."""
    labels, by_source = _write_labels(campaign, up_to, folder / LABELS, tagged)
    fitted = None
    if rule:
        once = judged(campaign, up_to=up_to, tagged=tagged)
        fitted = aggregated_rows.fit(campaign, once, rule)
    found = _write_judged(campaign, up_to, folder, tagged, fitted)
    rows = {LABELS: labels, PREFERENCES: found.preferences}
    if fitted:
        rows[aggregated_rows.NAME] = found.aggregated.rows
    for name, count in ((DEMONSTRATIONS, found.demonstrations), (RATINGS, found.ratings)):
        if count:
            rows[name] = count
        else:
            (folder / name).unlink()
    return {
        "format": FORMAT,
        "project": campaign.project.slug,
        "campaign": campaign.slug,
        "iteration": up_to,
        "code": code_version(),
        "rows": rows,
        "files": {name: artifacts.sha256(folder / name) for name in rows},
        "filters": {
            LABELS: ["in force", *([] if tagged else [UNTAGGED])],
            PREFERENCES: ["counted", "no hidden repeat", "no unresolved flag", "people first"],
            DEMONSTRATIONS: ["in force", "no unresolved flag", "people first", "not erased"],
            **({RATINGS: RATED} if found.ratings else {}),
            "aggregation": rule or aggregation.NAME,
        },
        **({"raters": fitted.raters} if fitted else {}),
        "counts": {
            "labels": by_source,
            "superseded": superseded(campaign, up_to=up_to, tagged=tagged),
            "comparisons": dict(found.comparisons),
            "preferences": dict(found.preferred_by),
            "erased pairs": found.erased_pairs,
            "demonstrations": dict(found.demonstrated),
            **({"ratings": dict(found.rated)} if found.rated else {}),
            **({"aggregated": {rule: dict(found.aggregated.counts)}} if fitted else {}),
        },
        **_versions(campaign),
    }


def _write_labels(
    campaign: Campaign, up_to: int | None, path: Path, tagged: bool
) -> tuple[int, dict[str, int]]:
    """(rows, labels by source, with how many came late or do not count)."""
    key = campaign.project.pseudonym_key
    scope = _scope(campaign, up_to, None, tagged)
    related = ("comparison__iteration", "comparison__prompt", "comparison__batch")
    rows = _label_rows().filter(accepted.rule() | accepted.decision(), comparison__in=scope)
    rows = rows.select_related(*related, "adjudication")
    rows = rows.prefetch_related(_unresolved_flags("comparison__flags"), _texts("texts"))
    counts = Counter(dict.fromkeys((*SOURCES, "late", "not counted"), 0))
    written = 0
    with path.open("w", encoding="utf-8") as out:
        for label in rows.order_by("id").iterator(chunk_size=CHUNK):
            out.write(jsonl_line(_label_row(label, key)))
            counts.update([label.source])
            counts.update({"late": label.late, "not counted": not accepted.is_counted(label)})
            if hasattr(label, "adjudication"):
                counts.update(["adjudicated"])
            written += 1
    return written, dict(counts)


@dataclass
class _Found:
    """What there was to write of judged comparisons, and what was left out and why."""

    preferences: int = 0  # rows
    demonstrations: int = 0
    ratings: int = 0
    comparisons: Counter[str] = field(
        default_factory=lambda: Counter(dict.fromkeys(("kept", *aggregation.REASONS), 0))
    )
    preferred_by: Counter[str] = field(default_factory=Counter)  # by source of the labels
    demonstrated: Counter[str] = field(default_factory=Counter)  # by kind, or the reason why not
    rated: Counter[str] = field(default_factory=Counter)  # completions, or the reason why not
    erased_pairs: int = 0
    aggregated: aggregated_rows.Written = field(default_factory=aggregated_rows.Written)


def _write_judged(
    campaign: Campaign, up_to: int | None, folder: Path, tagged: bool, fitted: Aggregated | None
) -> _Found:
    """Write what can be learned from: preferences, demonstrations, ratings and, where a rule was
    fitted, soft labels."""
    found = _Found()
    soft = folder / aggregated_rows.NAME if fitted else Path(os.devnull)
    with (
        soft.open("w", encoding="utf-8") as aggregated,
        (folder / PREFERENCES).open("w", encoding="utf-8") as preferences,
        (folder / DEMONSTRATIONS).open("w", encoding="utf-8") as demonstrations,
        (folder / RATINGS).open("w", encoding="utf-8") as ratings,
    ):
        for row in judged(campaign, up_to=up_to, tagged=tagged):
            found.erased_pairs += row.erased
            for record in frozen_rows.demonstrations(row, found.demonstrated):
                demonstrations.write(jsonl_line(record))
                found.demonstrations += 1
            for rated in frozen_rows.ratings(row, found.rated):
                ratings.write(jsonl_line(rated))
                found.ratings += 1
            if fitted and not any(completion.following for completion in row.completions):
                for line in aggregated_rows.lines(row, fitted, found.aggregated):
                    aggregated.write(jsonl_line(line))
            if preferred := _preferred(row, found, fitted):
                preferences.write(jsonl_line(preferred))
                found.preferences += 1
    return found


def _preferred(row: Judged, found: _Found, fitted: Aggregated | None) -> PreferenceRecord | None:
    """The comparison's line, where its labels make one; counted under its reason if not."""
    if any(completion.following for completion in row.completions):
        found.comparisons[SEVERAL_TURNS] += 1  # a pair of single answers is what training reads
        return None
    verdict = fitted.decide(row) if fitted else aggregation.decide(row)
    found.comparisons[verdict.reason or "kept"] += 1
    if verdict.preferences:
        found.preferred_by[verdict.source] += 1
    kept = verdict.preferences or verdict.reason == "tied"
    return frozen_rows.preference(row, verdict) if kept else None


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
        "split": _split(comparison),
        "fold": comparison.fold,
        "flags": _codes(comparison),
        **({"adjudicated": True} if hasattr(label, "adjudication") else {}),
        **_tagged(label),
        **repairs.frozen(label, label.texts.all()),
    }


def _tagged(label: Label) -> dict[str, Any]:
    """``own_tags``: what a red team's rater added to the campaign's tags, where they did;
    ``batch_tags``: those of the tagged batch that it is about."""
    own = [row.text for row in label.texts.all() if row.part.endswith(f"/{red_team.OWN}")]
    tags = [tag for text in own for tag in red_team.own_tags(text)]
    batch = label.comparison.batch
    return {
        **({"own_tags": tags} if tags else {}),
        **({"batch_tags": batch.tags} if batch else {}),
    }


def _scope(
    campaign: Campaign, up_to: int | None, only: int | None, tagged: bool = True
) -> QuerySet[Comparison]:
    rows = Comparison.objects.filter(campaign=campaign).exclude(state="discarded")
    if not tagged:
        rows = rows.filter(batch=None)
    if only is not None:
        rows = rows.filter(iteration__number=only)
    if up_to is not None:
        rows = rows.filter(Q(iteration=None) | Q(iteration__number__lte=up_to))
    return rows


def _comparisons(
    campaign: Campaign, up_to: int | None, only: int | None, tagged: bool
) -> QuerySet[Comparison]:
    """Comparisons with an accepted label, and everything that _judged reads."""
    labelled = accepted.of(Label.objects.filter(comparison=OuterRef("pk")))
    decided = Label.objects.filter(accepted.decision(), comparison=OuterRef("pk"))
    decisions = Adjudication.objects.filter(accepted.in_force("label"), label__isnull=False)
    of_label = ("rater", "assignment", "question_version", "guideline_version", "set_aside")
    items = ComparisonCompletion.objects.select_related(
        "completion__checkpoint", "completion__endpoint"
    )
    return (
        _scope(campaign, up_to, only, tagged)
        .filter(Exists(labelled) | Exists(decided))
        .select_related("prompt", "iteration", "conversation__question", "batch")
        .prefetch_related(
            Prefetch("items", items.order_by("position")),
            Prefetch("labels", accepted.of(_label_rows()).order_by("id")),
            Prefetch(
                "adjudications",
                decisions.select_related(*(f"label__{name}" for name in of_label)).order_by("id"),
            ),
            _unresolved_flags("flags"),
        )
    )


def _label_rows() -> QuerySet[Label]:
    return Label.objects.select_related(
        "rater", "assignment", "question_version", "guideline_version", "set_aside"
    )


def _texts(path: str) -> Prefetch:
    """Of what was typed, what a label's row is made of: own tags, and what stands beside a
    suggested answer."""
    wanted = Q(part__endswith=f"/{red_team.OWN}")
    reviewed = Q(label__comparison__suggestion_sha256__isnull=False)
    return Prefetch(path, RaterText.objects.filter(wanted | reviewed))


def _unresolved_flags(path: str) -> Prefetch:
    return Prefetch(path, Flag.objects.filter(resolved_at=None).order_by("code"))


def _judged(comparison: Comparison, key: str) -> Judged:
    found = Judged(
        comparison=comparison.pk,
        iteration=_number(comparison),
        prompt=comparison.prompt_id,
        item=comparison.prompt.item,
        split=_split(comparison),
        fold=comparison.fold,
        strategy=comparison.strategy,
        messages=comparison.prompt.messages,
        completions=_completions(comparison),
        answers=[_answer(label, key) for label in comparison.labels.all()],
        flags=_codes(comparison),
        resolved=_resolved(comparison, key),
        asked=_asked(comparison),
        category=comparison.prompt.category,
        tags=[*comparison.prompt.tags, *(comparison.batch.tags if comparison.batch else [])],
    )
    return without_erased(found)


def _resolved(comparison: Comparison, key: str) -> Answer | None:
    """The lead's own answer that decides it."""
    found = [row.label for row in comparison.adjudications.all() if row.label]
    return _answer(found[-1], key) if found else None


def _asked(comparison: Comparison) -> dict[int, questions.Parts]:
    versions = {label.question_version for label in comparison.labels.all()}
    return {version.number: version.parts for version in versions}


def _all_completions(comparison: Comparison) -> list[Completion]:
    """What was shown, and after it what raters wrote in answers that are in force."""
    shown = [item.completion for item in comparison.items.all()]
    answers = (label.answer for label in comparison.labels.all())
    written = [pk for answer in answers for pk in questions.written_completions(answer)]
    if not written:
        return shown
    return [*shown, *Completion.objects.filter(pk__in=written).order_by("pk")]


def _completions(comparison: Comparison) -> list[JudgedCompletion]:
    rows = _all_completions(comparison)
    after = threads.following(comparison, rows)
    gone = is_erased_prompt(comparison.prompt)
    return [_completion(row, after.get(row.pk, []), gone) for row in rows]


def _completion(
    completion: Completion, following: list[Message], prompt_is_erased: bool
) -> JudgedCompletion:
    model = completion.checkpoint or completion.endpoint
    return JudgedCompletion(
        id=completion.pk,
        text=completion.text,
        checkpoint=model.name if model else "",
        finish_reason=completion.finish_reason,
        on_policy=completion.on_policy,
        system_prompt=completion.system_prompt,
        following=following,
        written=completion.source == WRITTEN,
        erased=prompt_is_erased or is_erased(completion),
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
        counted=accepted.is_counted(label),
        late=label.late,
        occasion=label.assignment.occasion,
        order=label.order,
        question=asked.number,
        guideline=guideline.number if guideline else None,
        active_ms=label.active_ms,
        layout=label.layout,
        created_at=label.created_at.astimezone(UTC).isoformat(),
        answer=label.answer,
        trains_on=asked.trains_on,
    )


def _split(comparison: Comparison) -> str:
    """Of its prompt, but for the random slice that is kept for evaluation."""
    return RESERVED if comparison.reserved else str(comparison.prompt.split)


def _number(comparison: Comparison) -> int:
    return comparison.iteration.number if comparison.iteration else 0


def _codes(comparison: Comparison) -> list[str]:
    return sorted({flag.code for flag in comparison.flags.all()})

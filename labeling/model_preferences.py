"""Preferences that models made: pairs of sampled answers, frozen beside people's labels.

Such a set is a Snapshot whose counts say so: preferences.jsonl with the source "model", no
labels.jsonl and no label by anybody. Its records keep the prompt's own id, item and split, so that
nothing held out is trained on, and have ids below zero otherwise.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from labeling.judgements import SOURCES
from labeling.models import Campaign, Prompt, Snapshot, User
from labeling.preference_sets import store
from labeling.snapshots import FORMAT, PREFERENCES, code_version
from models_runtime import artifacts
from models_runtime.phrases import phrase
from models_runtime.records import (
    CompletionRecord,
    Preference,
    PreferenceRecord,
    SnapshotCompletion,
    jsonl_line,
    under_system,
)

MADE = "model"  # the source of its records, and what its counts say it by
CHUNK = 500  # pairs whose prompts are in memory at once
IDENTICAL, EMPTY = "identical texts", "empty"


@dataclass(frozen=True)
class Chosen:
    """A pair of answers to a prompt; ``by`` names the checkpoints that gave them."""

    chosen: CompletionRecord
    rejected: CompletionRecord
    by: tuple[str, str]

    def why_not(self) -> str:
        """The reason why nothing can be learned from it; empty: something can."""
        if self.chosen.text == self.rejected.text:
            return IDENTICAL
        return "" if self.chosen.text.strip() else EMPTY


def freeze(
    *,
    campaign: Campaign,
    pairs: Iterable[Chosen],
    system_prompt: str,
    made: dict[str, Any],
    dropped: Counter[str],
    actor: User | None = None,
) -> Snapshot:
    """Store the pairs that something can be learned from; the others are counted in ``dropped``
    under their reason. ``made`` says how they came to be. The same pairs give the same set, stored
    once. Raises ValueError when none is left."""
    with tempfile.TemporaryDirectory(prefix="made-") as scratch:
        folder = Path(scratch)
        kept = _write(campaign, pairs, system_prompt, folder / PREFERENCES, dropped)
        if not kept:
            said = ", ".join(f"{n} {why}" for why, n in sorted((+dropped).items()))
            raise ValueError(
                phrase("No pair is left to learn from (%(why)s).", why=said or phrase("none"))
            )
        manifest = _manifest(campaign, folder, kept, made, dropped)
        verb, data = "preferences made by models", {"rows": manifest["rows"], **made}
        return store(campaign, folder, manifest, actor, verb, data)


def _write(
    campaign: Campaign,
    pairs: Iterable[Chosen],
    system_prompt: str,
    path: Path,
    dropped: Counter[str],
) -> int:
    kept = 0
    with path.open("w", encoding="utf-8") as out:
        for pair, prompt in _with_prompts(campaign, pairs):
            why = pair.why_not() if prompt else "erased"  # taken back since it was sampled
            if prompt is None or why:
                dropped[why] += 1
                continue
            kept += 1
            out.write(jsonl_line(_record(pair, prompt, kept, system_prompt)))
    return kept


def _with_prompts(
    campaign: Campaign, pairs: Iterable[Chosen]
) -> Iterator[tuple[Chosen, Prompt | None]]:
    """Each pair with its prompt, or None where that is asked no more. Memory stays flat."""
    asked = Prompt.objects.filter(prompt_set__campaign=campaign, withdrawn_at=None)
    asked = asked.only("messages", "item", "split", "category", "tags")
    rest = iter(pairs)
    while chunk := list(islice(rest, CHUNK)):
        found = asked.in_bulk({pair.chosen.prompt_id for pair in chunk})
        yield from ((pair, found.get(pair.chosen.prompt_id)) for pair in chunk)


def _record(pair: Chosen, prompt: Prompt, number: int, system_prompt: str) -> PreferenceRecord:
    sides = zip((pair.chosen, pair.rejected), pair.by, strict=True)
    return PreferenceRecord(
        comparison_id=-number,
        prompt_id=prompt.pk,
        iteration=0,
        item=prompt.item,
        split=prompt.split,
        fold="policy",
        messages=under_system(prompt.messages, system_prompt),
        completions=[
            SnapshotCompletion(-place, row.text, by, row.finish_reason, False)
            for place, (row, by) in enumerate(sides, start=1)
        ],
        preferences=[Preference(-1, -2)],
        labels=0,
        source=MADE,
        category=prompt.category,
        tags=prompt.tags,
        raters=[],
    )


def _manifest(
    campaign: Campaign, folder: Path, kept: int, made: dict[str, Any], dropped: Counter[str]
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "project": campaign.project.slug,
        "campaign": campaign.slug,
        "iteration": None,
        "code": code_version(),
        "rows": {PREFERENCES: kept},
        "files": {PREFERENCES: artifacts.sha256(folder / PREFERENCES)},
        "counts": {
            "labels": dict.fromkeys(SOURCES, 0),
            "comparisons": {"kept": kept, **dict(+dropped)},
            "preferences": {MADE: kept},
            MADE: made,
        },
    }

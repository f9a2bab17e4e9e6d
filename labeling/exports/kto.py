"""Thumbs as TRL's KTOTrainer takes them: unpaired, in the training direction.

    prompt, completion          lists of {"role", "content"}
    label                       true: make it likelier; false: less likely
    comparison, iteration, split, item, source, labels
                                ``split``: heldout is for evaluation; ``source``: who judged
                                (person, simulated, program, mixed); ``labels``: how many voted
    checkpoint, on_policy, finish_reason, system_prompt, completion_id
    adjudicated, late           whether a lead's own answer decided it, and no majority; whether a
                                label that it is made of came after its lease had ended

One row for each completion on whose thumb more than half of the votes agree. Flagged comparisons,
labels that do not count, even votes, and erased texts are left out and counted. KTO wants both
kinds: keep λ_D·n_D / (λ_U·n_U) between 1 and 4/3 by the trainer's weights.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from labeling import questions
from labeling.aggregation import source_of, voting
from labeling.judgements import SOURCES, Answer, Judged, JudgedCompletion

COLUMNS = {
    "prompt": "messages",
    "completion": "messages",
    "label": "flag",
    "comparison": "whole",
    "iteration": "whole",
    "split": "text",
    "item": "text",
    "source": "text",
    "labels": "whole",
    "checkpoint": "text",
    "on_policy": "flag",
    "finish_reason": "text",
    "system_prompt": "text",
    "completion_id": "whole",
    "adjudicated": "flag",
    "late": "flag",
}
EXAMPLE = """\
{"prompt": [{"role": "user", "content": "Why is the sky blue?"}], \
"completion": [{"role": "assistant", "content": "Air scatters blue light most."}], \
"label": true, "comparison": 7, "iteration": 1, "split": "train", "item": "sky", \
"source": "person", "labels": 1, "checkpoint": "demo-policy", "on_policy": true, \
"finish_reason": "eos", "system_prompt": "", "completion_id": 12, \
"adjudicated": false, "late": false}
"""


@dataclass(frozen=True)
class Options:
    """``sources``: whose labels; ``split``: train, heldout, reserved or all."""

    sources: tuple[str, ...] = SOURCES
    split: Literal["train", "heldout", "reserved", "all"] = "all"


def columns(options: Options) -> dict[str, str]:
    """The columns in order, each with its type (a key of files.TYPES)."""
    return dict(COLUMNS)


def rows(
    judged: Iterable[Judged], options: Options, counts: Counter[str]
) -> Iterator[dict[str, Any]]:
    """The rows of judged comparisons; ``counts`` is filled with what was kept and dropped."""
    for row in judged:
        if options.split not in ("all", row.split):
            counts["in the other split"] += 1
            continue
        for found in _of(row, options, counts):
            counts["rows"] += 1
            counts["rows held out"] += row.split == "heldout"
            yield found


def _of(row: Judged, options: Options, counts: Counter[str]) -> Iterator[dict[str, Any]]:
    if row.flags:
        counts["flagged"] += 1
        return
    voters = voting(row.answers, options.sources)
    lead = [row.resolved] if row.resolved and row.resolved.source in options.sources else []
    decided = lead if thumbs(lead) else []
    voters = decided or voters
    marks = {
        "adjudicated": bool(decided),
        "late": not decided and any(one.late for one in voters),
    }
    votes = thumbs(voters)
    if not votes:
        counts["without a thumb that counts"] += 1
    for completion in row.completions:
        given = votes[completion.id]
        if given and completion.erased:
            counts["erased"] += 1
        elif given and 2 * given.count(True) == len(given):
            counts["tied"] += 1
        elif given:
            source = source_of(voters)
            up = 2 * given.count(True) > len(given)
            yield {**_row(row, completion, up, len(given), source), **marks}


def thumbs(voters: Iterable[Answer]) -> dict[int, list[bool]]:
    """By completion id: what each thumb asks of training."""
    votes: dict[int, list[bool]] = defaultdict(list)
    for answer in voters:
        for stored in answer.answer.get("parts", {}).values():
            module = questions.load(stored["type"])
            if hasattr(module, "desirable"):
                for pk, desirable in module.desirable(stored, answer.trains_on).items():
                    votes[pk].append(desirable)
    return votes


def _row(
    row: Judged, completion: JudgedCompletion, label: bool, labels: int, source: str
) -> dict[str, Any]:
    return {
        "prompt": row.messages,
        "completion": completion.said,
        "label": label,
        "comparison": row.comparison,
        "iteration": row.iteration,
        "split": row.split,
        "item": row.item,
        "source": source,
        "labels": labels,
        "checkpoint": completion.checkpoint,
        "on_policy": completion.on_policy,
        "finish_reason": completion.finish_reason,
        "system_prompt": completion.system_prompt,
        "completion_id": completion.id,
    }

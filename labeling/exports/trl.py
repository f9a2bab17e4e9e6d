"""Preferences as TRL's trainers take them, with no mapping code: RewardTrainer and DPOTrainer.

    prompt, chosen, rejected    lists of {"role", "content"}; in the training direction. Of an
                                arena's vote the prompt is the first message to both models, and
                                the others are the two threads that followed, to their last reply
    strength                    the rating; null for a plain choice
    margin                      only when asked for: RewardTrainer trains with it when it is there
    comparison, iteration, split, item, source, labels
                                ``source``: who judged (person, simulated, program, mixed);
                                ``labels``: how many of them; ``split``: heldout is for evaluation
    adjudicated, late           whether a lead's own answer decided it, and no majority; whether a
                                label that it is made of came after its lease had ended
    chosen_checkpoint, rejected_checkpoint, on_policy (both were sampled from the policy of their
    time), chosen_finish_reason, rejected_finish_reason, system_prompt (that the chosen one was
    sampled under; it is no part of ``prompt``), chosen_id, rejected_id

One row for each pair with a majority; comparisons without one, flagged ones and those that only
other sources judged are left out and counted, and so are pairs of which one text was erased.
With ``fitted``, a rule for many raters' labels (aggregates.py), the verdicts are the rule's and
two columns are added: ``probability``, how likely the chosen one is preferred (a tie counts half),
and ``difficulty``, 0 where one outcome is sure to 1 where all are as likely; both are null where a
lead decided.
``per_label`` gives a row for each preference of
each accepted label, counted or not, flagged or not, and of each answer by which a lead decided,
with label, rater (a pseudonym), counted, flags, and the criterion that ``decided`` where that was
asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from labeling.aggregates import DIGITS, Aggregated
from labeling.aggregation import Verdict, decide, voting
from labeling.judgements import ERASED, SOURCES, Answer, Judged
from models_runtime.records import MARGINS, Preference

OTHER_SOURCE = "judged by other sources only"
_COLUMNS = {
    "prompt": "messages",
    "chosen": "messages",
    "rejected": "messages",
    "strength": "text",
    "comparison": "whole",
    "iteration": "whole",
    "split": "text",
    "item": "text",
    "source": "text",
    "labels": "whole",
    "chosen_checkpoint": "text",
    "rejected_checkpoint": "text",
    "on_policy": "flag",
    "chosen_finish_reason": "text",
    "rejected_finish_reason": "text",
    "system_prompt": "text",
    "chosen_id": "whole",
    "rejected_id": "whole",
    "adjudicated": "flag",
    "late": "flag",
}
_LABEL_COLUMNS = {
    "label": "whole",
    "rater": "text",
    "counted": "flag",
    "flags": "texts",
    "decided": "text",
}
_SOFT_COLUMNS = {"probability": "number", "difficulty": "number"}
EXAMPLE = """\
{"prompt": [{"role": "user", "content": "Why is the sky blue?"}], \
"chosen": [{"role": "assistant", "content": "Air scatters blue light most."}], \
"rejected": [{"role": "assistant", "content": "It reflects the sea."}], \
"strength": "significantly", "comparison": 7, "iteration": 1, "split": "train", \
"item": "sky", "source": "person", "labels": 1, \
"chosen_checkpoint": "demo-policy", "rejected_checkpoint": "demo-policy", "on_policy": true, \
"chosen_finish_reason": "eos", "rejected_finish_reason": "eos", "system_prompt": "", \
"chosen_id": 12, "rejected_id": 13, "adjudicated": false, "late": false}
"""


@dataclass(frozen=True)
class Options:
    """``sources``: whose labels; ``split``: train, heldout, reserved or all."""

    sources: tuple[str, ...] = SOURCES
    split: Literal["train", "heldout", "reserved", "all"] = "all"
    margin: Literal["small", "large"] | None = None
    per_label: bool = False
    fitted: Aggregated | None = None


def columns(options: Options) -> dict[str, str]:
    """The columns in order, each with its type (a key of files.TYPES)."""
    margin = {"margin": "number"} if options.margin else {}
    soft = _SOFT_COLUMNS if options.fitted else {}
    return {**_COLUMNS, **margin, **soft, **(_LABEL_COLUMNS if options.per_label else {})}


def rows(
    judged: Iterable[Judged], options: Options, counts: Counter[str]
) -> Iterator[dict[str, Any]]:
    """The rows of judged comparisons; ``counts`` is filled with what was kept and dropped."""
    made = _label_rows if options.per_label else _majority_rows
    for row in judged:
        if options.split not in ("all", row.split):
            counts["in the other split"] += 1
            continue
        if row.erased:
            counts[ERASED] += row.erased
        for found in made(row, options, counts):
            counts["rows"] += 1
            counts["rows held out"] += row.split == "heldout"
            yield found


def _majority_rows(
    row: Judged, options: Options, counts: Counter[str]
) -> Iterator[dict[str, Any]]:
    fitted = options.fitted
    verdict = fitted.decide(row, options.sources) if fitted else decide(row, options.sources)
    if not verdict.preferences:
        counts[_why(row, verdict, options)] += 1
    for preference in verdict.preferences:
        late = not verdict.adjudicated and any(one.late for one in voting(row.answers))
        flags = _flags(verdict.adjudicated, late, counts)
        soft = _soft(row, preference, verdict, fitted) if fitted else {}
        pair = _pair(row, preference, options)
        yield {**pair, **_by(verdict.source, verdict.labels), **flags, **soft}


def _label_rows(row: Judged, options: Options, counts: Counter[str]) -> Iterator[dict[str, Any]]:
    decided = [row.resolved] if row.resolved else []
    for answer in [*row.answers, *decided]:
        if answer.source not in options.sources:
            counts["labels of other sources"] += 1
            continue
        counts["tied"] += len(answer.ties)
        for preference in answer.preferences:
            pair = _pair(row, preference, options)
            flags = _flags(answer is row.resolved, answer.late, counts)
            yield {**pair, **_by(answer.source, 1), **flags, **_label(row, answer)}


def _why(row: Judged, verdict: Verdict, options: Options) -> str:
    """The reason why a comparison gives no row."""
    others = row.answers and all(a.source not in options.sources for a in row.answers)
    return OTHER_SOURCE if others and not row.flags else verdict.reason


def _pair(row: Judged, preference: Preference, options: Options) -> dict[str, Any]:
    by_id = {completion.id: completion for completion in row.completions}
    chosen, rejected = by_id[preference.chosen], by_id[preference.rejected]
    pair: dict[str, Any] = {
        "prompt": row.messages,
        "chosen": chosen.said,
        "rejected": rejected.said,
        "strength": preference.strength,
        "comparison": row.comparison,
        "iteration": row.iteration,
        "split": row.split,
        "item": row.item,
        "chosen_checkpoint": chosen.checkpoint,
        "rejected_checkpoint": rejected.checkpoint,
        "on_policy": chosen.on_policy and rejected.on_policy,
        "chosen_finish_reason": chosen.finish_reason,
        "rejected_finish_reason": rejected.finish_reason,
        "system_prompt": chosen.system_prompt,
        "chosen_id": chosen.id,
        "rejected_id": rejected.id,
    }
    if options.margin:
        pair["margin"] = MARGINS[options.margin][preference.strength]
    return pair


def _soft(
    row: Judged, preference: Preference, verdict: Verdict, fitted: Aggregated
) -> dict[str, float | None]:
    pair = (preference.chosen, preference.rejected)
    found = None
    if not verdict.adjudicated:
        found = fitted.soft(row.comparison, (min(pair), max(pair)))
    return {
        "probability": round(found.preferred(*pair), DIGITS) if found else None,
        "difficulty": round(found.difficulty, DIGITS) if found else None,
    }


def _flags(adjudicated: bool, late: bool, counts: Counter[str]) -> dict[str, bool]:
    """A row's, which are counted too."""
    counts.update({"rows adjudicated": 1} if adjudicated else {})
    counts.update({"rows with late labels": 1} if late else {})
    return {"adjudicated": adjudicated, "late": late}


def _by(source: str, labels: int) -> dict[str, Any]:
    return {"source": source, "labels": labels}


def _label(row: Judged, answer: Answer) -> dict[str, Any]:
    return {
        "label": answer.label,
        "rater": answer.rater,
        "counted": answer.counted,
        "flags": row.flags,
        "decided": _decided(answer),
    }


def _decided(answer: Answer) -> str | None:
    """The criterion that decided, of a form that asks for it."""
    parts = answer.answer.get("parts", {}).values()
    return next((part["decided"] for part in parts if part.get("type") == "criteria"), None)

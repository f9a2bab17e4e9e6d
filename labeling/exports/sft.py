"""What raters wrote as answers, for TRL's SFTTrainer: its conversational prompt-completion form.

    prompt, completion          lists of {"role", "content"}
    kind                        demonstration | rewrite
    rewrote                     the id of the completion that was edited; null otherwise
    comparison, iteration, split, item, source, label, rater (a pseudonym), completion_id,
    system_prompt, adjudicated, late
                                ``split``: heldout is for evaluation; ``source``: who wrote it;
                                ``system_prompt``: that the answers beside it were sampled under;
                                ``adjudicated``: a lead decided the comparison by an answer of
                                their own; ``late``: it came after its lease had ended

One row for each answer that somebody wrote, of labels in force, counted or not: what was written
is as good late. Flagged comparisons, other sources and erased texts are left out and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from labeling.judgements import SOURCES, Answer, Judged, JudgedCompletion

COLUMNS = {
    "prompt": "messages",
    "completion": "messages",
    "kind": "text",
    "rewrote": "whole",
    "comparison": "whole",
    "iteration": "whole",
    "split": "text",
    "item": "text",
    "source": "text",
    "label": "whole",
    "rater": "text",
    "completion_id": "whole",
    "system_prompt": "text",
    "adjudicated": "flag",
    "late": "flag",
}
EXAMPLE = """\
{"prompt": [{"role": "user", "content": "Why is the sky blue?"}], \
"completion": [{"role": "assistant", "content": "Air scatters blue light most."}], \
"kind": "demonstration", "rewrote": null, "comparison": 7, "iteration": 1, "split": "train", \
"item": "sky", "source": "person", "label": 31, \
"rater": "9f86d081884c7d659a2feaa0c55ad015", "completion_id": 12, \
"system_prompt": "", "adjudicated": false, "late": false}
"""


@dataclass(frozen=True)
class Options:
    """``sources``: whose texts; ``split``: train, heldout, reserved or all."""

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
        for answer in row.answers:
            for found in _of(row, answer, options, counts):
                counts["rows"] += 1
                counts["rows held out"] += row.split == "heldout"
                yield found


def _of(
    row: Judged, answer: Answer, options: Options, counts: Counter[str]
) -> Iterator[dict[str, Any]]:
    """The rows of one label."""
    made = {completion.id: completion for completion in row.completions if completion.written}
    parts = [part for part in answer.answer["parts"].values() if part.get("completion") in made]
    if not parts:
        counts["labels without a written answer"] += 1
    elif answer.source not in options.sources:
        counts["labels of other sources"] += 1
    elif row.flags:
        counts["flagged"] += 1
    else:
        for part in parts:
            completion = made[part["completion"]]
            if completion.erased:
                counts["erased"] += 1
            else:
                yield _row(row, answer, part, completion)


def _row(
    row: Judged, answer: Answer, part: dict[str, Any], completion: JudgedCompletion
) -> dict[str, Any]:
    return {
        "prompt": row.messages,
        "completion": [{"role": "assistant", "content": completion.text}],
        "kind": part["type"],
        "rewrote": part.get("about"),
        "comparison": row.comparison,
        "iteration": row.iteration,
        "split": row.split,
        "item": row.item,
        "source": answer.source,
        "label": answer.label,
        "rater": answer.rater,
        "completion_id": completion.id,
        "system_prompt": completion.system_prompt,
        "adjudicated": row.resolved is not None,
        "late": answer.late,
    }

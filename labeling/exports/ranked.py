"""Whole orders, for losses over K completions of a prompt (PRO, RRHF, Plackett-Luce).

    prompt                      a list of {"role", "content"}
    completions                 texts, the best first, in the training direction
    ranks                       of each: 1 is the best; an equal rank is a tie, or stands below the
                                ranked ones with no order between (a ranking of the best K; above
                                them, where the question is turned round)
    comparison, iteration, split, item, source, labels
                                as in the format trl
    completion_ids              in the order of the texts
    adjudicated, late           as in the format trl

One row for each comparison whose majority preferences make an order; with ``per_label`` one for
each label in force that states one, with label and rater (a pseudonym). Only what raters were
shown is ranked: an edit is preferred to its original alone, and its place among the others is
nobody's word. Completions about which nothing is said (set aside) are not in the row. Majorities
that run in a circle, and pairs of an order that no majority decides or nobody states, make none:
such a comparison is left out and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from labeling.aggregation import decide, voting
from labeling.judgements import ERASED, SOURCES, Judged
from models_runtime.records import Preference

COLUMNS = {
    "prompt": "messages",
    "completions": "texts",
    "ranks": "wholes",
    "comparison": "whole",
    "iteration": "whole",
    "split": "text",
    "item": "text",
    "source": "text",
    "labels": "whole",
    "completion_ids": "wholes",
    "adjudicated": "flag",
    "late": "flag",
}
LABEL_COLUMNS = {"label": "whole", "rater": "text"}
NO_ORDER = "without one order"
EXAMPLE = """\
{"prompt": [{"role": "user", "content": "Why is the sky blue?"}], \
"completions": ["Air scatters blue light most.", "It reflects the sea.", "Why not?"], \
"ranks": [1, 2, 2], "comparison": 7, "iteration": 1, "split": "train", "item": "sky", \
"source": "person", "labels": 1, "completion_ids": [12, 13, 11], \
"adjudicated": false, "late": false}
"""


@dataclass(frozen=True)
class Options:
    """``sources``: whose labels; ``split``: train, heldout, reserved or all."""

    sources: tuple[str, ...] = SOURCES
    split: Literal["train", "heldout", "reserved", "all"] = "all"
    per_label: bool = False


def columns(options: Options) -> dict[str, str]:
    """The columns in order, each with its type (a key of files.TYPES)."""
    return {**COLUMNS, **(LABEL_COLUMNS if options.per_label else {})}


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


def ranks(
    preferences: Sequence[Preference],
    ties: Sequence[Sequence[int]] = (),
    *,
    trains_on: str = "chosen",
) -> dict[int, int] | None:
    """The rank of each completion that these pairs speak of; None when they make no order.

    A completion's place is by how many are preferred over it, which is the same for all of one
    tier and for no two tiers. Every pair must be stated as it then stands, but those of the last
    rank (of the first, where ``trains_on`` is "rejected"), which a ranking of the best K leaves.
    """
    above = Counter({pk: 0 for one in preferences for pk in (one.chosen, one.rejected)})
    above.update({pk: 0 for pair in ties for pk in pair})
    above.update(one.rejected for one in preferences)
    places = {count: rank for rank, count in enumerate(sorted(set(above.values())), 1)}
    found = {pk: places[count] for pk, count in above.items()}
    left_out = 1 if trains_on == "rejected" else len(places)
    stands = preferences and _is_stated(found, preferences, ties, left_out)
    return found if stands else None


def _is_stated(
    found: dict[int, int],
    preferences: Sequence[Preference],
    ties: Sequence[Sequence[int]],
    left_out: int,
) -> bool:
    """Whether the ranks say of every pair what was said of it; of two in the rank ``left_out``
    nothing need be."""
    ordered = {(one.chosen, one.rejected) for one in preferences}
    tied = {frozenset(pair) for pair in ties}
    for pair in combinations(sorted(found, key=lambda pk: found[pk]), 2):
        level, tie = found[pair[0]] == found[pair[1]], frozenset(pair) in tied
        if {pair, pair[::-1]} & ordered:
            stated = not level and not tie and pair[::-1] not in ordered
        else:
            stated = level and (tie or found[pair[0]] == left_out)
        if not stated:
            return False
    return True


def _majority_rows(
    row: Judged, options: Options, counts: Counter[str]
) -> Iterator[dict[str, Any]]:
    verdict = decide(row, options.sources)
    preferences, ties = _among(row.shown, verdict.preferences, verdict.ties)
    open_pairs = [pair for pair in verdict.undecided if row.shown.issuperset(pair)]
    order = ranks(preferences, ties, trains_on=_direction(row))
    if order is None or open_pairs:
        counts[NO_ORDER if verdict.preferences else verdict.reason] += 1
        return
    late = not verdict.adjudicated and any(one.late for one in voting(row.answers))
    marks = {"adjudicated": verdict.adjudicated, "late": late}
    yield {**_row(row, order, verdict.source, verdict.labels), **marks}


def _label_rows(row: Judged, options: Options, counts: Counter[str]) -> Iterator[dict[str, Any]]:
    for answer in row.answers:
        said = _among(row.shown, answer.preferences, answer.ties)
        order = ranks(*said, trains_on=answer.trains_on)
        if answer.source not in options.sources:
            counts["labels of other sources"] += 1
        elif order is None:
            counts[NO_ORDER] += 1
        else:
            marks = {"adjudicated": False, "late": answer.late}
            by = {**marks, "label": answer.label, "rater": answer.rater}
            yield {**_row(row, order, answer.source, 1), **by}


def _among(
    shown: Collection[int], preferences: Sequence[Preference], ties: Sequence[Sequence[int]]
) -> tuple[list[Preference], list[Sequence[int]]]:
    """The pairs of two completions that were shown."""
    ordered = [one for one in preferences if one.chosen in shown and one.rejected in shown]
    return ordered, [pair for pair in ties if set(pair) <= set(shown)]


def _direction(row: Judged) -> str:
    """The direction of all that was answered; the usual one where a question was turned round
    between two answers."""
    given = {answer.trains_on for answer in row.answers}
    return given.pop() if len(given) == 1 else "chosen"


def _row(row: Judged, order: dict[int, int], source: str, labels: int) -> dict[str, Any]:
    texts = {completion.id: completion.text for completion in row.completions}
    ids = sorted(order, key=lambda pk: (order[pk], pk))
    return {
        "prompt": row.messages,
        "completions": [texts[pk] for pk in ids],
        "ranks": [order[pk] for pk in ids],
        "comparison": row.comparison,
        "iteration": row.iteration,
        "split": row.split,
        "item": row.item,
        "source": source,
        "labels": labels,
        "completion_ids": ids,
    }

"""How far raters agree with themselves: cards that they were shown twice, untold. Pure.

What is compared is what raters are held against others by: of comparisons and rankings which of
two completions is better, or a tie, whatever the strength; of ratings the points; of thumbs the
thumb.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from labeling.agreement import wilson
from labeling.measures import Measure, Reader, Said
from labeling.questions import Parts
from labeling.statistics import chance
from labeling.statistics.estimates import Estimate, undefined
from models_runtime.phrases import phrase

NO_REPEATS = phrase("No card was answered twice.")


@dataclass(frozen=True)
class Again:
    """``same``: the share of what was said twice that was said alike, with Wilson's interval over
    cards. ``kappa``: the same beyond chance, Fleiss' kappa (1971) of the two occasions, with a
    bootstrap's interval; turned round for comparisons, so that ids change nothing."""

    same: Estimate
    kappa: Estimate


NEVER = Again(undefined(NO_REPEATS), undefined(NO_REPEATS))


def of_raters(
    pairs: Iterable[tuple[Said, Said]], parts: Parts, judged_by: Sequence[str]
) -> dict[int, Again]:
    """By rater, of what they said of the same card on two occasions. ``judged_by`` is the part
    and the name of the measure, as a quality report has them."""
    reader = Reader(parts)
    for first, second in pairs:
        twice = (
            replace(one, rater=2 * one.rater + late) for late, one in enumerate((first, second))
        )
        for _said in reader.read(twice):
            pass
    measure = reader.measures.get((judged_by[0], judged_by[1])) if judged_by else None
    return _of_measure(measure) if measure is not None else {}


def _of_measure(measure: Measure) -> dict[int, Again]:
    codes = measure.outcomes if measure.paired else measure.column("codes")
    said: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    cards: dict[tuple[int, int], int] = {}
    columns = ("items", "raters", "cards")
    rows = zip(*(measure.column(name).tolist() for name in columns), codes.tolist(), strict=True)
    for item, rater, card, code in rows:
        said[rater // 2, item][rater % 2] = code
        cards[rater // 2, item] = card
    both: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for (rater, item), codes_of in said.items():
        if len(codes_of) == 2:  # noqa: PLR2004
            both[rater].append((codes_of[0], codes_of[1], cards[rater, item]))
    size = 3 if measure.paired else len(measure.values)
    return {rater: _again(rows_of, size, paired=measure.paired) for rater, rows_of in both.items()}


def _again(rows: list[tuple[int, int, int]], size: int, *, paired: bool) -> Again:
    first, second, cards = (np.array(column) for column in zip(*rows, strict=True))
    mean, n = float((first == second).mean()), len(np.unique(cards))
    items = np.arange(len(rows))
    table = chance.counts(np.concatenate([items, items]), np.concatenate([first, second]), size)
    fleiss = chance.FleissKappa()
    coefficient = chance.Mirrored(fleiss) if paired else fleiss
    return Again(
        Estimate(mean, *wilson(mean * n, n), n),
        chance.estimate(coefficient, table, np.unique(cards, return_inverse=True)[1]),
    )

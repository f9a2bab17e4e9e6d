"""How far rankings go together, card by card: Kendall's W of all raters, tau-b of each two. Pure.

Each is a mean over cards that two or more ranked; the intervals draw prompts, and for raters like
these raters, anew.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from labeling.measures import Measure
from labeling.statistics import by_pairs, chance, rankings
from labeling.statistics.estimates import NOBODY_TWICE, Codes, Estimate, Floats, undefined
from models_runtime.phrases import phrase

ALL_TIED = phrase("Everybody ranked all of them alike: nothing is ordered.")


@dataclass(frozen=True)
class Mean:
    """A mean as a coefficient of chance.py: of rows (value, 1), or (sum, how many)."""

    def sums(self, ratings: Floats) -> Floats:
        return np.asarray(ratings, dtype=float)

    def value(self, sums: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = np.asarray(sums[..., 0] / sums[..., 1])
        return found

    def why_not(self, sums: Floats) -> str:
        return "" if sums[1] else NOBODY_TWICE


@dataclass(frozen=True)
class _Cards:
    """Cards of one shape: who ranked each (cards, m), their ranks (cards, m, n) by ascending id
    with ties sharing their mean, and each card's prompt."""

    raters: Codes
    ranks: Floats
    prompts: Codes


def of(measure: Measure) -> dict[str, Any]:
    """W and tau-b of a ranking measure; nothing of another."""
    if not measure.ranked:
        return {}
    shapes = [one for size, rows in measure.ranked.items() for one in _shapes(size, rows)]
    return {"w": _concordance(shapes), "tau": _tau(shapes)}


def _shapes(size: int, rows: array[int]) -> Iterator[_Cards]:
    table = np.frombuffer(rows, dtype=np.int64).reshape(-1, size + 3)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    _, starts, given = np.unique(table[:, 0], return_index=True, return_counts=True)
    for many in np.unique(given[given > 1]):
        rows_of = starts[given == many][:, None] + np.arange(many)
        tiers = table[rows_of][:, :, 3:]
        below = (tiers[..., None, :] < tiers[..., :, None]).sum(axis=-1)
        same = (tiers[..., None, :] == tiers[..., :, None]).sum(axis=-1)
        yield _Cards(table[rows_of][:, :, 1], below + (same + 1) / 2, table[rows_of[:, 0], 2])


def _concordance(shapes: list[_Cards]) -> dict[str, Any]:
    values = [rankings.concordances(one.ranks) for one in shapes]
    found = _mean(values, [one.prompts for one in shapes])
    return {**asdict(found), "alike": None}


def _tau(shapes: list[_Cards]) -> dict[str, Any]:
    values, prompts, ones, others = [], [], [], []
    for cards in shapes:
        for first, second in combinations(range(cards.ranks.shape[1]), 2):
            values.append(rankings.taus(cards.ranks[:, first], cards.ranks[:, second]))
            prompts.append(cards.prompts)
            ones.append(cards.raters[:, first])
            others.append(cards.raters[:, second])
    found = _mean(values, prompts)
    if found.value is None:
        return {**asdict(found), "alike": None}
    every, one, other = np.concatenate(values), np.concatenate(ones), np.concatenate(others)
    told = np.isfinite(every)
    alike = by_pairs.over_raters(every[told], np.ones(told.sum()), one[told], other[told])
    return {**asdict(found), "alike": list(alike) if alike else None}


def _mean(values: list[Floats], prompts: list[Codes]) -> Estimate:
    if not values:
        return undefined(NOBODY_TWICE)
    every, clusters = np.concatenate(values), np.concatenate(prompts)
    told = np.isfinite(every)
    if not told.any():
        return undefined(ALL_TIED, len(every))
    rows = np.column_stack([every[told], np.ones(told.sum())])
    return chance.estimate(Mean(), rows, clusters[told])

"""Intervals for raters like these and prompts like these, where both were drawn from more.

Labels of one rater go together, and so do those of one prompt; the two cross. The variance is that
between prompts plus that between raters less that of single labels, which both hold (Cameron,
Gelbach and Miller 2011; Owen 2007 bootstraps the same). With few raters the interval is t's with
one degree of freedom less than there are of whichever is fewer.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from labeling.statistics.chance import AT_ONCE, Coefficient
from labeling.statistics.estimates import Codes, Floats, Ratings

STEP = 1e-6  # of the sums, to differentiate a coefficient by them
FEWEST = 3  # raters from whom something is said of others


def variance(scores: Floats, one: Codes, other: Codes) -> tuple[float, int]:
    """Of a sum of ``scores`` (n,), each of a cluster of ``one`` and one of ``other``; and the
    smaller number of clusters. Never below what either says alone where the difference is
    negative by chance."""
    found = [_between(scores, groups) for groups in (one, other)]
    both = _between(scores, _pairs(one, other))
    apart = found[0][0] + found[1][0] - both[0]
    floor = max(found[0][0], found[1][0]) if apart <= 0 else apart
    return floor, min(found[0][1], found[1][1])


def half_width(variance: float, clusters: int) -> float:
    """Half of a 95 % interval; infinite of fewer than two clusters."""
    if clusters < 2:
        return math.inf
    return float(special.stdtrit(clusters - 1, 0.975)) * math.sqrt(max(variance, 0.0))


def of_coefficient(
    coefficient: Coefficient,
    table: Ratings,
    items: Codes,
    raters: Codes,
    codes: Codes,
    prompts: Codes,
) -> tuple[float, float] | None:
    """The 95 % interval of a coefficient of chance.py, for raters and prompts like these; None of
    fewer than three raters or two prompts, or where the coefficient has no value.

    ``table`` (items, categories) counts the judgements, each of which has an entry in ``items``,
    ``raters`` and ``codes``; ``prompts`` (items,). Between raters it is the jackknife: what their
    labels add is summed once for labels that are alike, so one pass does for all raters.
    """
    people = np.unique(raters, return_inverse=True)[1]
    places = np.unique(prompts, return_inverse=True)[1]
    if not len(people) or people.max() + 1 < FEWEST or places.max() < 1:
        return None
    kinds, kind, many = np.unique(
        np.asarray(table), axis=0, return_inverse=True, return_counts=True
    )
    sums = _sums(coefficient, kinds)
    total = many @ sums
    if coefficient.why_not(total):
        return None
    value, slope = float(coefficient.value(total)), _gradient(coefficient, total)
    size = table.shape[1]
    alike, place = np.unique(kind[items] * size + codes, return_inverse=True)
    gone = sums[alike // size] - _sums(coefficient, _one_less(kinds, alike, size))
    between_prompts, n = _between((sums @ slope)[kind], places)
    between_raters, r = _left_out(coefficient, total, gone, place, people)
    by_label = (gone @ slope)[place]
    apart = between_raters - float(by_label @ by_label)
    half = half_width(between_prompts + max(apart, 0.0), min(n, r))
    return max(value - half, -1.0), min(value + half, 1.0)


def _between(scores: Floats, groups: Codes) -> tuple[float, int]:
    sums = np.bincount(groups, scores)
    count = len(sums)
    if count < 2:
        return 0.0, count
    apart = sums - sums.mean()
    return float(apart @ apart) * count / (count - 1), count


def _pairs(one: Codes, other: Codes) -> Codes:
    wide = int(other.max()) + 1 if len(other) else 1
    found: Codes = np.unique(one * wide + other, return_inverse=True)[1]
    return found


def _gradient(coefficient: Coefficient, total: Floats) -> Floats:
    """Of the coefficient by each of its sums, at the total."""
    step = STEP * max(float(np.abs(total).max()), 1.0)
    moved = np.concatenate([total + step * np.eye(len(total)), total - step * np.eye(len(total))])
    values = coefficient.value(moved)
    size = len(total)
    slope: Floats = (values[:size] - values[size:]) / (2 * step)
    return np.where(np.isfinite(slope), slope, 0.0)


def _sums(coefficient: Coefficient, table: Ratings) -> Floats:
    parts = [
        coefficient.sums(table[start : start + AT_ONCE]) for start in range(0, len(table), AT_ONCE)
    ]
    return np.concatenate(parts)


def _one_less(kinds: Ratings, alike: Codes, size: int) -> Floats:
    """The items of labels that are alike, each without one of those labels."""
    rows: Floats = kinds[alike // size].astype(float)
    rows[np.arange(len(rows)), alike % size] -= 1
    return rows


def _left_out(
    coefficient: Coefficient, total: Floats, gone: Floats, place: Codes, people: Codes
) -> tuple[float, int]:
    """The jackknife's variance of leaving one rater out (Efron and Stein 1981), and how many."""
    raters, kinds = int(people.max()) + 1, len(gone)
    many = np.bincount(people * kinds + place, minlength=raters * kinds).reshape(raters, kinds)
    values = coefficient.value(total - many @ gone)
    values = values[np.isfinite(values)]
    apart = values - values.mean()
    return float(apart @ apart) * (raters - 1) / raters, raters

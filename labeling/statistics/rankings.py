"""Agreement of rankings with ties: Kendall's tau-b for two raters, W for any number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labeling.statistics.estimates import NOBODY_TWICE, Estimate, Floats, undefined
from models_runtime.phrases import phrase

TOO_FEW = phrase("A ranking of fewer than two says nothing.")
ALL_TIED = phrase("Somebody ranked all of them alike: such a ranking goes with no other.")


def tau_b(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """Kendall's tau-b (1945) of two rankings of the same things: concordant less discordant pairs
    over the geometric mean of the pairs that each does not tie. Quadratic in their length."""
    mine, theirs = (np.sign(np.subtract.outer(r, r)) for r in (one, other))
    if len(mine) < 2:
        return undefined(TOO_FEW, len(mine))
    untied = float(np.abs(mine).sum() * np.abs(theirs).sum())
    if not untied:
        return undefined(ALL_TIED, len(mine))
    return Estimate(float((mine * theirs).sum() / np.sqrt(untied)), n=len(mine))


def kendall_w(rankings: Floats) -> Estimate:
    """Kendall's coefficient of concordance (Kendall and Smith 1939), corrected for ties:
    12 S / (m^2 (n^3 - n) - m sum T), ``rankings`` of shape (m raters, n things). 1 when all rank
    alike, 0 when their ranks add up to the same for all."""
    ranks = np.array([_midranks(row) for row in np.asarray(rankings, dtype=float)])
    if len(ranks) < 2:
        return undefined(NOBODY_TWICE, len(ranks))
    raters, things = ranks.shape
    if things < 2:
        return undefined(TOO_FEW, raters)
    total = ranks.sum(axis=0)
    spread = float(((total - total.mean()) ** 2).sum())
    most = raters**2 * (things**3 - things) - raters * sum(_tied(row) for row in ranks)
    return Estimate(12 * spread / most, n=raters) if most else undefined(ALL_TIED, raters)


def concordances(ranks: Floats) -> Floats:
    """W of many cards at once: ``ranks`` (cards, m raters, n things), ties sharing their mean;
    (cards,), NaN where all things tie for everybody, or m or n is below 2. As kendall_w."""
    _, raters, things = ranks.shape
    if raters < 2 or things < 2:
        return np.full(len(ranks), np.nan)
    total = ranks.sum(axis=1)
    spread = ((total - total.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    # Of ranks from 1 to n the squares from their mean add up to (n^3 - n) / 12 less ties' share.
    own = ((ranks - (things + 1) / 2) ** 2).sum(axis=(1, 2))
    found: Floats = np.full(len(ranks), np.nan)
    return np.divide(spread, raters * own, out=found, where=own > 0)


def taus(one: Floats, other: Floats) -> Floats:
    """tau-b of many pairs of rankings at once: both (pairs, n things); (pairs,), NaN where one of
    the two ties all. As tau_b."""
    mine, theirs = (np.sign(r[:, :, None] - r[:, None, :]) for r in (one, other))
    untied = np.abs(mine).sum(axis=(1, 2)) * np.abs(theirs).sum(axis=(1, 2))
    found: Floats = np.full(len(one), np.nan)
    np.divide((mine * theirs).sum(axis=(1, 2)), np.sqrt(untied), out=found, where=untied > 0)
    return found


def _midranks(values: Floats) -> Floats:
    """Ranks from 1, those that tie sharing their mean."""
    below = (values[None, :] < values[:, None]).sum(axis=1)
    same = (values[None, :] == values[:, None]).sum(axis=1)
    ranks: Floats = below + (same + 1) / 2
    return ranks


def _tied(ranks: Floats) -> float:
    """sum of t^3 - t over groups of t that tie."""
    _, sizes = np.unique(ranks, return_counts=True)
    return float((sizes**3 - sizes).sum())

"""What raters lean to besides quality: a side, a length."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from labeling.statistics import crossed
from labeling.statistics.estimates import Codes, Estimate, Floats, undefined
from models_runtime.phrases import phrase

NO_CHOICE = phrase("No preference between two was given yet.")
NO_SPREAD = phrase("All differences are alike: nothing can be said of what they do.")
NO_TIME = phrase("No time was measured.")
SEPARATED = phrase("The longer one, or the shorter, was chosen every time: no finite effect fits.")


@dataclass(frozen=True)
class ExactTest:
    """A share with its exact interval, and the two-sided p-value of its being ``expected``."""

    share: Estimate
    p: float | None
    expected: float = 0.5


def binomial(successes: int, n: int, expected: float = 0.5) -> ExactTest:
    """The exact binomial test, two-sided by the sum of all outcomes no likelier than this one,
    with the interval of Clopper and Pearson (1934).

    Of position bias: ``successes`` of ``n`` preferences were for the text shown first.
    """
    if n == 0:
        return ExactTest(undefined(NO_CHOICE), None, expected)
    k, missed = successes, n - successes
    low = 0.0 if k == 0 else float(special.betaincinv(k, missed + 1, 0.025))
    high = 1.0 if missed == 0 else float(special.betaincinv(k + 1, missed, 0.975))
    every = np.arange(n + 1)
    logs = special.gammaln(n + 1) - special.gammaln(every + 1) - special.gammaln(n - every + 1)
    logs = logs + special.xlogy(every, expected) + special.xlog1py(n - every, -expected)
    chances = np.exp(logs)
    p = float(chances[chances <= chances[k] * (1 + 1e-7)].sum())
    return ExactTest(Estimate(k / n, low, high, n), min(p, 1.0), expected)


def median(values: Floats) -> Estimate:
    """The median with its 95 % interval between two order statistics (Conover 1999, section 3.2),
    which holds for any distribution; none of fewer than six values."""
    n = len(values)
    if not n:
        return undefined(NO_TIME)
    inner = np.sort(np.asarray(values, dtype=float))
    lower = int(special.bdtrik(0.025, n, 0.5)) if n > 5 else -1
    if lower < 0:
        return Estimate(float(np.median(inner)), n=n)
    return Estimate(float(np.median(inner)), float(inner[lower]), float(inner[n - 1 - lower]), n)


def length_effect(
    differences: Floats,
    chosen: Floats,
    clusters: Codes | None = None,
    raters: Codes | None = None,
) -> Estimate:
    """The change in the log odds of being preferred for one unit more of ``differences`` (n,), say
    the natural logarithm of the ratio of two lengths; ``chosen`` (n,) is 1 where the one that the
    difference speaks for was preferred.

    A logistic regression without a constant, so that exchanging the two texts of a pair, and
    with them both signs, changes nothing. The 95 % interval is Wald's with the sandwich variance
    by clusters (Liang and Zeger 1986), t with one degree of freedom less than there are; with
    ``raters`` by both, for raters like these (crossed.variance).
    """
    x, y = np.asarray(differences, dtype=float), np.asarray(chosen, dtype=float)
    if not len(x):
        return undefined(NO_CHOICE)
    if not x.any():
        return undefined(NO_SPREAD, len(x))
    towards = np.where(y > 0.5, x, -x)[x != 0]
    if (towards > 0).all() or (towards < 0).all():
        return undefined(SEPARATED, len(x))
    slope = _logistic(x, y)
    p = special.expit(slope * x)
    groups = np.arange(len(x)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    information = float((x * x * p * (1 - p)).sum())
    if raters is not None:
        people = np.unique(raters, return_inverse=True)[1]
        apart, fewer = crossed.variance(x * (y - p), groups, people)
        half = crossed.half_width(apart, fewer) / information
        low, high = (slope - half, slope + half) if math.isfinite(half) else (None, None)
        return Estimate(slope, low, high, fewer)
    sums = np.bincount(groups, x * (y - p))
    count = len(sums)
    if count < 2:
        return Estimate(slope, n=count)
    se = math.sqrt(float(sums @ sums) * count / (count - 1)) / information
    half = float(special.stdtrit(count - 1, 0.975)) * se
    return Estimate(slope, slope - half, slope + half, count)


def _logistic(x: Floats, y: Floats) -> float:
    slope = 0.0
    for _ in range(100):
        p = special.expit(slope * x)
        move = float((x * (y - p)).sum() / max(float((x * x * p * (1 - p)).sum()), 1e-300))
        slope += max(-4.0, min(4.0, move))  # no wild first step
        if abs(move) < 1e-12:
            break
    return slope

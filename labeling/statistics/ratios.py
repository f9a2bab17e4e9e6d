"""A mean of what people did, where each person did some of it: seconds a label, and the like."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from labeling.statistics.estimates import Estimate, undefined
from models_runtime.phrases import phrase

NOTHING = phrase("There is nothing to take the mean of yet.")


def ratio(totals: ArrayLike, counts: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Σ totals / Σ counts over clusters (one entry each), as a combined ratio estimator.

    R = Σ t_g / Σ n_g; by linearisation Var R = G/(G-1) · Σ (t_g - R n_g)² / (Σ n_g)²
    (Cochran 1977, section 2.11, without a finite population), t with G - 1 degrees of freedom.
    One cluster has a value and no interval; a lower end below 0 is 0, for totals are not negative.

    >>> found = ratio([20.0, 60.0], [2, 4])
    >>> round(found.value, 3), found.n
    (13.333, 2)
    """
    t, n = np.asarray(totals, dtype=float), np.asarray(counts, dtype=float)
    t, n = t[n > 0], n[n > 0]
    groups = len(n)
    if not groups:
        return undefined(NOTHING)
    value = float(t.sum() / n.sum())
    if groups < 2:
        return Estimate(value, n=groups)
    rest = t - value * n
    se = math.sqrt(groups / (groups - 1) * float((rest**2).sum())) / float(n.sum())
    half = float(special.stdtrit(groups - 1, 0.5 + confidence / 2)) * se
    return Estimate(value, max(0.0, value - half), value + half, groups)

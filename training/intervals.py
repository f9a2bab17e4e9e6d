"""Means with 95 % intervals when observations come in clusters (pure numpy).

Samples of one prompt, and prompts about one fact, resemble each other: treating them as
independent makes an interval several times too narrow. Here the cluster is the unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit


@dataclass(frozen=True)
class Estimate:
    """A mean, its 95 % interval (null with fewer than two clusters), and what it rests on."""

    mean: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int


def clustered_mean(
    values: Sequence[float] | np.ndarray[Any, Any], clusters: Sequence[Any]
) -> Estimate:
    """The mean of values [N] with an interval by clusters [N], clipped to [0, 1].

    Linearised ratio estimator: with cluster sums s_g, sizes n_g and mean m,
    se^2 = G/(G-1) * sum (s_g - n_g m)^2 / N^2, t quantile with G - 1 degrees of freedom.
    """
    array = np.asarray(values, dtype=float)
    if not len(array):
        return Estimate(None, None, None, 0, 0)
    names = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    index = np.array([names[name] for name in clusters])
    mean = float(array.mean())
    if len(names) < 2:
        return Estimate(mean, None, None, len(array), len(names))
    residuals = np.bincount(index, weights=array - mean)
    count = len(names)
    error = float(np.sqrt(count / (count - 1) * (residuals**2).sum()) / len(array))
    reach = float(stdtrit(count - 1, 0.975)) * error
    return Estimate(mean, max(0.0, mean - reach), min(1.0, mean + reach), len(array), count)

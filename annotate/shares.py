"""Shares with their exact 95 % intervals, and how little a small number of labels can show"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scipy import special


@dataclass(frozen=True)
class Share:
    """A share of n with its 95 % interval."""

    share: float | None
    low: float
    high: float
    n: int
    p: float = math.nan

    @property
    def is_exact(self) -> bool:
        """Whether it is of one rater, with the p that it is one half."""
        return self.n > 0 and math.isfinite(self.p)


def binomial(successes: int, n: int) -> Share:
    """A share with the exact (Clopper-Pearson) interval and the exact p that it is one half."""
    if n == 0:
        return Share(None, 0.0, 1.0, 0)
    k, misses = successes, n - successes
    low = float(special.betaincinv(k, misses + 1, 0.025)) if k else 0.0
    high = float(special.betaincinv(k + 1, misses, 0.975)) if misses else 1.0
    p = min(1.0, 2 * float(special.bdtr(min(k, misses), n, 0.5)))
    return Share(k / n, low, high, n, p)


def certainty(n: int) -> dict[str, Any] | None:
    """How little n labels can show: the exact interval of a share when half of n say so. None
    from a thousand on, when it is within three points."""
    if not 0 < n < 1000:
        return None
    half = binomial(n // 2, n)
    return {
        "n": n,
        "little": n < 200,
        "low": half.low,
        "high": half.high,
        "points": (half.high - half.low) / 2,
    }

"""A figure with its interval, or the sentence that says why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_runtime.phrases import phrase

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]  # 0 .. size - 1
Ratings = NDArray[Any]  # counts, or codes

NOBODY_TWICE = phrase("No item was judged by two raters.")
ALL_THE_SAME = phrase(
    "Everybody gave one and the same answer: how far that is beyond chance cannot be told."
)


@dataclass(frozen=True)
class Estimate:
    """``value`` with its 95 % interval over ``n`` independent clusters. Where the data give
    none, value is None and ``undefined`` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    undefined: str = ""

    @property
    def is_defined(self) -> bool:
        return self.value is not None


def undefined(why: str, n: int = 0) -> Estimate:
    return Estimate(None, n=n, undefined=why)


def codes_of(values: Any) -> tuple[Codes, list[Any]]:
    """Values numbered 0.. in the order in which they first come, and the values by number."""
    numbers: dict[Any, int] = {}
    found = [numbers.setdefault(value, len(numbers)) for value in values]
    return np.array(found, dtype=np.int64), list(numbers)

"""The mean of what several people did, with an interval over them."""

from __future__ import annotations

import numpy as np
import pytest

from labeling.statistics.ratios import NOTHING, ratio


def test_by_hand() -> None:
    """R = 80/6; rests 20 - 26.67 = -6.67 and 60 - 53.33 = 6.67; se = √(2 · 88.89) / 6 = 2.222;
    t of one degree at 97.5 % is 12.706."""
    found = ratio([20, 60], [2, 4])
    assert found.value == pytest.approx(80 / 6)
    assert found.low == 0.0  # below nothing there is nothing
    assert found.high == pytest.approx(80 / 6 + 12.706 * 2.2222, abs=0.01)


def test_nobody_and_one() -> None:
    assert (ratio([], []).value, ratio([0], [0]).undefined) == (None, NOTHING)
    alone = ratio([30], [3])
    assert (alone.value, alone.low, alone.high, alone.n) == (10.0, None, None, 1)


def test_the_interval_covers_what_was_planted() -> None:
    """Twenty people with means of their own around 12 s, 400 times."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        means = rng.gamma(9, 12 / 9, size=20)
        counts = rng.integers(20, 60, size=20)
        totals = np.array(
            [rng.exponential(m, n).sum() for m, n in zip(means, counts, strict=True)]
        )
        found = ratio(totals, counts)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 12 <= found.high
    assert 0.91 <= covered / 400 <= 0.98

"""The exact binomial figures of side bias, against scipy.stats (too heavy for a web worker)."""

from __future__ import annotations

import pytest
from scipy import stats

from annotate.shares import binomial


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (5, 5), (7, 24), (12, 24), (81, 263)])
def test_share_interval_and_p_are_exact(successes: int, n: int) -> None:
    expected = stats.binomtest(successes, n, 0.5)
    interval = expected.proportion_ci(0.95, method="exact")
    share = binomial(successes, n)
    assert (share.low, share.high) == pytest.approx((interval.low, interval.high), abs=1e-9)
    assert share.p == pytest.approx(expected.pvalue, abs=1e-9)


def test_nothing_counted_says_nothing() -> None:
    share = binomial(0, 0)
    assert (share.share, share.low, share.high) == (None, 0.0, 1.0)

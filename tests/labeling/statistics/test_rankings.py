"""Agreement of rankings with ties equals scipy's tau-b and the textbook's W."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from labeling.statistics.estimates import NOBODY_TWICE
from labeling.statistics.rankings import ALL_TIED, TOO_FEW, kendall_w, tau_b


@pytest.mark.parametrize("seed", range(20))
def test_tau_b_equals_scipys(seed):
    one, other = np.random.default_rng(seed).integers(0, 4, (2, 7))
    assert tau_b(one, other).value == pytest.approx(stats.kendalltau(one, other).statistic)


@pytest.mark.parametrize("seed", range(20))
def test_w_is_the_friedman_statistic_over_its_greatest(seed):
    """W = chi^2 / (m (n - 1)), with ties in both."""
    rankings = np.random.default_rng(seed).integers(0, 5, (4, 6)).astype(float)
    chi2 = stats.friedmanchisquare(*rankings.T).statistic
    assert kendall_w(rankings).value == pytest.approx(chi2 / (4 * 5))


def test_alike_is_1_and_reversed_is_0():
    up = np.arange(5.0)
    assert kendall_w(np.array([up, up, up])).value == pytest.approx(1)
    assert kendall_w(np.array([up, up[::-1]])).value == pytest.approx(0)
    assert tau_b(up, up[::-1]).value == pytest.approx(-1)


def test_what_rankings_cannot_say_is_said():
    assert kendall_w(np.ones((1, 3))).undefined == NOBODY_TWICE
    assert kendall_w(np.ones((2, 1))).undefined == TOO_FEW
    assert kendall_w(np.ones((2, 3))).undefined == ALL_TIED
    assert tau_b([1, 1], [1, 2]).undefined == ALL_TIED
    assert tau_b([1], [1]).undefined == TOO_FEW

"""A side that is preferred, a length that is preferred: exact tests and honest intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from labeling.statistics.biases import (
    NO_CHOICE,
    NO_SPREAD,
    SEPARATED,
    binomial,
    length_effect,
)


@pytest.mark.parametrize(
    ("k", "n", "p"), [(13, 20, 0.5), (0, 9, 0.5), (20, 20, 0.5), (3, 40, 0.2)]
)
def test_the_binomial_test_equals_scipys(k, n, p):
    found, theirs = binomial(k, n, p), stats.binomtest(k, n, p)
    assert found.p == pytest.approx(theirs.pvalue)
    low, high = theirs.proportion_ci(method="exact")
    assert (found.share.low, found.share.high) == pytest.approx((low, high))


def test_a_planted_length_bias_is_found():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(200):
        x = rng.normal(size=400)
        y = rng.random(400) < 1 / (1 + np.exp(-0.7 * x))
        found = length_effect(x, y)
        hits += found.low <= 0.7 <= found.high
    assert 0.91 <= hits / 200 <= 0.985


def test_exchanging_the_texts_of_any_pair_changes_nothing():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=50), rng.random(50) < 0.6
    turn = rng.random(50) < 0.5
    one = length_effect(x, y)
    other = length_effect(np.where(turn, -x, x), np.where(turn, ~y, y))
    assert (one.value, one.low) == pytest.approx((other.value, other.low))


def test_rows_of_one_rater_are_no_independent_evidence():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=60), rng.random(60) < 0.5
    alone = length_effect(x, y)
    tenfold = length_effect(np.tile(x, 10), np.tile(y, 10), np.tile(np.arange(60), 10))
    assert tenfold.high - tenfold.low == pytest.approx(alone.high - alone.low, rel=0.05)


def test_what_cannot_be_said_is_said():
    assert binomial(0, 0).share.undefined == NO_CHOICE
    assert length_effect(np.array([]), np.array([])).undefined == NO_CHOICE
    assert length_effect(np.zeros(3), np.ones(3)).undefined == NO_SPREAD
    assert length_effect(np.array([1.0, -2.0]), np.array([1, 0])).undefined == SEPARATED

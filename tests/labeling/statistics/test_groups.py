"""Groups of raters: published and brute-force figures, planted differences, and none where there
are none."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from labeling.statistics import groups
from labeling.statistics.estimates import Floats


def test_holm_as_published() -> None:
    """The example of Wright (1992), as R's p.adjust gives it; a missing test counts for none."""
    assert groups.holm([0.01, 0.04, None, 0.03, 0.005]) == pytest.approx(
        [0.03, 0.06, None, 0.06, 0.02]
    )
    assert groups.holm([0.5, 0.9]) == [1.0, 1.0]
    assert groups.holm([]) == []


def test_fisher_s_tea() -> None:
    assert groups.fisher_exact(3, 1, 1, 3) == pytest.approx(0.4857, abs=1e-4)
    rng = np.random.default_rng(3)
    for table in rng.integers(0, 9, size=(200, 4)):
        a, b, c, d = map(int, table)
        expected = stats.fisher_exact([[a, b], [c, d]]).pvalue
        assert groups.fisher_exact(a, b, c, d) == pytest.approx(expected, rel=1e-6)


def test_the_p_value_is_that_of_every_exchange_of_raters() -> None:
    """scipy's permutation test of the same statistic, all exchanges."""
    rng = np.random.default_rng(5)
    totals = rng.integers(5, 30, size=10).astype(float)
    counts = rng.binomial(totals.astype(int), 0.4).astype(float)
    inside = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])

    def apart(places: Floats, others: Floats) -> float:
        one, other = places.astype(int), others.astype(int)
        return abs(
            counts[one].sum() / totals[one].sum() - counts[other].sum() / totals[other].sum()
        )

    expected = stats.permutation_test(
        (np.arange(4), np.arange(4, 10)), apart, alternative="greater", vectorized=False
    )
    found, p = groups.shares(counts, totals, inside)
    assert abs(found.value or 0) == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue)


def test_agreement_within_and_across_by_brute_force() -> None:
    rng = np.random.default_rng(11)
    size = 7
    judged = np.triu(rng.integers(1, 9, size=(size, size)), 1).astype(float)
    agree = np.floor(judged * rng.random((size, size)))
    inside = [0, 2, 4]
    pairs = list(combinations(range(size), 2))
    within = [pair for pair in pairs if set(pair) <= set(inside)]
    across = [pair for pair in pairs if len(set(pair) & set(inside)) == 1]

    def share(chosen: list[tuple[int, int]]) -> float:
        return sum(agree[pair] for pair in chosen) / sum(judged[pair] for pair in chosen)

    member = np.isin(np.arange(size), inside).astype(np.int64)
    one, other, apart, p = groups.agreement(agree + agree.T, judged + judged.T, member)
    assert one.value == pytest.approx(share(within))
    assert other.value == pytest.approx(share(across))
    assert apart.value == pytest.approx(share(within) - share(across))
    assert p is not None
    assert 1 / 35 <= p <= 1


def test_too_few_on_a_side_is_said() -> None:
    ones = np.ones(6)
    found, p = groups.shares(ones, ones * 2, np.array([1, 1, 0, 0, 0, 0]))
    assert (found.value, found.undefined, p) == (None, groups.FEW_INSIDE, None)
    found, p = groups.shares(ones, ones * 2, np.array([1, 1, 1, 1, 0, 0]))
    assert found.undefined == groups.FEW_OUTSIDE
    nobody, _across, _apart, p = groups.agreement(np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0))
    assert (nobody.undefined, p) == (groups.FEW_INSIDE, None)
    empty = np.zeros((6, 6))
    within, _across, _apart, p = groups.agreement(empty, empty, np.array([1, 1, 1, 0, 0, 0]))
    assert (within.undefined, p) == (groups.NO_PAIRS, None)


@pytest.mark.parametrize(("planted", "least", "most"), [(0.0, 0.0, 0.09), (0.25, 0.85, 1.0)])
def test_a_difference_is_found_where_one_was_planted(
    planted: float, least: float, most: float
) -> None:
    """Sixteen raters who lean by themselves, 200 times: answers of one rater are alike, so a test
    that took them for independent would err far above one in twenty."""
    rng = np.random.default_rng(17)
    inside = np.repeat([1, 0], 8)
    found = covered = 0
    for _ in range(200):
        totals = rng.integers(20, 60, size=16)
        own = rng.beta(12, 12, size=16) * (1 - planted) + planted * inside
        counts = rng.binomial(totals, own).astype(float)
        one, p = groups.shares(counts, totals.astype(float), inside)
        assert p is not None
        assert one.low is not None
        assert one.high is not None
        found += p < 0.05
        truth = 0.5 * (1 - planted) + planted - 0.5 * (1 - planted)
        covered += one.low <= truth <= one.high
    assert least <= found / 200 <= most
    assert covered / 200 >= 0.91

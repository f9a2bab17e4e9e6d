"""Coefficients of two raters, one pair and many: as by hand, as chance.py's, and over raters."""

from __future__ import annotations

import numpy as np
import pytest

from labeling.statistics import by_pairs, chance
from labeling.statistics.chance import CohenKappa, ScottPi
from labeling.statistics.estimates import ALL_THE_SAME, NOBODY_TWICE


def two(seed: int = 0, n: int = 200) -> np.ndarray:
    rng = np.random.default_rng(seed)
    one = rng.integers(0, 3, n)
    return np.column_stack([one, np.where(rng.random(n) < 0.6, one, rng.integers(0, 3, n))])


def met(table: np.ndarray) -> by_pairs.Meetings:
    """Of a table (items, raters), -1 where somebody did not rate."""
    items, raters = np.nonzero(table >= 0)
    return by_pairs.meetings(items, raters, table[items, raters], items)


@pytest.mark.parametrize("weighting", ["identity", "linear", "quadratic"])
def test_of_two_raters_it_is_the_coefficient_itself(weighting):
    table = two()
    found = by_pairs.mean(met(table), 3, pooled=False, weighting=weighting, mirrored=False)
    assert found.value.value == pytest.approx(
        chance.estimate(CohenKappa(3, weighting), table).value
    )
    pooled = by_pairs.mean(met(table), 3, pooled=True, mirrored=False)
    assert pooled.value.value == pytest.approx(chance.estimate(ScottPi(3), table).value)


def test_of_three_it_is_the_mean_by_items_in_common():
    table = np.column_stack([two(1), two(2)[:, 0]])
    table[120:, 2] = -1
    found = by_pairs.mean(met(table), 3, pooled=False, mirrored=False)
    each = [(0, 1, 200), (0, 2, 120), (1, 2, 120)]
    values = [chance.estimate(CohenKappa(3), table[:n][:, [a, b]]).value for a, b, n in each]
    assert found.value.value == pytest.approx(np.average(values, weights=[200, 120, 120]))
    assert (found.pairs, found.met) == (3, 3)
    assert found.alike is not None
    assert found.value.low < found.value.value < found.value.high


def test_exchanging_the_two_completions_of_some_items_changes_nothing():
    table = two(3)
    turned = table.copy()
    turned[::2] = 2 - turned[::2]
    values = [by_pairs.mean(met(one), 3, pooled=False, mirrored=True) for one in (table, turned)]
    assert values[0].value.value == pytest.approx(values[1].value.value)


def test_what_cannot_be_said_is_said():
    alone = np.column_stack([np.zeros(5, dtype=int), np.full(5, -1)])
    assert (
        by_pairs.mean(met(alone), 2, pooled=False, mirrored=False).value.undefined == NOBODY_TWICE
    )
    alike = np.zeros((5, 2), dtype=int)
    assert (
        by_pairs.mean(met(alike), 2, pooled=True, mirrored=False).value.undefined == ALL_THE_SAME
    )
    assert by_pairs.mean(met(two()), 3, pooled=True, mirrored=False).alike is None

"""Chance-corrected agreement equals what the papers print, and what their libraries say."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest

from labeling.statistics.chance import (
    CohenKappa,
    FleissKappa,
    GwetAC,
    KrippendorffAlpha,
    Mirrored,
    PercentAgreement,
    ScottPi,
    agreement_weights,
    counts,
    estimate,
)
from labeling.statistics.estimates import ALL_THE_SAME, NOBODY_TWICE, codes_of
from tests.labeling.statistics import published

LEVELS = ("nominal", "ordinal", "interval", "ratio")


def table_of(by_rater: np.ndarray, missing: object = None) -> tuple[np.ndarray, list]:
    """(items, categories) of a matrix (raters, items), and the categories in order."""
    values = sorted(set(by_rater.ravel().tolist()) - {missing})
    columns = [(by_rater == value).sum(axis=0) for value in values]
    return np.stack(columns, axis=1).astype(float), values


def each(cells: np.ndarray) -> np.ndarray:
    """The pairs (n, 2) that a table of two raters counts."""
    places = [(i, j) for i in range(len(cells)) for j in range(len(cells))]
    return np.repeat(places, cells.ravel(), axis=0)


@pytest.mark.parametrize(
    ("level", "printed"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_krippendorffs_example_c(level, printed):
    table, values = table_of(published.EXAMPLE_C, missing=0)
    assert round(estimate(KrippendorffAlpha(level, values), table).value, 3) == printed


def test_krippendorffs_examples_of_two_observers():
    for example, printed in ((published.EXAMPLE_A, 0.095), (published.EXAMPLE_B, 0.692)):
        table, values = table_of(example)
        found = estimate(KrippendorffAlpha("nominal", range(len(values))), table)
        assert round(found.value, 3) == printed


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", range(5))
def test_alpha_equals_the_library(level, seed):
    rng = np.random.default_rng(seed)
    by_rater = rng.integers(1, 6, (4, 40)).astype(float)
    by_rater[rng.random(by_rater.shape) < 0.3] = np.nan
    table = np.stack([(by_rater == v).sum(axis=0) for v in range(1, 6)], axis=1).astype(float)
    ours = estimate(KrippendorffAlpha(level, range(1, 6)), table, draws=10).value
    theirs = krippendorff.alpha(by_rater, level_of_measurement=level, value_domain=range(1, 6))
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_fleiss_textbook_kappa():
    assert round(estimate(FleissKappa(), published.FLEISS).value, 4) == 0.2099


def test_cohens_kappa():
    found = estimate(CohenKappa(2), each(np.array([[20, 5], [10, 15]])))
    assert round(found.value, 3) == 0.400


def test_weighted_kappa_is_one_less_weighted_disagreement_over_what_chance_gives():
    cells = np.array([[10, 4, 1], [6, 16, 2], [0, 3, 8]])
    shares, n = cells / cells.sum(), 3
    expected = np.outer(shares.sum(axis=1), shares.sum(axis=0))
    for weighting, power in (("linear", 1), ("quadratic", 2)):
        apart = [[abs(i - j) ** power for j in range(n)] for i in range(n)]
        wanted = 1 - (apart * shares).sum() / (apart * expected).sum()
        assert estimate(CohenKappa(n, weighting), each(cells)).value == pytest.approx(wanted)


def test_gwets_paradox():
    """Nearly all agree that nearly all is of one kind: kappa and pi fall below 0, AC1 does not."""
    pairs = each(published.PARADOX)
    table = np.stack([(pairs == value).sum(axis=1) for value in range(2)], axis=1)
    assert round(estimate(PercentAgreement(), table).value, 3) == 0.944
    assert round(estimate(CohenKappa(2), pairs).value, 3) == -0.023
    assert round(estimate(ScottPi(2), pairs).value, 3) == -0.029
    assert round(estimate(GwetAC(2), table).value, 3) == 0.941


def test_ac2_counts_near_misses_pair_by_pair():
    rng = np.random.default_rng(0)
    ratings = rng.integers(0, 4, (30, 3))
    weights = agreement_weights(4, "quadratic")
    near = np.mean([[weights[a, b] for a, b in ((x, y), (x, z), (y, z))] for x, y, z in ratings])
    shares = np.bincount(ratings.ravel(), minlength=4) / ratings.size
    by_chance = weights.sum() / 12 * (shares * (1 - shares)).sum()
    table = counts(np.repeat(np.arange(30), 3), ratings.ravel(), 4)
    wanted = (near - by_chance) / (1 - by_chance)
    assert estimate(GwetAC(4, "quadratic"), table).value == pytest.approx(wanted)


def test_two_raters_give_fleiss_and_scott_the_same():
    rng = np.random.default_rng(1)
    pairs = rng.integers(0, 3, (50, 2))
    table = np.stack([(pairs == value).sum(axis=1) for value in range(3)], axis=1)
    assert estimate(FleissKappa(), table).value == pytest.approx(estimate(ScottPi(3), pairs).value)


@pytest.mark.parametrize(
    "coefficient",
    [FleissKappa(), GwetAC(3, "linear"), PercentAgreement()]
    + [KrippendorffAlpha(level, (1, 2, 3)) for level in LEVELS],
)
def test_what_holds_of_every_coefficient(coefficient):
    """Permuted items and raters change nothing (a table knows no raters); perfect is 1."""
    rng = np.random.default_rng(2)
    table = rng.multinomial(4, (0.5, 0.3, 0.2), size=60)
    value = estimate(coefficient, table, draws=10).value
    assert estimate(coefficient, rng.permutation(table), draws=10).value == pytest.approx(value)
    assert estimate(coefficient, np.eye(3) * 4, draws=10).value == pytest.approx(1)


@pytest.mark.parametrize(
    "coefficient", [FleissKappa(), GwetAC(5), KrippendorffAlpha("ordinal", range(5))]
)
def test_which_completion_is_the_one_changes_nothing_of_a_mirrored_coefficient(coefficient):
    table = np.random.default_rng(3).multinomial(3, (0.4, 0.2, 0.1, 0.2, 0.1), size=50)
    turned = table.copy()
    turned[::2] = turned[::2, ::-1]
    mirrored = Mirrored(coefficient)
    one, other = (estimate(mirrored, t, draws=10).value for t in (table, turned))
    assert one == pytest.approx(other)
    assert estimate(coefficient, turned, draws=10).value != pytest.approx(one)


@pytest.mark.parametrize(
    "coefficient", [FleissKappa(), GwetAC(2), KrippendorffAlpha("nominal", (0, 1))]
)
def test_what_the_data_cannot_give_is_said(coefficient):
    once, alike = np.array([[1, 0], [0, 1]]), np.array([[2, 0], [3, 0]])
    none = np.zeros((0, 2))
    for table, why in ((once, NOBODY_TWICE), (alike, ALL_THE_SAME), (none, NOBODY_TWICE)):
        found = estimate(coefficient, table)
        assert (found.value, found.low, found.undefined) == (None, None, why)


def test_two_raters_of_one_answer_have_no_kappa():
    for coefficient in (CohenKappa(2), ScottPi(2)):
        assert estimate(coefficient, np.zeros((5, 2), dtype=int)).undefined == ALL_THE_SAME


def test_the_interval_knows_clusters():
    """Each item ten times over, under one prompt: no wider knowledge than of it once."""
    table = np.random.default_rng(4).multinomial(3, (0.6, 0.4), size=80)
    once = estimate(FleissKappa(), table)
    tenfold, prompts = np.repeat(table, 10, axis=0), np.repeat(np.arange(80), 10)
    clustered = estimate(FleissKappa(), tenfold, prompts)
    blind = estimate(FleissKappa(), tenfold)
    assert clustered.n == 80
    assert clustered.high - clustered.low == pytest.approx(once.high - once.low, rel=0.15)
    assert blind.high - blind.low < 0.5 * (once.high - once.low)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Two hundred samples of 150 items from one known population."""
    rng, chances = np.random.default_rng(5), np.array([[0.8, 0.2], [0.3, 0.7]])
    everything = rng.multinomial(3, chances[rng.integers(0, 2, 100_000)])
    truth = estimate(FleissKappa(), everything, draws=2).value
    hits = 0
    for seed in range(200):
        table = rng.multinomial(3, chances[rng.integers(0, 2, 150)])
        found = estimate(FleissKappa(), table, draws=300, seed=seed)
        hits += found.low <= truth <= found.high
    assert 0.9 <= hits / 200 <= 0.985


def test_where_every_draw_is_alike_there_is_no_interval():
    """Perfect agreement on five items is no proof of perfect raters."""
    found = estimate(PercentAgreement(), np.array([[2, 0], [0, 2], [2, 0], [0, 2], [2, 0]]))
    assert (found.value, found.low, found.high) == (1, None, None)


def test_values_are_numbered_as_they_come():
    codes, values = codes_of("babc")
    assert (codes.tolist(), values) == ([0, 1, 0, 2], ["b", "a", "c"])

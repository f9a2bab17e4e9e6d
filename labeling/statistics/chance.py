"""Agreement corrected for chance: Cohen's, Scott's and Fleiss' coefficients, Gwet's AC1 and AC2,
Krippendorff's alpha.

Every coefficient here is a function of sums over items. ``sums`` gives what each item adds, of
shape (items, d), and ``value`` the coefficient of such sums, of shape (..., d): so that one
function serves the figure, every draw of its bootstrap and every subset of the items.

Ratings come as a table of counts, shape (items, categories): how many raters put the item into
the category. Items of one rating say nothing about agreement. The two coefficients that know who
said what take pairs instead, shape (items, 2), one column a rater.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from labeling.statistics.estimates import (
    ALL_THE_SAME,
    NOBODY_TWICE,
    Codes,
    Estimate,
    Floats,
    Ratings,
    undefined,
)

Level = Literal["nominal", "ordinal", "interval", "ratio"]
Weighting = Literal["identity", "linear", "quadratic"]
DRAWS = 1000
BLOCK = 50  # draws of the bootstrap that are held at a time
AT_ONCE = 20_000  # items whose sums are held at a time


class Coefficient(Protocol):
    def sums(self, ratings: Ratings) -> Floats: ...
    def value(self, sums: Floats) -> Floats: ...
    def why_not(self, sums: Floats) -> str: ...


def estimate(
    coefficient: Coefficient,
    ratings: Ratings,
    clusters: Codes | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """The coefficient with the percentile interval of a bootstrap over clusters (items of one
    prompt, say; each item its own when None). No interval from fewer than two clusters."""
    ratings = np.asarray(ratings)
    if not len(ratings):
        return undefined(NOBODY_TWICE)
    each, many = _by_cluster(coefficient, ratings, clusters)
    total, n = many @ each, int(many.sum())
    if why := coefficient.why_not(total):
        return undefined(why, n)
    value = float(coefficient.value(total))
    if n < 2:
        return Estimate(value, n=n)
    rng, shares = np.random.default_rng(seed), many / n
    blocks = [min(BLOCK, draws - start) for start in range(0, draws, BLOCK)]
    drawn = (rng.multinomial(n, shares, size=block).astype(float) for block in blocks)
    found = np.concatenate([coefficient.value(times @ each) for times in drawn])
    found = found[np.isfinite(found)]
    # Most draws lost all that disagreed, or there was nothing to lose: they say nothing.
    if len(found) < draws / 2 or np.ptp(found) == 0:
        return Estimate(value, n=n)
    low, high = np.quantile(found, (0.025, 0.975))
    return Estimate(value, float(low), float(high), n)


def _by_cluster(
    coefficient: Coefficient, ratings: Ratings, clusters: Codes | None
) -> tuple[Floats, Codes]:
    """What each kind of cluster adds, and how many there are of it. Clusters that add the same
    are drawn together, so that a million items of a few kinds cost as little as the kinds."""
    if clusters is None:
        rows, many = np.unique(ratings, axis=0, return_counts=True)
        return coefficient.sums(rows), many
    _, place = np.unique(clusters, return_inverse=True)
    width = coefficient.sums(ratings[:1]).shape[1]
    total = np.zeros((int(place.max()) + 1, width))
    for start in range(0, len(ratings), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        np.add.at(total, place[part], coefficient.sums(ratings[part]))
    return np.unique(total, axis=0, return_counts=True)


@dataclass(frozen=True)
class PercentAgreement:
    """The share of pairs of raters of an item who gave the same answer, mean over items."""

    def sums(self, ratings: Ratings) -> Floats:
        table = np.asarray(ratings, dtype=float)
        given = table.sum(axis=1)
        pairs = given * (given - 1)
        same = (table * (table - 1)).sum(axis=1)
        judged = given > 1
        share = _divided(same, pairs, empty=0.0)
        return np.column_stack([share, judged])

    def value(self, sums: Floats) -> Floats:
        return _divided(sums[..., 0], sums[..., 1])

    def why_not(self, sums: Floats) -> str:
        return "" if sums[1] else NOBODY_TWICE


@dataclass(frozen=True)
class FleissKappa:
    """Fleiss (1971): (p_a - p_e) / (1 - p_e), p_e the sum of squared shares of the categories.

    Items may have different numbers of raters: p_a is over those of two or more, and the shares
    are means over all items, each weighing one (Gwet 2014, section 2.5); with equal numbers this
    is Fleiss' own formula. Two raters give Scott's pi.
    """

    def sums(self, ratings: Ratings) -> Floats:
        table = np.asarray(ratings, dtype=float)
        given = table.sum(axis=1)
        shares = np.divide(
            table, given[:, None], out=np.zeros_like(table), where=given[:, None] > 0
        )
        return np.column_stack([PercentAgreement().sums(table), shares, given > 0])

    def value(self, sums: Floats) -> Floats:
        shares = _divided(sums[..., 2:-1], sums[..., -1:])
        by_chance = (shares**2).sum(axis=-1)
        return _divided(_divided(sums[..., 0], sums[..., 1]) - by_chance, 1 - by_chance)

    def why_not(self, sums: Floats) -> str:
        if not sums[1]:
            return NOBODY_TWICE
        return ALL_THE_SAME if np.count_nonzero(sums[2:-1]) < 2 else ""


@dataclass(frozen=True)
class GwetAC:
    """Gwet (2008) AC1, and AC2 with weights (Gwet 2014, table 2.9): chance agreement is that of
    raters who answer at random where an item is hard, T_w / (q (q - 1)) * sum p_k (1 - p_k) with
    T_w the sum of all weights and q the number of categories on offer, used or not. It does not
    fall where nearly all items are of one category, as the kappas do.
    """

    categories: int
    weighting: Weighting = "identity"

    def sums(self, ratings: Ratings) -> Floats:
        table = np.asarray(ratings, dtype=float)
        weights = agreement_weights(self.categories, self.weighting)
        given = table.sum(axis=1)
        judged = given > 1
        near = (table * (table @ weights - 1)).sum(axis=1)
        share = _divided(near, given * (given - 1), empty=0.0)
        shares = np.divide(
            table, given[:, None], out=np.zeros_like(table), where=given[:, None] > 0
        )
        return np.column_stack([share, judged, shares, given > 0])

    def value(self, sums: Floats) -> Floats:
        shares = _divided(sums[..., 2:-1], sums[..., -1:])
        weights = agreement_weights(self.categories, self.weighting)
        spread = weights.sum() / (self.categories * (self.categories - 1))
        by_chance = spread * (shares * (1 - shares)).sum(axis=-1)
        return _divided(_divided(sums[..., 0], sums[..., 1]) - by_chance, 1 - by_chance)

    def why_not(self, sums: Floats) -> str:
        if not sums[1]:
            return NOBODY_TWICE
        return ALL_THE_SAME if np.count_nonzero(sums[2:-1]) < 2 else ""


@dataclass(frozen=True)
class KrippendorffAlpha:
    """Krippendorff (2011), Computing Krippendorff's Alpha-Reliability: 1 - D_o / D_e on the
    coincidences of values within items, any number of raters, values missing.

    ``values`` are the numbers that the categories stand for, in ascending order; nominal and
    ordinal differences do not look at them. An item of m ratings adds each ordered pair of its
    ratings 1 / (m - 1) times.
    """

    level: Level
    values: Sequence[float]

    def sums(self, ratings: Ratings) -> Floats:
        table = np.asarray(ratings, dtype=float)
        given = table.sum(axis=1)
        pairs = table[:, :, None] * table[:, None, :]
        size = table.shape[1]
        pairs[:, range(size), range(size)] -= table
        scale = np.where(given > 1, _divided(1.0, given - 1, empty=0.0), 0.0)
        coincidences: Floats = (pairs * scale[:, None, None]).reshape(len(table), -1)
        return coincidences

    def value(self, sums: Floats) -> Floats:
        size = len(self.values)
        pairs = sums.reshape(*sums.shape[:-1], size, size)
        totals = pairs.sum(axis=-1)
        apart = self._apart(totals)
        n = totals.sum(axis=-1)
        observed = (pairs * apart).sum(axis=(-1, -2))
        expected = (totals[..., :, None] * totals[..., None, :] * apart).sum(axis=(-1, -2))
        return 1 - _divided((n - 1) * observed, expected)

    def why_not(self, sums: Floats) -> str:
        if not sums.any():
            return NOBODY_TWICE
        size = len(self.values)
        used = sums.reshape(size, size).sum(axis=0) > 0
        return ALL_THE_SAME if used.sum() < 2 else ""

    def _apart(self, totals: Floats) -> Floats:
        """Squared differences of categories, shape (..., size, size)."""
        if self.level == "nominal":
            return 1 - np.eye(len(self.values))
        if self.level == "ordinal":  # the ranks between two categories, half of each end
            upto = np.cumsum(totals, axis=-1) - totals / 2
            return (upto[..., :, None] - upto[..., None, :]) ** 2
        values = np.asarray(self.values, dtype=float)
        apart = values[:, None] - values[None, :]
        if self.level == "ratio":
            apart = _divided(apart, values[:, None] + values[None, :], empty=0.0)
        return apart**2


@dataclass(frozen=True)
class CohenKappa:
    """Cohen (1960; weighted 1968): two raters, each with shares of their own. Weights are of
    disagreement: 1 - linear or quadratic agreement."""

    categories: int
    weighting: Weighting = "identity"

    def sums(self, ratings: Ratings) -> Floats:
        return _met(ratings, self.categories)

    def value(self, sums: Floats) -> Floats:
        met = _shares(sums, self.categories)
        mine, theirs = met.sum(axis=-1), met.sum(axis=-2)
        return _beyond(met, mine[..., :, None] * theirs[..., None, :], self.weighting)

    def why_not(self, sums: Floats) -> str:
        return _why_no_pairs(sums, self.categories)


@dataclass(frozen=True)
class ScottPi:
    """Scott (1955): two raters who share one distribution over the categories."""

    categories: int

    def sums(self, ratings: Ratings) -> Floats:
        return _met(ratings, self.categories)

    def value(self, sums: Floats) -> Floats:
        met = _shares(sums, self.categories)
        pooled = (met.sum(axis=-1) + met.sum(axis=-2)) / 2
        return _beyond(met, pooled[..., :, None] * pooled[..., None, :], "identity")

    def why_not(self, sums: Floats) -> str:
        return _why_no_pairs(sums, self.categories)


@dataclass(frozen=True)
class Mirrored:
    """A coefficient of comparisons: categories from "the one, by far" to "the other, by far".

    Which completion is the one is the accident of an id. Each item counts half as it is and half
    with its categories reversed, so that exchanging the two changes nothing."""

    of: FleissKappa | GwetAC | KrippendorffAlpha | PercentAgreement

    def sums(self, ratings: Ratings) -> Floats:
        table = np.asarray(ratings, dtype=float)
        return (self.of.sums(table) + self.of.sums(table[:, ::-1])) / 2

    def value(self, sums: Floats) -> Floats:
        return self.of.value(sums)

    def why_not(self, sums: Floats) -> str:
        return self.of.why_not(sums)


def counts(items: Codes, categories: Codes, size: int) -> Floats:
    """The table of ratings given one by one: shape (items, size)."""
    length = int(items.max()) + 1 if len(items) else 0
    flat = np.bincount(items * size + categories, minlength=length * size)
    return flat.reshape(length, size).astype(float)


def agreement_weights(categories: int, weighting: Weighting) -> Floats:
    """1 on the diagonal; linear or quadratic in the distance of categories off it.

    >>> agreement_weights(3, "linear")[0].tolist()
    [1.0, 0.5, 0.0]
    """
    if weighting == "identity" or categories < 2:
        return np.eye(categories)
    place = np.arange(categories)
    apart = np.abs(place[:, None] - place[None, :]) / (categories - 1)
    weights: Floats = 1 - apart ** (2 if weighting == "quadratic" else 1)
    return weights


def _met(pairs: Ratings, categories: int) -> Floats:
    """One-hot cells of the table of both raters: shape (items, categories ** 2)."""
    both = np.asarray(pairs, dtype=np.int64)
    cells = np.zeros((len(both), categories**2))
    cells[np.arange(len(both)), both[:, 0] * categories + both[:, 1]] = 1.0
    return cells


def _shares(sums: Floats, categories: int) -> Floats:
    met = sums.reshape(*sums.shape[:-1], categories, categories)
    shares: Floats = met / met.sum(axis=(-1, -2), keepdims=True)
    return shares


def _beyond(met: Floats, by_chance: Floats, weighting: Weighting) -> Floats:
    apart = 1 - agreement_weights(met.shape[-1], weighting)
    observed, expected = ((apart * table).sum(axis=(-1, -2)) for table in (met, by_chance))
    return 1 - _divided(observed, expected)


def _why_no_pairs(sums: Floats, categories: int) -> str:
    met = sums.reshape(categories, categories)
    if not met.any():
        return NOBODY_TWICE
    used = (met.sum(axis=0) > 0) | (met.sum(axis=1) > 0)
    return ALL_THE_SAME if used.sum() < 2 else ""


def _divided(above: Floats | float, below: Floats, empty: float = np.nan) -> Floats:
    above, below = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    return np.divide(above, below, out=np.full(below.shape, empty), where=below != 0)

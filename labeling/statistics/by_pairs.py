"""Agreement of raters two by two: Cohen's kappa and Scott's pi of every two, and their mean.

Both coefficients know two raters and no more. Of more, each two that met have a value, and the
figure is the mean of those, each weighing as many items as the two have in common (Light 1971,
who weighs all pairs alike; in a crowd some meet twice and others a thousand times).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeling.statistics.chance import Weighting, agreement_weights
from labeling.statistics.estimates import (
    ALL_THE_SAME,
    NOBODY_TWICE,
    Codes,
    Estimate,
    Floats,
    undefined,
)

CELLS = 60_000  # of all tables together: of more pairs of raters, those that met most often
BLOCKS = 64  # of prompts, which a draw takes whole
DRAWS = 400
FEWEST = 3  # raters from whom something is said of others
SEED = 20_261_122


@dataclass(frozen=True)
class Meetings:
    """Every two ratings of one item by different raters: arrays of as many. ``one`` and ``other``
    are places of raters, ``one`` the lower; ``mine`` and ``theirs`` what the two said."""

    one: Codes
    other: Codes
    mine: Codes
    theirs: Codes
    prompts: Codes

    def __len__(self) -> int:
        return len(self.one)


@dataclass(frozen=True)
class OfPairs:
    """A mean over pairs of raters: its interval for these raters (a bootstrap over prompts), the
    one for raters like these (a bootstrap over raters, in which nobody meets themselves), and of
    how many pairs it is, of how many that met."""

    value: Estimate
    alike: tuple[float, float] | None
    pairs: int
    met: int


def meetings(items: Codes, raters: Codes, codes: Codes, prompts: Codes) -> Meetings:
    """Of ratings given one by one; ``prompts`` has an entry a rating, too."""
    order = np.lexsort((raters, items))
    items, raters, codes, prompts = items[order], raters[order], codes[order], prompts[order]
    found = []
    # Neighbours at every distance: of an item that five judged, four at one, three at two.
    for apart in range(1, int(np.bincount(items).max()) if len(items) else 0):
        both = (items[apart:] == items[:-apart]) & (raters[apart:] != raters[:-apart])
        columns = (raters[:-apart], raters[apart:], codes[:-apart], codes[apart:], prompts[apart:])
        found.append([column[both] for column in columns])
    if not found:
        return Meetings(*(np.empty(0, dtype=np.int64) for _ in range(5)))
    return Meetings(*(np.concatenate(column) for column in zip(*found, strict=True)))


def mean(
    met: Meetings, size: int, *, pooled: bool, weighting: Weighting = "identity", mirrored: bool
) -> OfPairs:
    """Cohen's kappa (1960, weighted 1968), or with ``pooled`` shares Scott's pi (1955), as the
    mean over pairs of raters. ``mirrored``: which of two completions is the first category's is
    an accident, so each meeting counts half as it is and half turned round."""
    if not len(met):
        return OfPairs(undefined(NOBODY_TWICE), None, 0, 0)
    tables, ones, others, pairs = _tables(met, size)
    if mirrored:
        tables = (tables + tables[:, :, ::-1, ::-1]) / 2
    values, weights = _values(tables.sum(axis=0), pooled, weighting)
    told = np.isfinite(values)
    if not told.any():
        return OfPairs(undefined(ALL_THE_SAME), None, 0, pairs)
    value = float(np.average(values[told], weights=weights[told]))
    low, high = _over_prompts(tables, pooled, weighting)
    alike = over_raters(values[told], weights[told], ones[told], others[told])
    return OfPairs(Estimate(value, low, high, int(weights.sum())), alike, int(told.sum()), pairs)


def over_raters(
    values: Floats, weights: Floats, ones: Codes, others: Codes
) -> tuple[float, float] | None:
    """The 95 % percentile interval of the mean of ``values`` of pairs of raters when raters are
    drawn anew. Who is drawn twice does not meet themselves: that would be agreement by design.
    None of fewer than three raters."""
    people, places = np.unique(np.concatenate([ones, others]), return_inverse=True)
    if len(people) < FEWEST:
        return None
    keys, pair = np.unique(
        places[: len(ones)] * len(people) + places[len(ones) :], return_inverse=True
    )
    below = np.bincount(pair, weights)
    above = np.bincount(pair, weights * values)
    one, other = keys // len(people), keys % len(people)
    rng = np.random.default_rng(SEED)
    shares = np.full(len(people), 1 / len(people))
    times = rng.multinomial(len(people), shares, size=DRAWS).astype(float)
    both = times[:, one] * times[:, other]
    return _ends(both @ above, both @ below)


def _tables(met: Meetings, size: int) -> tuple[Floats, Codes, Codes, int]:
    """(blocks, pairs, size, size) counts of what two said, the two of each pair, and how many
    pairs met at all."""
    wide = int(met.other.max()) + 1
    keys, pair, often = np.unique(
        met.one * wide + met.other, return_inverse=True, return_counts=True
    )
    most = max(1, CELLS // size**2)
    kept = np.sort(np.argsort(-often, kind="stable")[:most])
    place = np.full(len(keys), -1)
    place[kept] = np.arange(len(kept))
    here = place[pair] >= 0
    block = np.unique(met.prompts, return_inverse=True)[1] % BLOCKS
    cells = ((block * len(kept) + place[pair]) * size + met.mine) * size + met.theirs
    blocks = int(block.max()) + 1
    flat = np.bincount(cells[here], minlength=blocks * len(kept) * size**2)
    tables = flat.reshape(blocks, len(kept), size, size).astype(float)
    return tables, keys[kept] // wide, keys[kept] % wide, len(keys)


def _values(tables: Floats, pooled: bool, weighting: Weighting) -> tuple[Floats, Floats]:
    """(..., pairs) of tables (..., pairs, size, size): the coefficient, NaN where chance alone
    gives no disagreement, and how many items the two have in common."""
    n = tables.sum(axis=(-1, -2))
    apart = 1 - agreement_weights(tables.shape[-1], weighting)
    mine, theirs = tables.sum(axis=-1), tables.sum(axis=-2)
    if pooled:
        mine = theirs = (mine + theirs) / 2
    observed = (tables * apart).sum(axis=(-1, -2)) * n
    expected = np.einsum("...i,...j,ij->...", mine, theirs, apart)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(expected > 0, 1 - observed / expected, np.nan)
    return values, n


def _over_prompts(
    tables: Floats, pooled: bool, weighting: Weighting
) -> tuple[float | None, float | None]:
    blocks = len(tables)
    if blocks < 2:
        return None, None
    rng = np.random.default_rng(SEED)
    times = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=DRAWS).astype(float)
    above, below = [], []
    for part in np.array_split(times, max(1, DRAWS // 50)):
        drawn = np.tensordot(part, tables, axes=1)
        values, n = _values(drawn, pooled, weighting)
        told = np.isfinite(values)
        above.append(np.where(told, values * n, 0.0).sum(axis=-1))
        below.append(np.where(told, n, 0.0).sum(axis=-1))
    return _ends(np.concatenate(above), np.concatenate(below)) or (None, None)


def _ends(above: Floats, below: Floats) -> tuple[float, float] | None:
    """The middle 95 % of the ratios; None where most draws have none, or all are alike."""
    found = above[below > 0] / below[below > 0]
    if 2 * len(found) < len(below) or np.ptp(found) == 0:
        return None
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)

"""Whether two groups of raters answer differently: tests that keep a rater's answers together.

Raters are what was drawn, so the tests exchange raters between the groups, and no single answers.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from labeling.statistics.estimates import Codes, Estimate, Floats, undefined
from models_runtime.phrases import phrase

Flags = NDArray[np.bool_]
LEAST = 3  # raters on each side: of two against two no exchange is rare
DRAWS = 9_999
SEED = 20_261_121
FEW_INSIDE = phrase("Fewer than three raters of the group have answered.")
FEW_OUTSIDE = phrase("Fewer than three raters outside the group have answered.")
NO_PAIRS = phrase("Too few items were judged by raters of both sides.")


def holm(p_values: list[float | None]) -> list[float | None]:
    """Adjusted p-values, for the family of those given: Holm (1979). None stays None, and is no
    test.

    >>> holm([0.01, 0.04, None, 0.03, 0.005])
    [0.03, 0.06, None, 0.06, 0.02]
    """
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    found: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(order):
        highest = max(highest, min(1.0, p * (len(order) - rank)))
        found[place] = highest
    return found


def fisher_exact(a: int, b: int, c: int, d: int) -> float:
    """The two-sided p-value of [[a, b], [c, d]] with all margins given: the sum of all tables no
    likelier than this one (Fisher 1935)."""
    first, second, yes = a + b, c + d, a + c
    low, high = max(0, yes - second), min(first, yes)
    inside = np.arange(low, high + 1)
    logs = _log_choose(first, inside) + _log_choose(second, yes - inside)
    chances = np.exp(logs - _log_choose(first + second, np.array([yes])))
    return min(1.0, float(chances[chances <= chances[a - low] * (1 + 1e-7)].sum()))


def shares(counts: Floats, totals: Floats, inside: Codes) -> tuple[Estimate, float | None]:
    """The difference of two pooled shares, inside the group less outside, and its p-value.

    ``counts`` of ``totals`` (n,) are each rater's; ``inside`` (n,) is 1 for the group's. The 95 %
    interval linearises the ratio by rater, t with the degrees of freedom of the smaller side;
    the p-value is of exchanging raters between the sides, of all exchanges where there are no
    more than DRAWS and of as many drawn ones otherwise (Phipson and Smyth 2010).
    """
    said = totals > 0
    x, n = np.asarray(counts, dtype=float)[said], np.asarray(totals, dtype=float)[said]
    member = np.asarray(inside)[said] > 0
    if why := _too_few(member):
        return undefined(why, int(member.sum())), None

    def difference(member: Floats) -> Floats:
        return (member @ x) / (member @ n) - ((1 - member) @ x) / ((1 - member) @ n)

    value = float(difference(member.astype(float)))
    variances = [_variance(x[side], n[side]) for side in (member, ~member)]
    fewer = int(min(member.sum(), (~member).sum())) - 1
    half = float(special.stdtrit(fewer, 0.975)) * math.sqrt(sum(variances))
    p = _p_value(np.abs(difference(_exchanges(member))), abs(value), len(member))
    low, high = max(-1.0, value - half), min(1.0, value + half)
    return Estimate(value, low, high, len(member)), p


def agreement(
    agree: Floats, judged: Floats, inside: Codes
) -> tuple[Estimate, Estimate, Estimate, float | None]:
    """How often two raters of the group say the same of one item, how often one of it and one of
    the others do, the first less the second, and the p-value of that.

    ``agree`` of ``judged`` (n, n), symmetric with an empty diagonal, count the items that two
    raters have in common. The intervals leave out one rater at a time (the jackknife; Efron
    1982), the p-value exchanges raters as in ``shares``.
    """
    member = np.asarray(inside) > 0
    if why := _too_few(member):
        none = undefined(why, int(member.sum()))
        return none, none, none, None
    now = _agreements(member.astype(float)[None], agree, judged)[:, 0]
    if not np.isfinite(now).all():
        none = undefined(NO_PAIRS, int(member.sum()))
        return none, none, none, None
    left = _left_out(member, agree, judged)
    figures = [_jackknifed(float(value), one) for value, one in zip(now, left, strict=True)]
    drawn = _agreements(_exchanges(member), agree, judged)[2]
    found = np.abs(drawn[np.isfinite(drawn)])
    p = _p_value(found, abs(float(now[2])), len(member))
    return figures[0], figures[1], figures[2], p


def _agreements(member: Floats, agree: Floats, judged: Floats) -> Floats:
    """(3, m): within, across and their difference, of m ways to draw the group. (m, n) members."""
    with np.errstate(invalid="ignore", divide="ignore"):
        inner, outer = (
            ((member @ agree) * side).sum(axis=1) / ((member @ judged) * side).sum(axis=1)
            for side in (member, 1 - member)
        )
    return np.stack([inner, outer, inner - outer])


def _left_out(member: Flags, agree: Floats, judged: Floats) -> Floats:
    """The three figures (3, n) without one rater each: of neither side."""
    size = len(member)
    found = np.empty((3, size))
    for one in range(size):
        kept = np.arange(size) != one
        grid = np.ix_(kept, kept)
        rest = member[kept].astype(float)[None]
        found[:, one] = _agreements(rest, agree[grid], judged[grid])[:, 0]
    return found


def _jackknifed(value: float, left: Floats) -> Estimate:
    size = len(left)
    if not np.isfinite(left).all():
        return Estimate(value, n=size)
    variance = (size - 1) / size * float(((left - left.mean()) ** 2).sum())
    half = float(special.stdtrit(size - 1, 0.975)) * math.sqrt(variance)
    return Estimate(value, value - half, value + half, size)


def _variance(x: Floats, n: Floats) -> float:
    """Of a pooled share, by rater."""
    rests = x - n * (x.sum() / n.sum())
    size = len(x)
    return float(rests @ rests) * size / (size - 1) / float(n.sum()) ** 2


def _exchanges(member: Flags) -> Floats:
    """(m, n): every way to draw so many of the raters, or as many ways as are drawn."""
    size, inside = len(member), int(member.sum())
    if math.comb(size, inside) <= DRAWS:
        every = list(combinations(range(size), inside))
        found = np.zeros((len(every), size))
        found[np.arange(len(every))[:, None], np.array(every)] = 1.0
        return found
    rng = np.random.default_rng(SEED)
    found = np.tile(member.astype(float), (DRAWS, 1))
    return rng.permuted(found, axis=1)


def _p_value(drawn: Floats, seen: float, size: int) -> float:
    """Of exchanges no less apart than what was seen, which is one of them."""
    apart = int((drawn >= seen - 1e-12).sum())
    is_drawn = len(drawn) == DRAWS
    return (apart + is_drawn) / (len(drawn) + is_drawn)


def _too_few(member: Flags) -> str:
    if member.sum() < LEAST:
        return FEW_INSIDE
    return FEW_OUTSIDE if (~member).sum() < LEAST else ""


def _log_choose(n: int, k: Codes) -> Floats:
    found: Floats = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return found

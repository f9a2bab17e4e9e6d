"""How far raters agree, and how sure that is: small documented functions on numpy and scipy.

Agreement is computed on which completion was preferred, never on which side it was shown, and
only among raters of one kind: people's figures hold no simulated rater.

Degenerate input has a stated answer: nothing to compare gives n = 0 and NaN; one cluster gives
the interval 0..1; proportions that are all 0 or all 1 get Wilson's interval on the clusters.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # scipy.stats would cost every web worker a second to import

from labeling.judgements import Answer, Judged
from models_runtime.records import STRENGTHS, Strength

TIE = 0  # the outcome of a pair that tied; else the id of the completion preferred
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A share with its 95 % interval, over ``n`` values in ``clusters`` independent clusters."""

    mean: float
    low: float
    high: float
    n: int
    clusters: int


@dataclass(frozen=True)
class Meeting:
    """Two raters' outcomes on the same pair of completions."""

    comparison: int
    raters: tuple[str, str]
    outcomes: tuple[int, int]  # completion id preferred, or TIE
    strengths: tuple[Strength | None, Strength | None]

    @property
    def agrees(self) -> bool:
        return self.outcomes[0] == self.outcomes[1]

    @property
    def directed(self) -> bool:
        """Both raters preferred one of the two."""
        return TIE not in self.outcomes


@dataclass(frozen=True)
class Agreement:
    """Percent agreement of one kind of rater.

    ``all``: the two named the same outcome, this one, that one or tie (a tie agrees only with a
    tie). ``directed``: of the meetings in which both preferred one, the share that preferred the
    same. ``by_strength``: of the ratings of that strength in those, the share with which the
    other rater agrees, each meeting counting once for each of its two ratings.
    """

    all: Interval
    directed: Interval
    by_strength: dict[str, Interval]
    comparisons: int
    raters: int
    ties: int  # meetings in which at least one rater said tie


@dataclass(frozen=True)
class Slope:
    """A logistic regression of correctness on strength: one unit is one step of the scale."""

    intercept: float
    slope: float
    se: float
    p: float  # two-sided Wald test of slope = 0
    n: int
    counts: dict[str, int] = field(default_factory=dict)


def wilson(successes: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927); (0, 1) when n is 0.

    >>> [round(end, 4) for end in wilson(81, 263)]
    [0.2553, 0.3662]
    """
    if n == 0:
        return 0.0, 1.0
    z = float(special.ndtri(0.5 + confidence / 2))
    share, shrink = successes / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / shrink
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / shrink
    return max(0.0, middle - half), min(1.0, middle + half)


def cluster_interval(
    values: ArrayLike,
    clusters: Sequence[Hashable],
    confidence: float = 0.95,
    weights: ArrayLike | None = None,
) -> Interval:
    """The (weighted) mean of values (shape (n,), each in 0..1) with an interval that is honest
    when values of one cluster go together.

    Variance G/(G-1) * sum_g (sum_{i in g} w_i (v_i - mean))^2 / (sum_i w_i)^2 (Liang and Zeger
    1986), t with G - 1 degrees of freedom; independent rows are their own clusters.
    """
    v = np.asarray(values, dtype=float)
    w = np.ones_like(v) if weights is None else np.asarray(weights, dtype=float)
    groups = _codes(clusters)
    count = int(groups.max()) + 1 if len(groups) else 0
    if len(v) == 0:
        return Interval(math.nan, math.nan, math.nan, 0, 0)
    mean = float(np.average(v, weights=w))
    variance = _group_square(w * (v - mean), groups) / w.sum() ** 2
    return _interval(v, mean, variance, count, confidence)


def agreement(rows: Iterable[Judged], source: str = "person") -> Agreement:
    """Agreement between raters of one source on comparisons that two or more of them judged."""
    met = meetings(rows, source)
    directed = [meeting for meeting in met if meeting.directed]
    return Agreement(
        all=_shared(met),
        directed=_shared(directed),
        by_strength=by_strength(directed),
        comparisons=len({meeting.comparison for meeting in met}),
        raters=len({rater for meeting in met for rater in meeting.raters}),
        ties=len(met) - len(directed),
    )


def meetings(rows: Iterable[Judged], source: str = "person") -> list[Meeting]:
    """Every pair of raters of this source on every pair of completions that both judged.

    Late labels are in, since they say what a rater thought; hidden repeats are not.
    """
    found: list[Meeting] = []
    for row in rows:
        answers = [a for a in row.answers if a.source == source and a.occasion == 0]
        for one, other in combinations(answers, 2):
            if one.rater != other.rater:
                found += _meet(row.comparison, one, other)
    return found


def by_strength(met: Sequence[Meeting]) -> dict[str, Interval]:
    """The share of ratings of each strength with which the other rater agrees."""
    rows: dict[Strength, list[tuple[float, int]]] = defaultdict(list)
    for meeting in met:
        for strength in meeting.strengths:
            if strength is not None:
                rows[strength].append((float(meeting.agrees), meeting.comparison))
    return {
        strength: cluster_interval([v for v, _ in rows[strength]], [c for _, c in rows[strength]])
        for strength in STRENGTHS
        if strength in rows
    }


def logistic_slope(correct: ArrayLike, strengths: Sequence[Strength]) -> Slope:
    """How correctness rises with the strength that raters stated; both of length n.

    log odds(correct) = intercept + slope * step, step 0 (negligibly) .. 3 (significantly), by
    Newton's method. Slope and p are NaN when the strengths do not vary or the outcome is
    separated (all right, all wrong, or split at one step): then there is no finite estimate.
    """
    y = np.asarray(correct, dtype=float)
    step = np.array([len(STRENGTHS) - 1 - STRENGTHS.index(s) for s in strengths], dtype=float)
    counts: dict[str, int] = {
        s: sum(1 for strength in strengths if strength == s) for s in STRENGTHS
    }
    if _is_separated(y, step):
        return Slope(math.nan, math.nan, math.nan, math.nan, len(y), counts)
    x = np.column_stack([np.ones_like(step), step])
    beta, covariance = _newton(x, y)
    se = math.sqrt(covariance[1, 1])
    p = 2 * float(special.ndtr(-abs(beta[1]) / se))
    return Slope(float(beta[0]), float(beta[1]), se, p, len(y), counts)


def _meet(comparison: int, one: Answer, other: Answer) -> list[Meeting]:
    mine, theirs = _outcomes(one), _outcomes(other)
    return [
        Meeting(
            comparison,
            (one.rater, other.rater),
            (mine[pair][0], theirs[pair][0]),
            (mine[pair][1], theirs[pair][1]),
        )
        for pair in sorted(mine.keys() & theirs.keys())
    ]


def _outcomes(answer: Answer) -> dict[tuple[int, ...], tuple[int, Strength | None]]:
    """{pair of completion ids, ascending: (the one preferred or TIE, strength)}."""
    preferred = {
        tuple(sorted((p.chosen, p.rejected))): (p.chosen, p.strength) for p in answer.preferences
    }
    return {**{tuple(sorted(tie)): (TIE, None) for tie in answer.ties}, **preferred}


def _shared(met: Sequence[Meeting]) -> Interval:
    """The share of meetings that agree. Meetings go together when they share the comparison or
    a rater: the wider of the two intervals, by comparison alone and by both, is given."""
    if not met:
        return Interval(math.nan, math.nan, math.nan, 0, 0)
    v = np.array([meeting.agrees for meeting in met], dtype=float)
    comparisons = _codes([meeting.comparison for meeting in met])
    mean = float(v.mean())
    residuals = v - mean
    variance = max(
        _group_square(residuals, comparisons), _dyadic_square(residuals, met, comparisons)
    )
    return _interval(v, mean, variance / len(v) ** 2, int(comparisons.max()) + 1, 0.95)


def _dyadic_square(residuals: Floats, met: Sequence[Meeting], comparisons: NDArray) -> float:
    """sum of e_i e_j over all i, j that share a comparison or at least one rater (two-way
    clustering of Cameron, Gelbach and Miller 2011, raters as in dyadic data), by inclusion and
    exclusion: sharing a rater = the sum over raters less the pairs that share both."""
    by_rater: dict[tuple[Hashable, ...], float] = defaultdict(float)
    by_both: dict[tuple[Hashable, ...], float] = defaultdict(float)
    for e, meeting, comparison in zip(residuals, met, comparisons, strict=True):
        pair = frozenset(meeting.raters)
        by_both[(pair,)] += e
        by_both[(pair, int(comparison))] += e
        for rater in meeting.raters:
            by_rater[(rater,)] += e
            by_rater[(rater, int(comparison))] += e
    sharing = _squares(by_rater, 1) - _squares(by_both, 1)
    within = _squares(by_rater, 2) - _squares(by_both, 2)
    sums = np.bincount(comparisons, residuals)
    return float(sums @ sums) + sharing - within


def _squares(sums: dict[tuple[Hashable, ...], float], length: int) -> float:
    return float(sum(value**2 for key, value in sums.items() if len(key) == length))


def _group_square(residuals: Floats, groups: NDArray) -> float:
    sums = np.bincount(groups, residuals)
    correction = len(sums) / (len(sums) - 1) if len(sums) > 1 else 1.0
    return float(sums @ sums) * correction


def _interval(
    v: Floats, mean: float, variance: float, clusters: int, confidence: float
) -> Interval:
    """Mean and t interval within 0..1; Wilson's on the clusters where nothing varies."""
    if clusters < 2:
        return Interval(mean, 0.0, 1.0, len(v), clusters)
    if np.ptp(v) == 0 and mean in (0.0, 1.0):
        low, high = wilson(mean * clusters, clusters, confidence)
        return Interval(mean, low, high, len(v), clusters)
    quantile = float(special.stdtrit(clusters - 1, 0.5 + confidence / 2))
    half = quantile * math.sqrt(max(variance, 0.0))
    return Interval(mean, max(0.0, mean - half), min(1.0, mean + half), len(v), clusters)


def _codes(clusters: Sequence[Hashable]) -> NDArray:
    """Clusters numbered 0.. in the order of their first value."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(c, len(numbers)) for c in clusters], dtype=int)


def _is_separated(y: Floats, step: Floats) -> bool:
    right, wrong = step[y == 1], step[y == 0]
    if len(right) == 0 or len(wrong) == 0 or np.ptp(step) == 0:
        return True
    return bool(right.min() >= wrong.max() or wrong.min() >= right.max())


def _newton(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Maximum-likelihood logistic coefficients (k,) and their covariance (k, k)."""
    beta = np.zeros(x.shape[1])
    for _ in range(50):
        p = special.expit(x @ beta)
        information = (x * (p * (1 - p))[:, None]).T @ x
        move = np.linalg.solve(information, x.T @ (y - p))
        beta = beta + move * min(1.0, 5 / max(np.abs(move).max(), 1e-300))  # no wild first step
        if np.abs(move).max() < 1e-10:
            break
    return beta, np.linalg.inv(information)

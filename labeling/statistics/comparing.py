"""Strengths of things that were compared two at a time: Bradley and Terry's model.

log odds(i beats j) = s_i - s_j, and + side where i was shown first: the home term of sports, the
position bias of raters. Maximum likelihood by Newton's method on the tables of counts, so that a
million votes cost no more than the things they are about.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import special
from scipy.sparse import csgraph

from labeling.statistics.estimates import Codes, Estimate, Floats, undefined
from models_runtime.phrases import phrase

TOO_FAR = 30.0  # log odds: a maximum beyond is none, but the way to infinity
Z95 = float(special.ndtri(0.975))
NOT_CONNECTED = phrase(
    "Some were never beaten by any of the others, directly or by way of others: no finite "
    "strengths fit."
)
ONE_SIDE = phrase("Only one side ever won: no finite effect of the side fits.")
SEPARATED = phrase("Strengths and side together explain every vote: no finite ones fit.")
NO_VOTES = phrase("There is no comparison yet.")


@dataclass(frozen=True)
class Strengths:
    """``values`` (m,) sum to 0; ``covariance`` (m, m) is theirs. ``side`` is the effect of being
    shown first, in log odds. ``undefined`` says why there are none."""

    values: Floats
    covariance: Floats
    side: Estimate = field(default_factory=lambda: undefined(NO_VOTES))
    log_likelihood: float = 0.0
    undefined: str = ""

    def above(self, reference: int) -> Floats:
        """Strengths with that of one of them as 0."""
        return self.values - self.values[reference]

    def difference(self, one: int, other: int) -> Estimate:
        """s_one - s_other with its 95 % interval (Wald)."""
        if self.undefined:
            return undefined(self.undefined)
        c = self.covariance
        value = float(self.values[one] - self.values[other])
        half = Z95 * math.sqrt(max(c[one, one] + c[other, other] - 2 * c[one, other], 0.0))
        return Estimate(value, value - half, value + half, len(self.values))


def tables(first: Codes, second: Codes, won: Floats, size: int) -> tuple[Floats, Floats]:
    """(wins, losses) of the one shown first, each of shape (size, size), of votes given one by
    one; ``won`` is 1 where the first won, 0 where the second did, and a half where they tied."""
    cells, shape = first * size + second, (size, size)
    votes = np.asarray(won, dtype=float)
    wins, losses = (
        np.bincount(cells, weights=w, minlength=size * size) for w in (votes, 1 - votes)
    )
    return wins.reshape(shape).astype(float), losses.reshape(shape).astype(float)


def bradley_terry(wins: Floats, losses: Floats | None = None, *, side: bool = False) -> Strengths:
    """Strengths from how often i, shown first, beat j and lost to j; both of shape (m, m). Without
    ``losses`` the order is not known: ``wins[i, j]`` counts how often i beat j.

    Bradley and Terry (1952), the home term as Agresti (2002, section 10.6). Finite strengths exist
    exactly where, however the things are split in two, each part has beaten the other (Ford
    1957); elsewhere the result says so. Raises ValueError for ``side`` without ``losses``.
    """
    if side and losses is None:
        raise ValueError("the effect of the side needs to know who was shown first")
    first_won = np.asarray(wins, dtype=float)
    first_lost = np.zeros_like(first_won) if losses is None else np.asarray(losses, dtype=float)
    size = len(first_won)
    if why := _why_not(first_won, first_lost, side):
        return Strengths(np.zeros(size), np.zeros((size, size)), undefined(why), undefined=why)
    found, covariance, likelihood = _newton(first_won, first_lost, side)
    if np.abs(found).max() > TOO_FAR:
        return Strengths(
            np.zeros(size), np.zeros((size, size)), undefined(SEPARATED), undefined=SEPARATED
        )
    values = found[:size]
    effect = undefined(NO_VOTES)
    if side:
        value, half = float(found[size]), Z95 * math.sqrt(covariance[size, size])
        effect = Estimate(value, value - half, value + half, int((wins + first_lost).sum()))
    return Strengths(values, covariance[:size, :size], effect, likelihood)


def win_probability(strengths: Strengths, one: int, other: int) -> float:
    """That one beats the other where neither side has an effect."""
    return float(special.expit(strengths.values[one] - strengths.values[other]))


def _why_not(won: Floats, lost: Floats, side: bool) -> str:
    if not (won.any() or lost.any()):
        return NO_VOTES
    beaten = won + lost.T
    parts, _ = csgraph.connected_components(beaten > 0, directed=True, connection="strong")
    if parts > 1:
        return NOT_CONNECTED
    return ONE_SIDE if side and not (won.any() and lost.any()) else ""


def _newton(won: Floats, lost: Floats, side: bool) -> tuple[Floats, Floats, float]:
    """The maximum, sum of strengths 0, with the inverse of its information."""
    size = len(won)
    games = won + lost
    beta = np.zeros(size + side)
    for _ in range(100):
        p = special.expit(_log_odds(beta, size, side))
        extra, weight = won - games * p, games * p * (1 - p)
        gradient = extra.sum(axis=1) - extra.sum(axis=0)
        curve = -(weight + weight.T)
        np.fill_diagonal(curve, weight.sum(axis=1) + weight.sum(axis=0) - 2 * np.diag(weight))
        if side:
            edge = (weight.sum(axis=1) - weight.sum(axis=0))[:, None]
            curve = np.block([[curve, edge], [edge.T, np.array([[weight.sum()]])]])
            gradient = np.append(gradient, extra.sum())
        curve[:size, :size] += 1.0 / size  # the strengths' sum, which the data leave open
        move = np.linalg.solve(curve, gradient)
        beta += move * min(1.0, 4 / max(float(np.abs(move).max()), 1e-300))  # no wild first step
        beta[:size] -= beta[:size].mean()
        if np.abs(move).max() < 1e-10:
            break
    inverse = np.linalg.inv(curve)
    centre = np.eye(size + side)
    centre[:size, :size] -= 1.0 / size
    odds = _log_odds(beta, size, side)
    likelihood = (won * special.log_expit(odds) + lost * special.log_expit(-odds)).sum()
    return beta, centre @ inverse @ centre.T, float(likelihood)


def _log_odds(beta: Floats, size: int, side: bool) -> Floats:
    values = beta[:size]
    odds: Floats = values[:, None] - values[None, :] + (beta[size] if side else 0.0)
    return odds

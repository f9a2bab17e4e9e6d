"""Strengths of things that raters of different reliability compared: Bradley–Terry for a crowd.

P(rater k says that i beats j) = η_k σ(s_i - s_j) + (1 - η_k) σ(s_j - s_i), after Chen, Bennett,
Collins-Thompson and Horvitz (2013), "Pairwise Ranking Aggregation in a Crowdsourced Setting":
η_k is 1 of who always says what they see, ½ of who answers at random, 0 of who says the contrary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from labeling.statistics.estimates import Codes, Floats

INNER = 5  # steps of the strengths between two looks at the raters
NEVER, ALWAYS = 1e-3, 1 - 1e-3


@dataclass(frozen=True)
class Crowd:
    """``strengths`` (things,) about 0 and ``reliability`` (raters,)."""

    strengths: Floats
    reliability: Floats
    steps: int
    converged: bool

    def wins(self, one: Codes, other: Codes) -> Floats:
        """How likely each of ``one`` beats its ``other``, by what they are and not by votes."""
        found: Floats = special.expit(self.strengths[one] - self.strengths[other])
        return found


def crowd_bradley_terry(
    winners: Codes,
    losers: Codes,
    raters: Codes,
    size: int,
    *,
    weights: Floats | None = None,
    precision: float = 1.0,
    prior: tuple[float, float] = (4.0, 2.0),
    tolerance: float = 1e-5,
    most: int = 500,
) -> Crowd:
    """Maximum a posteriori by EM, of votes given one by one (n,): ``raters`` said that
    ``winners`` beat ``losers``; a tie is a vote of weight ½ either way.

    ``precision`` is that of the normal prior of strengths, about 0: with it strengths are finite
    for whatever was voted, and things that never met are compared by what each did against
    others. ``prior`` is Beta's of reliabilities. Each step moves the strengths by a bound of
    their curvature (Böhning 1992: a logistic's is at most ¼), so the posterior never falls.
    """
    w = np.ones(len(winners)) if weights is None else np.asarray(weights, dtype=float)
    people = int(raters.max()) + 1 if len(raters) else 0
    votes = np.bincount(raters, w, minlength=people)
    degree = np.bincount(winners, w, minlength=size) + np.bincount(losers, w, minlength=size)
    step = 1 / (precision + degree / 2)
    strengths = np.zeros(size)
    up, down = prior[0] - 1, prior[1] - 1
    reliability = np.full(people, prior[0] / sum(prior))
    steps, converged = 0, False
    for steps in range(1, most + 1):  # noqa: B007  told in the result
        before = reliability, strengths
        p = special.expit(strengths[winners] - strengths[losers])
        said = reliability[raters] * p
        meant = said / np.maximum(said + (1 - reliability[raters]) * (1 - p), 1e-300)
        kept = np.bincount(raters, w * meant, minlength=people)
        reliability = np.clip((kept + up) / np.maximum(votes + up + down, 1e-9), NEVER, ALWAYS)
        for _ in range(INNER):
            p = special.expit(strengths[winners] - strengths[losers])
            pull = w * (meant - p)
            won = np.bincount(winners, pull, minlength=size)
            lost = np.bincount(losers, pull, minlength=size)
            strengths = strengths + step * (won - lost - precision * strengths)
        moved = max(_most(reliability - before[0]), _most(strengths - before[1]))
        if moved < tolerance:
            converged = True
            break
    return Crowd(strengths, reliability, steps, converged)


def _most(change: Floats) -> float:
    return float(np.abs(change).max(initial=0.0))

"""The truth behind raters who err: Dawid and Skene's confusion matrices, and MACE's spammers.

Labels come one by one: three arrays of length N that say which item, which rater and which
category. Both give each item a distribution over the categories and each rater a quality.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from labeling.statistics.estimates import Codes, Floats, Ratings


@dataclass(frozen=True)
class Consensus:
    """``posterior`` (items, categories) is what each item is; ``prevalence`` (categories,) how
    common each category is. ``confusion`` (raters, truth, answer) where the model has it;
    ``competence`` (raters,) is the chance that a rater is right by knowing, not by luck; NaN where
    that cannot be told."""

    posterior: Floats
    prevalence: Floats
    competence: Floats
    confusion: Floats
    log_likelihood: float
    steps: int
    converged: bool

    @property
    def best(self) -> Codes:
        """The likeliest category of each item."""
        found: Codes = self.posterior.argmax(axis=1)
        return found


def votes(items: Codes, answers: Codes, size: int, weights: Floats | None = None) -> Floats:
    """(items, size): how many, or how much, said so."""
    length = int(items.max()) + 1 if len(items) else 0
    flat = np.bincount(items * size + answers, weights=weights, minlength=length * size)
    return flat.reshape(length, size).astype(float)


def dawid_skene(
    items: Codes,
    raters: Codes,
    answers: Codes,
    size: int,
    *,
    smoothing: float = 0.0,
    tolerance: float = 1e-8,
    most: int = 1000,
) -> Consensus:
    """Maximum likelihood by EM (Dawid and Skene 1979), begun from each item's shares of votes.

    ``smoothing`` is added to every cell of a rater's table: 0 is the paper's estimate, in which
    what a rater never did is impossible; a hundredth keeps raters of a few labels from that. Ends
    when the log-likelihood rises by less than ``tolerance`` of itself. Every item from 0 to the
    greatest needs a label. Raises ValueError for none at all.
    """
    belief = votes(items, answers, size)
    belief /= belief.sum(axis=1, keepdims=True)
    people = int(raters.max()) + 1
    before, steps, converged = -np.inf, 0, False
    for steps in range(1, most + 1):  # noqa: B007  told in the result
        prevalence = belief.mean(axis=0)
        confusion = _confusion(items, raters, answers, belief, people) + smoothing
        confusion /= np.maximum(confusion.sum(axis=2, keepdims=True), 1e-300)
        belief, likelihood = _believe(items, raters, answers, prevalence, confusion)
        converged = bool(likelihood - before < tolerance * abs(likelihood))
        if converged:
            break
        before = likelihood
    return Consensus(
        belief,
        prevalence,
        _informedness(confusion, prevalence),
        confusion,
        likelihood,
        steps,
        converged,
    )


def mace(
    items: Codes,
    raters: Codes,
    answers: Codes,
    size: int,
    *,
    restarts: int = 10,
    most: int = 50,
    prior: float = 0.5,
    habit: float = 10.0,
    seed: int = 0,
) -> Consensus:
    """MACE (Hovy et al. 2013): a rater either knows the category, or spams by a habit of their
    own. Variational EM with Beta(prior, prior) on knowing and a symmetric Dirichlet on the habit,
    ``habit`` for each category, both as the paper's section 3; the best of so many random starts.
    All categories are as likely beforehand."""
    rng = np.random.default_rng(seed)
    people = int(raters.max()) + 1
    found = [
        _mace_once(items, raters, answers, size, people, rng, most, prior, habit)
        for _ in range(max(restarts, 1))
    ]
    return max(found, key=lambda one: one.log_likelihood)


def _mace_once(
    items: Codes,
    raters: Codes,
    answers: Codes,
    size: int,
    people: int,
    rng: np.random.Generator,
    most: int,
    prior: float,
    of_habit: float,
) -> Consensus:
    knows = rng.uniform(0.5, 0.9, people)
    habit = np.full((people, size), 1.0 / size)
    likelihood, before, steps, converged = -np.inf, -np.inf, 0, False
    even = np.full(size, 1.0 / size)
    for steps in range(1, most + 1):  # noqa: B007  told in the result
        chance = (1 - knows[:, None, None]) * habit[:, None, :]
        chance = chance + knows[:, None, None] * np.eye(size)
        belief, likelihood = _believe(items, raters, answers, even, chance)
        right = belief[items, answers]
        by_luck = (1 - knows[raters]) * habit[raters, answers]
        knew = right * knows[raters] / np.maximum(knows[raters] + by_luck, 1e-300)
        spammed = np.bincount(raters * size + answers, weights=1 - knew, minlength=people * size)
        knowing = np.bincount(raters, weights=knew, minlength=people)
        given = np.bincount(raters, minlength=people)
        knows = _variational(np.array([knowing, given - knowing], dtype=float).T + prior)[:, 0]
        habit = _variational(spammed.reshape(people, size) + of_habit)
        converged = bool(likelihood - before < 1e-8 * abs(likelihood))
        if converged:
            break
        before = likelihood
    return Consensus(belief, even, knows, chance, likelihood, steps, converged)


def _variational(counts: Ratings) -> Floats:
    """Rows of exp(E log p) under Dirichlet(counts), whose sum is below 1: so the bound rises."""
    found: Floats = np.exp(
        special.digamma(counts) - special.digamma(counts.sum(axis=1, keepdims=True))
    )
    return found


def _confusion(items: Codes, raters: Codes, answers: Codes, belief: Floats, people: int) -> Floats:
    """(raters, truth, answer): how much of each, by what is believed of the items."""
    size = belief.shape[1]
    cells = raters * size + answers
    columns = [
        np.bincount(cells, weights=belief[items, truth], minlength=people * size)
        for truth in range(size)
    ]
    return np.stack([column.reshape(people, size) for column in columns], axis=1)


def _believe(
    items: Codes, raters: Codes, answers: Codes, prevalence: Floats, confusion: Floats
) -> tuple[Floats, float]:
    """(items, categories) by Bayes, and the log-likelihood of all labels."""
    with np.errstate(divide="ignore"):  # what never happened is impossible: exp(-inf) is 0
        chance, before = np.log(confusion), np.log(prevalence)
    length = int(items.max()) + 1
    logs = np.empty((length, len(prevalence)))
    for truth in range(len(prevalence)):
        said = chance[raters, truth, answers]
        finite = np.where(np.isfinite(said), said, -1e12)  # a bincount of -inf would be NaN
        logs[:, truth] = before[truth] + np.bincount(items, weights=finite, minlength=length)
    each = special.logsumexp(logs, axis=1)
    belief: Floats = np.exp(logs - each[:, None])
    return belief, float(each.sum())


def _informedness(confusion: Floats, prevalence: Floats) -> Floats:
    """(raters,): the share of a rater's answers that are right, beyond what their own habit gives
    at random: 0 for somebody who answers without looking, 1 for who is always right; NaN where
    nearly all is of one category."""
    right = (np.diagonal(confusion, axis1=1, axis2=2) * prevalence).sum(axis=1)
    habit = np.einsum("t,jta->ja", prevalence, confusion)
    luck = (habit * prevalence).sum(axis=1)
    room = 1 - luck  # where nearly all is of one category, nothing tells knowing from habit
    unknown = np.full(len(room), np.nan)
    beyond: Floats = np.divide(right - luck, room, out=unknown, where=room > 0.05)
    return beyond

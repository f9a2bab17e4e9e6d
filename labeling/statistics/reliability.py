"""How often each rater is right, learned from all of them together, and whether that changes.

The model has one number a rater: the share of their answers that are right, whatever the right
one is. Errors fall on the other categories as often as those are answered at all, so that a tie
that nobody chooses makes no error look unlikely. It is Dawid and Skene's (1979) with one coin a
rater instead of a table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse, special

from labeling.statistics.estimates import Codes, Estimate, Floats, undefined
from labeling.statistics.latent import votes
from models_runtime.phrases import phrase

Z95 = float(special.ndtri(0.975))
FEW = 20  # answers beside others below which nothing is said of a rater's drift
WHOLE = 2_000  # raters up to whom the uncertainty of all others is in each one's interval
TOO_FEW = phrase("There are too few answers beside others.")
ONE_TIME = phrase("All answers are of one week.")


@dataclass(frozen=True)
class Coins:
    """``accuracy`` (raters,) with the standard error ``se`` (raters,) of its log odds; ``belief``
    (items, categories). By the others alone, of each label: ``right`` (labels,), how likely its
    answer is the right one; ``by_error`` (labels,), how likely whoever errs would have given it.
    """

    accuracy: Floats
    se: Floats
    belief: Floats
    right: Floats
    by_error: Floats
    steps: int

    def interval(self, rater: int, n: int) -> Estimate:
        """A rater's accuracy with its 95 % interval (Wald's, on log odds)."""
        at, half = float(special.logit(self.accuracy[rater])), Z95 * float(self.se[rater])
        value = float(self.accuracy[rater])
        if not math.isfinite(half):
            return Estimate(value, n=n)
        low, high = (float(special.expit(end)) for end in (at - half, at + half))
        return Estimate(value, low, high, n)


def one_coin(
    items: Codes,
    raters: Codes,
    answers: Codes,
    size: int,
    *,
    paired: bool = False,
    clusters: Codes | None = None,
    prior: tuple[float, float] = (2.0, 1.0),
    most: int = 500,
) -> Coins:
    """Maximum a posteriori by EM, begun from each item's shares of votes. ``paired``: categories
    run from the one to the other, and which is the one is an accident, so that a category and its
    mirror image are equally common. ``prior`` is Beta's: (2, 1) adds one right answer a rater,
    which keeps whoever never erred from being sure for ever. ``clusters`` (items,) are those of
    items that go together.

    Standard errors are on log odds, for all raters at once, so that the others' uncertainty is in
    each: from the outer product of the items' scores, and with ``clusters`` the sandwich of those
    of clusters between the inverse of the observed information (White 1982). What raters lean to
    together, such as the longer text, is told from the truth by nothing here: it counts as right.
    """
    people = int(raters.max()) + 1
    given = np.bincount(raters, minlength=people)
    counts = votes(items, answers, size)
    share = _common(counts, paired)
    belief = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
    up, down = prior[0] - 1, prior[1] - 1
    before: Floats = np.full(people, np.nan)
    accuracy, logs, steps = before, counts, 0
    for steps in range(1, most + 1):  # noqa: B007  told in the result
        right = np.bincount(raters, weights=belief[items, answers], minlength=people)
        accuracy = np.clip((right + up) / np.maximum(given + up + down, 1e-9), 1e-3, 1 - 1e-3)
        odds = special.logit(accuracy)[raters]
        evidence = votes(items, answers, size, odds) + counts * (np.log1p(-share) - np.log(share))
        evidence -= counts.sum(axis=1, keepdims=True) * np.log1p(-share)
        logs = np.log(_common(belief, paired)) + evidence
        belief = special.softmax(logs, axis=1)
        if np.allclose(accuracy, before, atol=1e-6, rtol=0):
            break
        before = accuracy
    se = _standard_errors(items, raters, answers, belief, accuracy, clusters)
    others = special.softmax(_without(logs, items, answers, odds, share), axis=1)
    every = np.arange(len(items))
    sure = others[every, answers]
    wrong = (others / (1 - share)).sum(axis=1) - sure / (1 - share[answers])
    return Coins(accuracy, se, belief, sure, wrong * share[answers], steps)


def _common(table: Floats, paired: bool) -> Floats:
    """How common each category is; with its mirror image where which is which is an accident."""
    common = table.sum(axis=0)
    if paired:
        common = (common + common[::-1]) / 2
    floored: Floats = np.maximum(common / common.sum(), 1e-6)
    return floored / floored.sum()


def _without(logs: Floats, items: Codes, answers: Codes, odds: Floats, share: Floats) -> Floats:
    """(labels, categories): the evidence on each label's item without the label's own vote."""
    rest = logs[items] + np.log1p(-share)
    mine = odds - np.log(share[answers]) + np.log1p(-share[answers])
    rest[np.arange(len(items)), answers] -= mine
    return rest


def _standard_errors(
    items: Codes,
    raters: Codes,
    answers: Codes,
    belief: Floats,
    accuracy: Floats,
    clusters: Codes | None,
) -> Floats:
    people = len(accuracy)
    shape = (len(belief), people)
    scores = belief[items, answers] - accuracy[raters]
    each = sparse.csr_matrix((scores, (items, raters)), shape=shape)
    if people > WHOLE:  # the table of all with all would not pay
        own = np.asarray(each.multiply(each).sum(axis=0)).ravel()
        return 1 / np.sqrt(np.maximum(own, 1e-12))
    if clusters is None:
        covariance = _inverse((each.T @ each).toarray())
    else:
        bread = _inverse(_information(items, raters, answers, belief, accuracy))
        groups = np.unique(clusters, return_inverse=True)[1]
        gather = sparse.csr_matrix((np.ones(len(groups)), (groups, np.arange(len(groups)))))
        summed = gather @ each
        covariance = bread @ (summed.T @ summed).toarray() @ bread
    errors: Floats = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return errors


def _information(
    items: Codes, raters: Codes, answers: Codes, belief: Floats, accuracy: Floats
) -> Floats:
    """(raters, raters): the observed information on log odds, that of known truths less what is
    lost by not knowing them (Louis 1982)."""
    people = len(accuracy)
    shape = (len(belief), people)
    sure = sparse.csr_matrix((belief[items, answers], (items, raters)), shape=shape)
    lost = -(sure.T @ sure).toarray()
    for category in range(belief.shape[1]):
        said = answers == category
        at = (items[said], raters[said])
        alike = sparse.csr_matrix((np.sqrt(belief[at[0], category]), at), shape=shape)
        lost += (alike.T @ alike).toarray()
    known = np.bincount(raters, minlength=people) * accuracy * (1 - accuracy)
    found: Floats = np.diag(known) - lost
    return found


def _inverse(information: Floats) -> Floats:
    information[np.diag_indices(len(information))] += 1e-9
    return np.asarray(np.linalg.pinv(information, hermitian=True), dtype=float)


def drift(right: Floats, by_error: Floats, when: Floats) -> tuple[Estimate, float | None]:
    """How a rater's log odds of being right change for one unit of ``when`` (n,), with the 95 %
    interval and the two-sided p-value of no change.

    ``right`` and ``by_error`` (n,) are Coins', of the rater's answers. Maximum likelihood of
    P(answer) = r right + (1 - r) by_error, r = expit(a + b when), the truth integrated out, by
    Fisher's scoring. What is known of the others is taken as given.
    """
    n = len(when)
    if n < FEW:
        return undefined(TOO_FEW, n), None
    if np.ptp(when) == 0:
        return undefined(ONE_TIME, n), None
    x = np.column_stack([np.ones(n), when - when.mean()])
    beta, information = np.array([1.0, 0.0]), np.eye(2)
    for _ in range(100):
        r = special.expit(x @ beta)
        p = r * right + (1 - r) * by_error
        change = r * (1 - r) * (right - by_error)
        # Of an answer that either agrees with the others or does not.
        weight = change**2 / np.maximum(p * (1 - p), 1e-12)
        information = (x * weight[:, None]).T @ x + 1e-9 * np.eye(2)
        move = np.linalg.solve(information, x.T @ (change / np.maximum(p, 1e-12)))
        beta = np.clip(beta + move * min(1.0, 2 / max(float(np.abs(move).max()), 1e-300)), -8, 8)
        if np.abs(move).max() < 1e-8:
            break
    se = math.sqrt(float(np.linalg.inv(information)[1, 1]))
    if not math.isfinite(se) or se > 10:
        return undefined(TOO_FEW, n), None
    value = float(beta[1])
    p_value = 2 * float(special.ndtr(-abs(value) / se))
    return Estimate(value, value - Z95 * se, value + Z95 * se, n), p_value

"""How sure a rater's accuracy is, against the same by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from labeling.statistics.reliability import one_coin


def crowd(seed: int = 3):
    """300 items, two a cluster, of four labels by eight raters; where the easy mistake is the
    same for all, errors go together and the model does not hold."""
    rng = np.random.default_rng(seed)
    truth, tempting = rng.integers(0, 2, (2, 300))
    items = np.repeat(np.arange(300), 4)
    raters = np.concatenate([rng.choice(8, 4, replace=False) for _ in range(300)])
    right = rng.random(len(items)) < np.linspace(0.5, 0.9, 8)[raters]
    answers = np.where(right, truth[items], 1 - truth[items])
    answers = np.where(rng.random(len(items)) < 0.25, tempting[items], answers)
    return items, raters, answers


def scores(odds, items, raters, answers):
    """(items, raters): what each item adds to the slope of the log-likelihood."""
    accuracy = special.expit(odds)
    logs = np.zeros((items.max() + 1, 2))
    for item, rater, answer in zip(items, raters, answers, strict=True):
        logs[item, answer] += np.log(accuracy[rater])
        logs[item, 1 - answer] += np.log(1 - accuracy[rater])
    belief = special.softmax(logs, axis=1)
    found = np.zeros((len(logs), len(odds)))
    found[items, raters] = belief[items, answers] - accuracy[raters]
    return found


def test_with_clusters_the_standard_errors_are_the_sandwich_of_the_curvature():
    items, raters, answers = crowd()
    clusters = np.arange(300) // 2
    found = one_coin(items, raters, answers, 2, paired=True, clusters=clusters)
    odds, step = special.logit(found.accuracy), 1e-5
    curve = np.array(
        [
            scores(odds + move, items, raters, answers).sum(axis=0)
            - scores(odds - move, items, raters, answers).sum(axis=0)
            for move in step * np.eye(8)
        ]
    ) / (-2 * step)
    sums = np.zeros((150, 8))
    np.add.at(sums, clusters, scores(odds, items, raters, answers))
    bread = np.linalg.inv(curve)
    expected = np.sqrt(np.diag(bread @ sums.T @ sums @ bread.T))
    assert found.se == pytest.approx(expected, rel=1e-3)

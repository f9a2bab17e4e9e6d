"""Dawid and Skene's patients; spammers that a majority would believe."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import digamma

from labeling.statistics.latent import dawid_skene, mace, votes
from tests.labeling.statistics.published import patients


def test_the_patients_of_1979():
    """Table 4 of the paper: how common the classes are, and what the first observer does."""
    found = dawid_skene(*patients(), 4)
    assert found.converged
    assert found.prevalence.round(2).tolist() == [0.40, 0.42, 0.11, 0.07]
    assert found.confusion[0].round(2)[:3].tolist() == [
        [0.89, 0.11, 0, 0],
        [0.07, 0.88, 0.05, 0],
        [0, 0.34, 0.66, 0],
    ]


def crowd(seed: int, spammers: float = 0.25):
    """800 items of five labels by 20 raters, a share of whom answer without looking."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, 800)
    items = np.repeat(np.arange(800), 5)
    raters = np.concatenate([rng.choice(20, 5, replace=False) for _ in range(800)])
    spams = np.arange(20) < 20 * spammers
    right = rng.random(len(items)) < np.where(spams[raters], 0.5, 0.8)
    answers = np.where(right, truth[items], 1 - truth[items])
    return truth, items, raters, answers, spams


@pytest.mark.parametrize("model", [lambda *a: dawid_skene(*a, smoothing=0.01), mace])
def test_raters_who_look_outvote_those_who_do_not(model):
    gained, apart = [], []
    for seed in range(5):
        truth, items, raters, answers, spams = crowd(seed)
        found = model(items, raters, answers, 2)
        majority = votes(items, answers, 2).argmax(axis=1)
        gained.append((found.best == truth).mean() - (majority == truth).mean())
        apart.append(found.competence[spams].max() < found.competence[~spams].min())
    assert np.mean(gained) > 0.02
    assert np.mean(apart) >= 0.8


@pytest.mark.parametrize("model", [dawid_skene, mace])
def test_the_order_of_labels_changes_nothing(model):
    items, raters, answers = patients()
    order = np.random.default_rng(0).permutation(len(items))
    plain, shuffled = (
        model(items, raters, answers, 4),
        model(*(a[order] for a in (items, raters, answers)), 4),
    )
    assert shuffled.posterior == pytest.approx(plain.posterior, abs=1e-6)


def test_one_rater_is_believed():
    found = dawid_skene(np.arange(3), np.zeros(3, dtype=int), np.array([0, 1, 0]), 2)
    assert found.best.tolist() == [0, 1, 0]
    assert np.isfinite(found.posterior).all()


def test_mace_comes_to_rest_where_the_papers_update_does():
    """One more step of the authors' program (variational, Beta(.5, .5) and Dirichlet(10)), label
    by label, changes nothing."""
    _truth, items, raters, answers, _spams = crowd(0)
    found = mace(items, raters, answers, 2, restarts=1, most=2_000)
    habit = found.confusion[:, 0, 1] / (1 - found.competence)  # of answering 1 without looking
    habits = np.stack([found.confusion[:, 1, 0] / (1 - found.competence), habit], axis=1)
    counts, knowing = np.full((20, 2), 10.0), np.full((20, 2), 0.5)
    for label, rater in enumerate(raters):
        said = answers[label]
        right = found.posterior[items[label], said]
        luck = (1 - found.competence[rater]) * habits[rater, said]
        knew = right * found.competence[rater] / (found.competence[rater] + luck)
        knowing[rater] += [knew, 1 - knew]
        counts[rater, said] += 1 - knew
    expected = np.exp(digamma(knowing[:, 0]) - digamma(knowing.sum(axis=1)))
    assert found.competence == pytest.approx(expected, abs=1e-3)

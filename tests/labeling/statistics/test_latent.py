"""Dawid and Skene's patients; spammers that a majority would believe."""

from __future__ import annotations

import numpy as np
import pytest

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

"""Bradley–Terry of a crowd: as the plain model where raters are sure, and wary of who is not."""

from __future__ import annotations

import numpy as np
import pytest

from labeling.statistics.comparing import bradley_terry
from labeling.statistics.reliable_strengths import crowd_bradley_terry

STRENGTHS = np.array([-1.5, -0.5, 0.0, 0.7, 1.3])


def votes(seed: int, accuracy: list[float], each: int):
    """(winners, losers, raters): a rater of accuracy a says what the model draws, or the other."""
    rng = np.random.default_rng(seed)
    rows = []
    for rater, right in enumerate(accuracy):
        for _ in range(each):
            one, other = rng.choice(5, 2, replace=False)
            wins = rng.random() < 1 / (1 + np.exp(STRENGTHS[other] - STRENGTHS[one]))
            if rng.random() > right:
                wins = not wins
            rows.append((one, other, rater) if wins else (other, one, rater))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def test_raters_who_never_err_give_the_plain_model():
    winners, losers, raters = votes(0, [1.0], 400)
    wins = np.zeros((5, 5))
    np.add.at(wins, (winners, losers), 1)
    found = crowd_bradley_terry(
        winners, losers, raters, 5, precision=1e-9, prior=(1e9, 1.0), tolerance=1e-9, most=5000
    )
    centred = found.strengths - found.strengths.mean()
    assert centred == pytest.approx(bradley_terry(wins).values, abs=0.02)


def test_who_says_the_contrary_is_heard_as_such():
    winners, losers, raters = votes(1, [0.95, 0.95, 0.95, 0.05, 0.5], 300)
    found = crowd_bradley_terry(winners, losers, raters, 5)
    assert (found.reliability[:3] > 0.85).all()
    assert found.reliability[3] < 0.15
    assert abs(found.reliability[4] - 0.5) < 0.2
    assert np.argsort(found.strengths).tolist() == [0, 1, 2, 3, 4]


def test_a_tie_moves_nobody():
    one, other = np.array([0, 1]), np.array([1, 0])
    found = crowd_bradley_terry(one, other, np.array([0, 0]), 2, weights=np.array([0.5, 0.5]))
    assert found.wins(np.array([0]), np.array([1])) == pytest.approx([0.5])

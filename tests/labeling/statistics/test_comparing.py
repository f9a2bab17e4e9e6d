"""Bradley and Terry's strengths: the published season, and what no finite strength fits."""

from __future__ import annotations

import numpy as np
import pytest

from labeling.statistics.comparing import (
    NO_VOTES,
    NOT_CONNECTED,
    ONE_SIDE,
    SEPARATED,
    bradley_terry,
    tables,
    win_probability,
)
from tests.labeling.statistics.published import baseball

BALTIMORE = 6
PRINTED = [1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0.0]


def test_the_american_league_of_1987():
    found = bradley_terry(*baseball())
    assert found.above(BALTIMORE).round(2).tolist() == PRINTED


def test_the_home_field_is_worth_something():
    assert round(bradley_terry(*baseball(), side=True).side.value, 3) == 0.302


def test_the_order_of_teams_changes_nothing():
    won, lost = baseball()
    order = np.random.default_rng(0).permutation(len(won))
    shuffled = bradley_terry(won[np.ix_(order, order)], lost[np.ix_(order, order)], side=True)
    plain = bradley_terry(won, lost, side=True)
    assert shuffled.values == pytest.approx(plain.values[order])
    assert shuffled.side.value == pytest.approx(plain.side.value)


def test_exchanging_all_sides_turns_the_effect_of_the_side_alone():
    won, lost = baseball()
    turned, plain = bradley_terry(lost.T, won.T, side=True), bradley_terry(won, lost, side=True)
    assert turned.values == pytest.approx(plain.values)
    assert turned.side.value == pytest.approx(-plain.side.value)


def test_without_known_order_wins_alone_are_enough():
    won, lost = baseball()
    assert bradley_terry(won + lost.T).values == pytest.approx(bradley_terry(won, lost).values)


def test_a_tie_counts_half_for_each():
    first, second = np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])
    found = bradley_terry(*tables(first, second, np.array([0.5, 1, 0.5, 1]), 2))
    assert win_probability(found, 0, 1) == pytest.approx(0.5)


def test_the_interval_of_a_difference_covers_what_was_planted():
    rng = np.random.default_rng(1)
    truth, hits = np.array([1.0, 0.3, -0.2, -1.1]), 0
    for _ in range(200):
        first, second = (np.tile([0, 0, 0, 1, 1, 2], 50), np.tile([1, 2, 3, 2, 3, 3], 50))
        chance = 1 / (1 + np.exp(truth[second] - truth[first]))
        won = rng.random(len(first)) < chance
        found = bradley_terry(*tables(first, second, won, 4)).difference(0, 1)
        hits += found.low <= truth[0] - truth[1] <= found.high
    assert 0.91 <= hits / 200 <= 0.985


@pytest.mark.parametrize(
    ("wins", "why"),
    [
        ([[0, 0], [0, 0]], NO_VOTES),
        ([[0, 3], [0, 0]], NOT_CONNECTED),  # all wins
        ([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], NOT_CONNECTED),  # two islands
    ],
)
def test_what_has_no_finite_strengths_says_so(wins, why):
    found = bradley_terry(np.array(wins, dtype=float))
    assert found.undefined == found.difference(0, 1).undefined == why
    assert found.difference(0, 1).value is None


def test_a_side_that_never_won_has_no_finite_effect():
    won = np.array([[0, 2.0], [2.0, 0]])
    assert bradley_terry(won, np.zeros((2, 2)), side=True).undefined == ONE_SIDE


def test_votes_that_side_and_strengths_explain_altogether_have_no_finite_fit():
    """Connected, and both sides won; but each loss is where it has to be."""
    won, lost = np.zeros((3, 3)), np.zeros((3, 3))
    won[0, 1] = won[1, 0] = won[2, 1] = lost[2, 0] = 5
    found = bradley_terry(won, lost, side=True)
    assert found.undefined == found.side.undefined == SEPARATED


def test_the_effect_of_the_side_needs_the_order():
    with pytest.raises(ValueError, match="shown first"):
        bradley_terry(np.ones((2, 2)), side=True)

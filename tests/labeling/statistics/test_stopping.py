"""Fewer labels, the same majority: the rule ends exactly where more could change nothing."""

from __future__ import annotations

from itertools import product

import pytest

from labeling.statistics import stopping


def majority(votes: tuple[int, ...]) -> int | None:
    return next((one for one in set(votes) if 2 * votes.count(one) > len(votes)), None)


@pytest.mark.parametrize("most", [3, 4, 5])
def test_whatever_would_have_followed_the_majority_is_the_same(most: int) -> None:
    for votes in product(range(3), repeat=most):
        given = 1
        while stopping.more_decide([votes[:given].count(one) for one in range(3)], most):
            given += 1
        assert majority(votes[:given]) == majority(votes)


@pytest.mark.parametrize("most", [3, 5])
def test_it_ends_no_later_than_it_must(most: int) -> None:
    """Where it asks for one more, what follows can still go two ways."""
    for given in range(most):
        for votes in product(range(2), repeat=given):
            if stopping.more_decide([votes.count(0), votes.count(1)], most):
                rest = product(range(2), repeat=most - given)
                assert len({majority((*votes, *more)) for more in rest}) > 1


def test_belief_is_bayes() -> None:
    """Right in 9 of 10 says one, right in 6 of 10 says the other: .9 * .4 to .1 * .6."""
    assert stopping.belief([(0, 0.9), (1, 0.6)], [0.5, 0.5])[0] == pytest.approx(36 / 42)


def test_a_tie_that_hardly_anybody_gives_makes_no_error_look_unlikely() -> None:
    two = stopping.belief([(0, 0.75)], [0.5, 0.5])[0]
    three = stopping.belief([(0, 0.75)], [0.4999, 0.0002, 0.4999])[0]
    assert three == pytest.approx(two, abs=1e-3)

"""Agreement is about completions, among raters of one kind, with intervals that know clusters."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from scipy import optimize, special

from labeling.agreement import (
    _codes,
    _dyadic_square,
    agreement,
    cluster_interval,
    logistic_slope,
    meetings,
    wilson,
)
from labeling.judgements import Answer, Judged
from models_runtime.records import STRENGTHS, Preference

labels = itertools.count(1)


def prefers(rater, chosen, rejected, strength="better", *, source="person", order=(), **more):
    preference = Preference(chosen, rejected, strength)
    return Answer(next(labels), rater, source, [preference], [], order=list(order), **more)


def ties(rater, one, other):
    return Answer(next(labels), rater, "person", [], [[one, other]])


def judged(comparison, *answers):
    return Judged(comparison, 1, 1, "item", "train", "policy", "", [], [], list(answers))


def test_wilson_gives_the_published_interval():
    assert [round(end, 4) for end in wilson(81, 263)] == [0.2553, 0.3662]
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 10)[1] == pytest.approx(1.0)


def test_two_raters_who_prefer_the_same_completion_agree():
    rows = [
        judged(1, prefers("a", 1, 2), prefers("b", 1, 2, "slightly")),
        judged(2, prefers("a", 3, 4), prefers("b", 4, 3)),
    ]
    found = agreement(rows)
    assert (found.all.mean, found.all.n, found.comparisons, found.raters) == (0.5, 2, 2, 2)


def test_a_tie_agrees_only_with_a_tie_and_is_left_out_of_the_directed_share():
    rows = [
        judged(1, ties("a", 1, 2), ties("b", 2, 1)),
        judged(2, ties("a", 3, 4), prefers("b", 3, 4)),
        judged(3, prefers("a", 5, 6), prefers("b", 5, 6)),
    ]
    found = agreement(rows)
    assert found.all.mean == pytest.approx(2 / 3)
    assert (found.directed.mean, found.directed.n, found.ties) == (1.0, 1, 2)


def test_sides_and_the_order_of_raters_change_nothing():
    rows = [
        judged(1, prefers("a", 1, 2, order=(1, 2)), prefers("b", 1, 2, order=(2, 1))),
        judged(2, prefers("a", 3, 4, order=(3, 4)), prefers("c", 4, 3, order=(3, 4))),
        judged(3, prefers("b", 5, 6), prefers("c", 5, 6, "significantly")),
    ]
    turned = [dataclasses.replace(row, answers=row.answers[::-1]) for row in rows[::-1]]
    first, second = agreement(rows), agreement(turned)
    assert first.all.mean == second.all.mean
    assert first.all.low == pytest.approx(second.all.low)
    assert first.by_strength == second.by_strength


def test_people_and_simulated_raters_are_kept_apart():
    row = judged(
        1,
        prefers("a", 1, 2),
        prefers("s", 2, 1, source="simulated"),
        prefers("t", 2, 1, source="simulated"),
    )
    assert agreement([row]).all.n == 0
    assert math.isnan(agreement([row]).all.mean)
    assert agreement([row], "simulated").all.mean == 1.0


def test_a_hidden_repeat_is_no_second_rater_and_a_late_label_is():
    repeat = judged(1, prefers("a", 1, 2), prefers("a", 2, 1, occasion=1))
    assert meetings([repeat]) == []
    late = judged(1, prefers("a", 1, 2), prefers("b", 1, 2, late=True, counted=False))
    assert len(meetings([late])) == 1


def test_each_rating_is_counted_under_its_own_strength():
    rows = [
        judged(1, prefers("a", 1, 2, "significantly"), prefers("b", 1, 2, "slightly")),
        judged(2, prefers("a", 3, 4, "slightly"), prefers("b", 4, 3, "slightly")),
    ]
    shares = {s: (i.mean, i.n) for s, i in agreement(rows).by_strength.items()}
    assert shares == {"significantly": (1.0, 1), "slightly": (pytest.approx(1 / 3), 3)}


def test_all_agreeing_is_not_certainty():
    rows = [judged(i, prefers("a", 1, 2), prefers("b", 1, 2)) for i in range(24)]
    found = agreement(rows).all
    assert found.high == pytest.approx(1.0)
    assert found.low == pytest.approx(wilson(24, 24)[0])


def test_one_comparison_says_next_to_nothing():
    found = agreement([judged(1, prefers("a", 1, 2), prefers("b", 1, 2))]).all
    assert (found.low, found.high) == (0.0, 1.0)


def test_the_two_way_variance_equals_the_sum_over_all_pairs_that_share_something():
    random = np.random.default_rng(0)
    rows = []
    for comparison in range(30):
        raters = random.choice(5, size=3, replace=False)
        answers = [prefers(str(r), *random.permutation([1, 2]).tolist()) for r in raters]
        rows.append(judged(comparison, *answers))
    met = meetings(rows)
    e = np.array([m.agrees for m in met], dtype=float)
    e -= e.mean()
    brute = sum(
        e[i] * e[j]
        for i in range(len(met))
        for j in range(len(met))
        if met[i].comparison == met[j].comparison or set(met[i].raters) & set(met[j].raters)
    )
    assert _dyadic_square(e, met, _codes([m.comparison for m in met])) == pytest.approx(brute)


def test_clusters_widen_the_interval_and_their_coverage_is_near_nominal():
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        shares = random.beta(6, 3, size=60)
        values = (random.random((60, 5)) < shares[:, None]).astype(float).ravel()
        found = cluster_interval(values, np.repeat(np.arange(60), 5).tolist())
        covered += found.low <= 2 / 3 <= found.high
    assert covered / 300 == pytest.approx(0.95, abs=0.03)
    naive = cluster_interval(values, list(range(300)))
    assert naive.high - naive.low < found.high - found.low


def test_no_values_give_no_number():
    found = cluster_interval([], [])
    assert found.n == 0
    assert math.isnan(found.mean)


def test_the_logistic_slope_is_the_maximum_of_the_likelihood():
    random = np.random.default_rng(2)
    steps = random.integers(0, 4, size=1500)
    strengths = [STRENGTHS[3 - step] for step in steps]
    correct = random.random(1500) < special.expit(0.2 + 0.5 * steps)

    def loss(beta):
        eta = beta[0] + beta[1] * steps
        return float(np.sum(np.logaddexp(0, eta) - correct * eta))

    best = optimize.minimize(loss, [0.0, 0.0], tol=1e-12).x
    found = logistic_slope(correct, strengths)
    assert (found.intercept, found.slope) == (
        pytest.approx(best[0], abs=1e-4),
        pytest.approx(best[1], abs=1e-4),
    )
    assert found.slope == pytest.approx(0.5, abs=3 * found.se)
    assert found.p < 1e-6
    assert sum(found.counts.values()) == 1500


def test_a_slope_of_nothing_is_not_significant_more_often_than_it_may_be():
    random = np.random.default_rng(3)
    strengths = [STRENGTHS[i % 4] for i in range(400)]
    p = [logistic_slope(random.random(400) < 0.7, strengths).p for _ in range(200)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.04)


@pytest.mark.parametrize(
    ("correct", "strengths"),
    [
        ([1, 1, 1], ["better", "slightly", "negligibly"]),
        ([1, 0, 1], ["better", "better", "better"]),
        ([1, 1, 0, 0], ["significantly", "better", "slightly", "negligibly"]),
        ([], []),
    ],
)
def test_a_separated_outcome_has_no_slope(correct, strengths):
    assert math.isnan(logistic_slope(correct, strengths).slope)

"""Rules that make one verdict of many labels: against the planted truth, and by symmetry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labeling import aggregates, aggregation
from labeling.aggregates import Votes
from labeling.judgements import Answer, Judged, JudgedCompletion
from models_runtime.records import Preference

CROWD = {"ada": 0.9, "ben": 0.85, "cem": 0.8, "dot": 0.5, "eve": 0.5, "fay": 0.2}
LEARNED = ("weighted", "dawid_skene", "mace", "bradley_terry")


def judged(number: int, says: dict[str, int | None], ids: tuple[int, int] | None = None) -> Judged:
    """A comparison of two: by rater whether the first (1) or the second (0) is better, or None
    for a tie."""
    one, other = ids or (10 * number + 1, 10 * number + 2)
    answers = [
        Answer(
            label=100 * number + place,
            rater=rater,
            source="person",
            preferences=[]
            if said is None
            else [Preference(*((one, other) if said else (other, one)), "better")],
            ties=[[one, other]] if said is None else [],
        )
        for place, (rater, said) in enumerate(says.items())
    ]
    texts = [JudgedCompletion(pk, f"text {pk}") for pk in (one, other)]
    return Judged(
        number, 1, number, f"item {number}", "train", "policy", "random", [], texts, answers
    )


def crowd(seed: int = 0, n: int = 300) -> tuple[list[Judged], np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    says = [
        {name: int(t if rng.random() < right else 1 - t) for name, right in CROWD.items()}
        for t in truth
    ]
    return [judged(number, row) for number, row in enumerate(says)], truth


def fitted(rows: list[Judged], rule: str, gold: dict | None = None) -> aggregates.Aggregated:
    votes = Votes()
    for row in rows:
        votes.see(row)
    return aggregates.fit(votes, rule, gold)


def right(rows: list[Judged], truth: np.ndarray, rule: str) -> float:
    found = fitted(rows, rule)
    verdicts = [found.decide(row).preferences for row in rows]
    said = [
        bool(v) and (v[0].chosen == 10 * n + 1) == bool(truth[n]) for n, v in enumerate(verdicts)
    ]
    return float(np.mean(said))


def test_the_rule_majority_is_the_majority() -> None:
    rows, _ = crowd()
    found = fitted(rows, "majority")
    for row in rows:
        assert found.decide(row) == aggregation.decide(row)


@pytest.mark.parametrize("rule", LEARNED)
def test_a_rule_that_weighs_raters_is_nearer_to_the_truth(rule: str) -> None:
    rows, truth = crowd()
    assert right(rows, truth, rule) > right(rows, truth, "majority") + 0.1


@pytest.mark.parametrize("rule", [*LEARNED, "majority"])
def test_soft_labels_add_up_and_ids_change_nothing(rule: str) -> None:
    rows, _ = crowd(n=60)
    turned = [
        judged(
            row.comparison,
            {
                a.rater: 1 - int(a.preferences[0].chosen < a.preferences[0].rejected)
                for a in row.answers
            },
        )
        for row in rows
    ]
    plain, other = fitted(rows, rule), fitted(turned, rule)
    for row in rows:
        pair = (10 * row.comparison + 1, 10 * row.comparison + 2)
        mine, theirs = plain.soft(row.comparison, pair), other.soft(row.comparison, pair)
        assert mine
        assert theirs
        assert mine.one + mine.tie + mine.other == pytest.approx(1, abs=1e-5)
        assert mine.one == pytest.approx(theirs.other, abs=1e-4)
        assert 0 <= mine.difficulty <= 1


def test_gold_says_who_counts_where_raters_are_too_few_to_tell() -> None:
    rows = [judged(n, {"ada": 1, "ben": 0}) for n in range(4)]
    gold = {"ada": (19, 20), "ben": (11, 20)}
    found = fitted(rows, "weighted", gold)
    assert found.raters["ada"] == pytest.approx(20 / 22, abs=1e-6)
    assert found.decide(rows[0]).preferences[0].chosen == 1
    assert fitted(rows, "weighted").decide(rows[0]).undecided == [[1, 2]]


def test_ties_flags_and_a_leads_decision_are_kept() -> None:
    tied = judged(1, {"ada": None, "ben": None, "cem": 1})
    flagged = replace(judged(2, {"ada": 1}), flags=["broken"])
    decided = replace(judged(3, {"ada": 1, "ben": 1}), resolved=judged(3, {"lead": 0}).answers[0])
    found = fitted([tied, flagged, decided], "majority")
    assert found.decide(tied).ties == [[11, 12]]
    assert found.decide(flagged).reason == "flagged"
    assert found.decide(decided).preferences[0].chosen == 32
    assert found.soft(2, (21, 22)) is None


def test_no_vote_and_no_such_rule_are_answered() -> None:
    assert fitted([], "mace").raters == {}
    with pytest.raises(ValueError, match="no rule named guess"):
        fitted([], "guess")

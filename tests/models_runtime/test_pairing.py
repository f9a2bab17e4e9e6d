"""Which completions are compared: distinct texts only, by a named strategy, reproducibly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models_runtime.pairing import (
    NEEDS_EMBEDDINGS,
    STRATEGIES,
    Candidate,
    choose,
    choose_groups,
)


def unit(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)


def fan(*degrees: float) -> list[Candidate]:
    """Candidates 10, 11, ... whose embeddings point in the given directions."""
    return [Candidate(10 + n, f"text {n}", unit(angle)) for n, angle in enumerate(degrees)]


def pairs_of(candidates, strategy, **settings) -> list[tuple[int, ...]]:
    settings = {"seed": 0, **settings}
    return [row.ids for row in choose({1: candidates}, strategy, **settings)[1]]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_identical_texts_are_paired_once_and_never_with_each_other(strategy):
    """Six completions, three texts, two groups: of three possible pairs, each once at most."""
    texts = ["a", "a", "b", "b", "c", "c"]
    rows = [Candidate(n, text, unit(40 * n), group=n % 2) for n, text in enumerate(texts)]
    for seed in range(20):
        chosen = pairs_of(rows, strategy, seed=seed, count=10)
        named = [tuple(sorted(texts[n] for n in pair)) for pair in chosen]
        assert len(named) == len(set(named)) <= 3
        assert all(first != second for first, second in named)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_distinct_text_gives_no_pair(strategy):
    same = [Candidate(n, "a", unit(0), group=n) for n in range(4)]
    assert choose({1: same, 2: [], 3: same[:1]}, strategy, seed=0) == {1: [], 2: [], 3: []}


def test_easy_takes_the_least_similar_and_hard_the_most():
    candidates = fan(0, 10, 90, 130)
    assert pairs_of(candidates, "easy") == [(10, 13)]
    assert pairs_of(candidates, "hard") == [(10, 11)]
    assert pairs_of(candidates, "easy", count=2) == [(10, 13), (11, 13)]


def test_the_score_is_the_cosine_and_the_propensity_one():
    row = choose({1: fan(0, 60)}, "easy", seed=0)[1][0]
    assert row.score == pytest.approx(0.5, abs=1e-6)
    assert (row.strategy, row.propensity) == ("easy", 1.0)


def test_centroid_takes_the_completions_nearest_to_two_centres():
    """Two clusters, 0 5 10 and 90 95 100: their centres are nearest to 5 and 95."""
    assert pairs_of(fan(0, 5, 10, 90, 95, 100), "centroid") == [(11, 14)]


def test_random_is_uniform_and_says_its_propensity():
    candidates = fan(0, 10, 20, 30)
    prompts = {prompt: candidates for prompt in range(6000)}
    rows = [row for chosen in choose(prompts, "random", seed=3).values() for row in chosen]
    assert {row.propensity for row in rows} == {1 / 6}
    _, counts = np.unique([row.ids for row in rows], axis=0, return_counts=True)
    assert len(counts) == 6
    assert ((counts - 1000) ** 2 / 1000).sum() < 20.5  # chi-square, 5 degrees, p = .001
    assert {row.propensity for row in choose({1: candidates}, "random", seed=3, count=3)[1]} == {
        1 / 2
    }


def test_which_of_identical_texts_stands_for_them_is_drawn():
    rows = [Candidate(1, "a", group=0), Candidate(2, "a", group=1), Candidate(3, "b")]
    chosen = choose({prompt: rows for prompt in range(200)}, "random", seed=0)
    first = [pairs[0].ids[0] for pairs in chosen.values()]
    assert 70 < first.count(1) < 130


def test_across_pairs_one_policy_with_another():
    rows = [Candidate(n, f"t{n}", group=n // 2) for n in range(4)]
    for seed in range(20):
        ((first, second),) = pairs_of(rows, "across", seed=seed)
        assert first < 2 <= second
    assert pairs_of(rows[:2], "across") == []


def test_a_prompts_pairs_do_not_depend_on_other_prompts_or_on_order():
    one, two = fan(0, 20, 50), fan(0, 70, 80)
    together = choose({1: one, 2: two}, "random", seed=9)
    assert choose({2: two[::-1]}, "random", seed=9)[2] == together[2]


@pytest.mark.parametrize("strategy", sorted(NEEDS_EMBEDDINGS))
def test_embeddings_that_are_missing_are_named(strategy):
    rows = [Candidate(n, f"t{n}") for n in range(4)]
    with pytest.raises(ValueError, match="needs embeddings"):
        choose({1: rows}, strategy, seed=0)


def test_random_needs_no_embeddings_and_an_unknown_strategy_is_refused():
    rows = [Candidate(n, f"t{n}") for n in range(2)]
    assert choose({1: rows}, "random", seed=0)[1][0].score is None
    with pytest.raises(ValueError, match="no pairing strategy clever"):
        choose({1: rows}, "clever", seed=0)


def _texts(count: int) -> list[Candidate]:
    return [Candidate(10 + n, f"text {n}") for n in range(count)]


@pytest.mark.parametrize("size", [1, 3, 4, 9])
def test_groups_have_that_many_texts_and_are_all_different(size: int) -> None:
    found = choose_groups({1: _texts(9)}, size, seed=0, count=6)[1]
    assert len(found) == min(6, math.comb(9, size))
    assert len({group.ids for group in found}) == len(found)
    assert all(len(set(group.ids)) == size for group in found)


def test_disjoint_groups_come_first() -> None:
    first, second, third = choose_groups({1: _texts(9)}, 3, seed=5, count=3)[1]
    assert sorted(first.ids + second.ids + third.ids) == list(range(10, 19))


def test_a_prompt_with_fewer_texts_has_one_group_of_them_all() -> None:
    few = {1: _texts(3), 2: _texts(1), 3: [Candidate(1, "same"), Candidate(2, "same")]}
    found = choose_groups(few, 4, seed=0, count=5)
    assert [group.ids for group in found[1]] == [(10, 11, 12)]
    assert found[2] == found[3] == []


def test_a_group_of_none_is_the_prompt_alone_once() -> None:
    found = choose_groups({1: [], 2: _texts(4)}, 0, seed=0, count=5)
    assert [[group.ids for group in groups] for groups in found.values()] == [[()], [()]]


def test_a_groups_propensity_is_how_often_a_pair_of_it_is_expected() -> None:
    """8 texts, 3 groups of 4: 3 * 6 of 28 pairs; checked against the mean over many draws."""
    together = 0
    draws = 2000
    for seed in range(draws):
        groups = choose_groups({1: _texts(8)}, 4, seed=seed, count=3)[1]
        assert groups[0].propensity == pytest.approx(3 * 6 / 28)
        together += sum({10, 11} <= set(group.ids) for group in groups)
    assert together / draws == pytest.approx(3 * 6 / 28, abs=0.04)
    [single] = choose_groups({1: _texts(8)}, 1, seed=0, count=1)[1]
    assert single.propensity == 1 / 8


def test_groups_depend_on_nothing_but_the_seed_and_the_prompt() -> None:
    alone = choose_groups({7: _texts(8)}, 4, seed=3, count=2)[7]
    others = {5: _texts(6), 7: list(reversed(_texts(8)))}
    assert choose_groups(others, 4, seed=3, count=2)[7] == alone
    assert choose_groups({7: _texts(8)}, 4, seed=4, count=2)[7] != alone

"""Agreement where it is high and where it is low: by strength, by similarity, by ranking; and
which cards are hard."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from labeling import quality, similarity
from labeling.conditions import ALL_ALIKE, NO_TEXTS
from labeling.measures import Said
from labeling.statistics import rankings
from labeling.statistics.estimates import NOBODY_TWICE
from tests.labeling.test_quality import MONDAY, PAIR, says

CARDS = 160
RANKED = {"order": {"type": "ranking"}}


def crowd(n: int = CARDS, seed: int = 1) -> list[Said]:
    """Four raters; on even cards all see the better one and say so, on odd ones they guess."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        for rater in range(1, 5):
            sure = number % 2 == 0
            chosen = 1 if rng.random() < (0.95 if sure else 0.5) else 2
            rows.append(says(number, rater, chosen, strength="better" if sure else "negligibly"))
    return rows


def test_who_sees_a_great_difference_agrees_more() -> None:
    found = {row["strength"]: row for row in quality.report(crowd(), PAIR)["strengths"]}
    sure, unsure = found["better"], found["negligibly"]
    assert sure["low"] < 0.95**2 + 0.05**2 < sure["high"]
    assert unsure["low"] < 0.5 < unsure["high"]
    assert sure["n"] == unsure["n"] == CARDS // 2 * 4 * 3
    assert sure["alike"][0] < sure["value"] < sure["alike"][1]


def test_texts_that_are_alike_are_told_apart_less_well() -> None:
    alike = {n: 0.1 if n % 2 == 0 else 0.9 for n in range(CARDS)}
    found = quality.report(crowd(), PAIR, similarity=alike)["similarity"]
    assert [band["from"] for band in found["bands"]] == [0.1, 0.9]
    assert [band["cards"] for band in found["bands"]] == [CARDS // 2] * 2
    apart, near = found["bands"]
    assert apart["low"] > near["high"]


def test_without_texts_or_without_spread_a_sentence_stands_there() -> None:
    assert quality.report(crowd(), PAIR)["similarity"]["undefined"] == NO_TEXTS
    same = dict.fromkeys(range(CARDS), 0.5)
    assert quality.report(crowd(), PAIR, similarity=same)["similarity"]["undefined"] == ALL_ALIKE
    assert quality.report([], PAIR)["similarity"]["undefined"] == NOBODY_TWICE


def test_similarity_is_the_share_of_words_in_common() -> None:
    assert similarity.of_texts("One two three", "three, two four!") == pytest.approx(2 / 4)
    assert similarity.of_texts("Same words", "words same") == 1
    assert similarity.of_texts("?", "!") == 0


def test_the_cards_that_were_guessed_at_are_the_hardest() -> None:
    found = quality.report(crowd(), PAIR)["difficulty"]
    assert found["learned"]
    assert found["cards"] == sum(found["tenths"]) == CARDS
    assert sum(row["comparison"] % 2 for row in found["hardest"][:15]) >= 14
    assert all(sum(row["votes"]) == 4 for row in found["hardest"])


def test_two_raters_are_held_against_each_other_by_cohen_and_scott() -> None:
    rows = [said for said in crowd() if said.rater < 3]
    figures = quality.report(rows, PAIR)["measures"][0]["figures"]
    for name in ("cohen", "scott", "cohen_weighted"):
        assert figures[name]["low"] < figures[name]["value"] < figures[name]["high"]
        assert figures[name]["pairs"] == figures[name]["met"] == 1
        assert figures[name]["alike"] is None
    assert figures["scott"]["value"] == pytest.approx(figures["kappa"]["value"], abs=1e-9)


def ranks(number: int, rater: int, tiers: list[list[int]]) -> Said:
    return Said(
        number, number, rater, {"order": {"type": "ranking", "tiers": tiers}}, [], 9_000, MONDAY
    )


def test_rankings_have_w_and_tau_with_their_ties() -> None:
    rng = np.random.default_rng(0)
    places = rng.integers(0, 3, (20, 3, 4))
    rows, every = [], []
    for number, of_card in enumerate(places):
        for rater, row in enumerate(of_card):
            tiers = [[int(i) for i in np.flatnonzero(row == tier)] for tier in range(3)]
            rows.append(ranks(number, rater, [tier for tier in tiers if tier]))
        every.append(of_card.astype(float))
    figures: dict[str, Any] = quality.report(rows, RANKED)["measures"][0]["figures"]
    w = [rankings.kendall_w(card).value for card in every]
    taus = [rankings.tau_b(a, b).value for card in every for a, b in combinations(card, 2)]
    known = [one for one in taus if one is not None]
    assert figures["w"]["value"] == pytest.approx(np.mean([one for one in w if one is not None]))
    assert figures["tau"]["value"] == pytest.approx(np.mean(known))
    assert figures["tau"]["alike"][0] < figures["tau"]["value"] < figures["tau"]["alike"][1]


def test_alphas_level_is_that_of_the_scale() -> None:
    def level(scale: str) -> str:
        parts = {"points": {"type": "rating", "scale": scale}}
        stored = {"type": "rating", "ratings": [{"completion": 5, "values": {"value": 1}}]}
        rows = [Said(1, 1, rater, {"points": stored}, [], 1, MONDAY) for rater in (1, 2)]
        return str(quality.report(rows, parts)["measures"][0]["level"])

    assert level("likert7") == "interval"
    assert level("acceptability") == "ordinal"

"""How raters work, planted and found: sides, lengths, pauses, runs, strengths."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from labeling import quality, rater_figures
from labeling.measures import Said
from labeling.statistics.biases import binomial
from tests.labeling.test_quality import MONDAY, PAIR, says


def row(rows: list[Said], rater: int = 1, **more: Any) -> dict[str, Any]:
    found = quality.report(rows, PAIR, **more)["raters"]
    return next(one for one in found if one["rater"] == rater)


def test_one_raters_side_is_exact_and_that_of_several_is_over_raters() -> None:
    alone = rater_figures.first_share([30], [40])
    assert alone == binomial(30, 40)
    both = rater_figures.first_share([30, 10], [40, 40])
    assert both.share.value == pytest.approx(0.5)
    assert both.p is None
    assert both.share.high - both.share.low > binomial(40, 80).share.high - 0.5


def test_what_was_not_spent_on_the_card_between_answers_is_idle() -> None:
    """Half a minute between answers, ten seconds of it on the card; a night is no pause."""
    rows = [
        says(
            n,
            1,
            1,
            milliseconds=10_000,
            at=MONDAY + timedelta(days=n // 10, seconds=30 * (n % 10)),
        )
        for n in range(30)
    ]
    idle = row(rows)["idle"]
    assert idle["value"] == pytest.approx(2 / 3)
    assert idle["n"] == 3
    assert row(rows[:1])["idle"]["undefined"] == rater_figures.NO_SESSION


def test_the_longest_run_for_a_side_is_in_the_order_of_time() -> None:
    sides = [1, 1, 2, 1, 1, 1, None, 1, 1, 1, 1]
    rows = [says(n, 1, side, at=MONDAY + timedelta(minutes=n)) for n, side in enumerate(sides)]
    assert row(rows[::-1])["run"] == 4


def test_each_rater_has_a_leaning_to_length_of_their_own() -> None:
    rng = np.random.default_rng(5)
    rows = [
        says(n, rater, 1 if rng.random() < (0.9 if rater == 1 else 0.5) else 2)
        for n in range(150)
        for rater in (1, 2)
    ]
    lengths = {10 * n + pk: (200, 100)[pk - 1] if n % 2 else (150, 100)[pk - 1]
               for n in range(150) for pk in (1, 2)}  # fmt: skip
    leaning = {one: row(rows, one, lengths=lengths)["length"] for one in (1, 2)}
    assert leaning[1]["low"] > 1
    assert leaning[2]["low"] < 0 < leaning[2]["high"]


def test_strengths_and_ties_are_counted_by_rater() -> None:
    rows = [says(n, 1, 1, strength="slightly") for n in range(6)]
    rows += [says(n, 1, 1) for n in range(6, 8)] + [says(8, 1, None), says(9, 1, None)]
    found = row(rows)
    assert found["strengths"] == {"slightly": 6, "better": 2}
    assert found["ties"] == pytest.approx(0.2)
    assert found["tied"]["low"] < 0.2 < found["tied"]["high"]

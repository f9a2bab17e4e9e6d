"""What is said of a reward model: calibration, one temperature, and how much is length."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from training.length import share_of_gain
from training.reward_report import calibration, measure, temperature


def row(delta: float, prompt: int = 0, **more: Any) -> dict[str, Any]:
    correct = 0.5 if delta == 0 else float(delta > 0)
    fixed = {"comparison_id": 0, "iteration": 0, "strength": "better", "by_length": 0.5}
    ends = {"rewards": [delta, 0.0], "tokens": [5, 5]}
    return {**fixed, **ends, "prompt_id": prompt, "delta": delta, "correct": correct, **more}


def sampled(count: int, sharpness: float) -> list[dict[str, Any]]:
    """Pairs whose preferred answer follows sigmoid(gap) and whose model says sharpness * gap."""
    draw = random.Random(0)
    rows = []
    for number in range(count):
        gap = draw.gauss(0, 1.5)
        right = draw.random() < 1 / (1 + math.exp(-abs(gap)))
        rows.append(row(sharpness * abs(gap) * (1 if right else -1), prompt=number))
    return rows


def test_the_temperature_of_three_right_of_four_by_hand() -> None:
    """sigmoid(2 / T) = 3/4 at T = 2 / log 3."""
    rows = [row(2.0), row(2.0), row(2.0), row(-2.0)]
    assert temperature(rows) == pytest.approx(2 / math.log(3), abs=1e-6)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_made_the_model_too_sure(sharpness: float) -> None:
    assert temperature(sampled(4000, sharpness)) == pytest.approx(sharpness, rel=0.1)


def test_an_honest_model_is_calibrated_and_one_too_sure_is_after_the_fit() -> None:
    honest = calibration(sampled(4000, 1.0), margins=False)
    assert honest["before"]["ece"] < 0.02
    sure = calibration(sampled(4000, 3.0), margins=True)
    assert sure["margins"] is True
    assert sure["before"]["ece"] > 0.1
    assert sure["after"]["ece"] < 0.02
    assert sure["after"]["nll"] < sure["before"]["nll"]


def test_a_bin_says_what_was_predicted_and_what_was_seen() -> None:
    """Deltas of log 3 predict 3/4; three of four are right, so nothing is off."""
    rows = [row(math.log(3), prompt=n) for n in range(3)] + [row(-math.log(3), prompt=3)]
    found = calibration(rows, margins=False)["before"]
    [only] = found["bins"]
    assert (only["low"], only["high"], only["n"]) == (0.75, 0.8, 4)
    assert only["predicted"] == pytest.approx(0.75)
    assert (only["observed"], found["ece"]) == (0.75, pytest.approx(0.0, abs=1e-9))


def test_separable_pairs_have_a_temperature_all_the_same() -> None:
    found = calibration([row(5.0, prompt=n) for n in range(6)], margins=False)
    assert math.isfinite(found["after"]["nll"])
    assert found["temperature"] > 0
    assert calibration([row(1e4), row(-1e4, prompt=1)], margins=False)["before"]["nll"] == 5e3


def test_no_pair_is_no_figure() -> None:
    found = measure([], 0)
    assert found["calibration"] == {"n": 0, "margins": False}
    assert (found["accuracy"], found["length"]["by_length"]) == (None, None)


def test_the_share_of_a_gain_that_is_length_by_hand() -> None:
    before, after = [(10, 0.0), (30, 1.0)], [(10, 0.5), (30, 1.5), (30, 1.5)]
    found = share_of_gain(before, after)
    assert found["gain"] == pytest.approx(2 / 3)
    assert found["within"] == pytest.approx(0.5)
    assert found["by_length"] == pytest.approx(0.25)
    assert found["covered"] == 1.0


def test_a_reward_of_length_alone_is_all_length_and_one_blind_to_it_none() -> None:
    draw = random.Random(0)
    short = [draw.randrange(0, 80) for _ in range(2000)]
    long = [draw.randrange(20, 100) for _ in range(2000)]
    length = [[(t, t // 20 + 0.0) for t in tokens] for tokens in (short, long)]
    assert share_of_gain(*length)["by_length"] == pytest.approx(1.0)
    blind = [[(t, value) for t in tokens] for tokens, value in ((short, 0.0), (long, 1.0))]
    assert share_of_gain(*blind)["by_length"] == pytest.approx(0.0)


def test_lengths_that_never_meet_say_nothing() -> None:
    found = share_of_gain([(5, 0.0)], [(50, 1.0)])
    assert (found["by_length"], found["covered"]) == (None, 0.0)


def test_the_report_takes_gain_from_rejected_to_chosen() -> None:
    rows = [row(1.0, tokens=[30, 10], rewards=[1.0, 0.0]), row(1.0, rewards=[0.5, -0.5])]
    found = measure(rows, 0)["length"]
    assert found["gain"] == 1.0
    assert found["covered"] == 0.5


def test_an_ensembles_pairs_are_told_apart_by_whether_heads_agree() -> None:
    rows = [row(1.0, agree=True), row(1.0, agree=True), row(-0.1, agree=False)]
    found = measure(rows, 0)
    assert found["heads_agree"] == {"n": 2, "accuracy": 1.0}
    assert found["heads_differ"] == {"n": 1, "accuracy": 0.0}
    assert "heads_agree" not in measure([row(1.0)], 0)

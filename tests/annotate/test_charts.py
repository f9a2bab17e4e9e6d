"""Plots as geometry: round ticks, nothing outside the frame, stated degenerate cases."""

from __future__ import annotations

import math
import re

import pytest

from annotate import charts, shares
from annotate.charts import Estimate


def numbers(path: str) -> list[float]:
    return [float(one) for one in re.findall(r"-?[\d.]+", path)]


def test_a_line_lies_within_its_frame() -> None:
    line = charts.line("loss", [(step, math.sin(step) * 3) for step in range(2000)])
    assert line is not None
    values = numbers(line.path)
    assert all(40 <= x <= 316 for x in values[::2])
    assert all(0 <= y <= 110 for y in values[1::2])
    assert len(values) <= 2 * 2 * charts.POINTS


@pytest.mark.parametrize("points", [[], [(1, 0.5)], [(1, math.nan), (2, math.inf), (3, 1.0)]])
def test_without_two_finite_points_there_is_no_line(points: list[tuple[float, float]]) -> None:
    assert charts.line("loss", points) is None


def test_a_constant_line_is_drawn() -> None:
    line = charts.line("kl", [(1, 0.0), (2, 0.0)])
    assert line is not None
    assert line.path.startswith("M40")


@pytest.mark.parametrize(
    ("top", "labels"),
    [
        (7, ["0", "5", "10"]),
        (0.00097, ["0", "0.0005", "0.001"]),
        (1234, ["0", "500", "1,000", "1,500"]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(top: float, labels: list[str]) -> None:
    _, ticks = charts._axis(0, top, 0, 100, 3 if top > 1000 else 2)
    assert [tick.label for tick in ticks] == labels


def test_bars_stack_people_and_simulated_raters() -> None:
    drawn = charts.bars([("10:00", 3, 1), ("10:01", 0, 0)])
    first, second = drawn.bars
    assert first.low[1] == pytest.approx(3 * first.high[1], abs=0.2)
    assert (second.low[1], second.high[1]) == (0, 0)


def test_a_trend_needs_a_measured_share() -> None:
    assert charts.trend([Estimate("1", None)]) is None
    drawn = charts.trend([Estimate("0", 0.5, 0.5, 0.5), Estimate("1", 0.64, 0.6, 0.69, 0.7)])
    assert drawn is not None
    assert drawn.line.count("L") == 1
    assert drawn.band.endswith("Z")


def test_the_left_side_s_share_has_an_exact_interval() -> None:
    """Clopper-Pearson of 8 of 10: .4439 to .9748; two-sided p of 8 or more of 10: .109375."""
    share = shares.binomial(8, 10)
    assert (round(share.low, 4), round(share.high, 4)) == (0.4439, 0.9748)
    assert share.p == pytest.approx(0.109375)
    assert shares.binomial(0, 0).share is None


def test_how_little_24_labels_show() -> None:
    said = shares.certainty(24)
    assert said is not None
    assert (round(said["low"], 2), round(said["high"], 2)) == (0.29, 0.71)
    assert shares.certainty(1000) is None

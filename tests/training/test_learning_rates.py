"""One schedule of the learning rate, whichever trainer runs: the rates of every step by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training import tiny
from training.configs import parse

# Four steps at rate 1 falling to .1; cosine: .1 + .9 * (1 + cos(pi * share)) / 2.
RATES: dict[str, tuple[dict[str, Any], list[float]]] = {
    "linear": ({"schedule": "linear", "warmup": 0.0}, [1.0, 0.775, 0.55, 0.325]),
    "cosine": ({"schedule": "cosine", "warmup": 0.0}, [1.0, 0.868198, 0.55, 0.231802]),
    "constant": ({"schedule": "constant", "warmup": 0.0}, [1.0, 1.0, 1.0, 1.0]),
    "a quarter warms up": ({"schedule": "linear", "warmup": 0.25}, [0.5, 1.0, 0.7, 0.4]),
    "all of it warms up": ({"schedule": "linear", "warmup": 1.0}, [0.2, 0.4, 0.6, 0.8]),
    "no floor": (
        {"schedule": "linear", "warmup": 0.0, "final_learning_rate": 0.0},
        [1.0, 0.75, 0.5, 0.25],
    ),
    "a floor as high as the start": (
        {"schedule": "cosine", "warmup": 0.0, "final_learning_rate": 1.0},
        [1.0, 1.0, 1.0, 1.0],
    ),
}


@pytest.mark.parametrize("name", RATES)
def test_rates_by_hand(name: str) -> None:
    options, expected = RATES[name]
    config = parse("reward", {"learning_rate": 1.0, **options})
    assert [config.rate_at(step, 4) for step in range(4)] == pytest.approx(expected, abs=5e-7)


@pytest.mark.training
@pytest.mark.parametrize("method", ["reward", "dpo", "sft"])
@pytest.mark.parametrize("name", ["linear", "all of it warms up"])
def test_every_method_trains_at_those_rates(tmp_path: Path, method: str, name: str) -> None:
    options, expected = RATES[name]
    steps = {"learning_rate": 1e-4, "batch_size": 5, "epochs": 1}  # 20 rows
    folder = tiny.train(tmp_path, method, {**steps, **options})
    rates = [row["learning_rate"] / 1e-4 for row in tiny.metrics_of(folder)]
    assert rates == pytest.approx(expected, abs=5e-7)

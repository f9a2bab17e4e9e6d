"""A reference asked once, before training, says what one held beside the policy says."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from tests.training import tiny
from training.configs import parse
from training.memory import Dimensions, Load, need
from training.task import Task
from training.trl_adapter.base import OurTrainer

pytestmark = pytest.mark.training

QUICK: dict[str, Any] = {
    "learning_rate": 2e-2, "batch_size": 8, "max_new_tokens": 4, "panel": 0, "guard": "off",
}  # fmt: skip
OTHERS = {"dpo": {}, "kto": {"learn_from": "pairs"}}


@pytest.mark.long
@pytest.mark.parametrize("method", OTHERS)
def test_every_step_is_the_same(tmp_path: Path, method: str) -> None:
    given = {**QUICK, **OTHERS[method], "epochs": 2}
    inputs = {"reference": tiny.make_policy(tmp_path / "reference", seed=3)}
    held, asked = (
        tiny.metrics_of(
            tiny.train(tmp_path / str(on), method, {**given, "precompute_reference": on}, **inputs)
        )
        for on in (False, True)
    )
    assert len(held) == len(asked) > 2
    for one, two in zip(held, asked, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], abs=1e-6)
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("method", OTHERS)
def test_no_second_model_is_held_while_the_policy_trains(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[weakref.ref[Any]] = []
    load = Task.load_reference

    def noted(self: Task) -> Any:
        model = load(self)
        loaded.append(weakref.ref(model))
        return model

    held: list[bool] = []

    def looked(self: Any, *given: Any, **named: Any) -> Any:
        gc.collect()
        held.append(any(one() is not None for one in loaded))
        return step(self, *given, **named)

    step = OurTrainer.training_step
    monkeypatch.setattr(Task, "load_reference", noted)
    monkeypatch.setattr(OurTrainer, "training_step", looked)
    for on in (False, True):
        held.clear()
        loaded.clear()
        options = {**QUICK, **OTHERS[method], "precompute_reference": on, "batch_size": 20}
        tiny.train(tmp_path / str(on), method, options)
        assert held
        assert all(held) is not on
        assert any(held) is not on


def test_the_estimate_of_memory_counts_none() -> None:
    model = Dimensions(parameters=1000, layers=2, hidden=8, keys=8, inner=16, vocabulary=32)
    held, asked = (
        need("dpo", parse("dpo", {"precompute_reference": on}), model, Load(8))
        for on in (False, True)
    )
    assert held.beside == 4 * 1000
    assert asked.beside == 0

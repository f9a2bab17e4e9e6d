"""Activation checkpointing and mixed precision, as options of own loops and of the library's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from transformers.models.llama.modeling_llama import LlamaMLP

from models_runtime.jobdir import sha256_of
from tests.training import tiny
from training.configs import parse
from training.precision import is_mixed, recomputes

pytestmark = pytest.mark.training

QUICK: dict[str, Any] = {
    "learning_rate": 2e-2, "batch_size": 8, "max_new_tokens": 4, "panel": 0, "guard": "off",
}  # fmt: skip
OWN = {name: value for name, value in QUICK.items() if name not in ("panel", "guard")}


def weights(folder: Path) -> Path:
    return folder / "attempt-1" / "output" / "model.safetensors"


@pytest.fixture
def forwards(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Every pass through a layer, and whether what is in it was in training mode."""
    found: list[bool] = []
    forward = LlamaMLP.forward

    def counted(self: LlamaMLP, *given: Any, **named: Any) -> Any:
        found.append(self.training)
        return forward(self, *given, **named)

    monkeypatch.setattr(LlamaMLP, "forward", counted)
    return found


@pytest.mark.long
@pytest.mark.parametrize(("method", "given"), [("simpo", QUICK), ("reward", OWN)])
def test_own_loops_compute_a_layer_anew_and_learn_the_same(
    tmp_path: Path, forwards: list[bool], method: str, given: dict[str, Any]
) -> None:
    kept = tiny.train(tmp_path / "kept", method, given)
    once = len(forwards)
    anew = tiny.train(tmp_path / "anew", method, {**given, "activation_checkpointing": "on"})
    assert len(forwards) - once > once
    assert set(forwards[once:]) == set(forwards[:once]), "dropout would be on, or off"
    assert sha256_of(weights(kept)) == sha256_of(weights(anew))


@pytest.mark.long
@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_the_librarys_trainers_do_too(tmp_path: Path, forwards: list[bool], method: str) -> None:
    kept = tiny.train(tmp_path / "kept", method, QUICK)
    once = len(forwards)
    anew = tiny.train(tmp_path / "anew", method, {**QUICK, "activation_checkpointing": "on"})
    assert len(forwards) - once > once
    assert sha256_of(weights(kept)) == sha256_of(weights(anew))


@pytest.mark.long
@pytest.mark.parametrize("method", ["simpo", "dpo"])
def test_mixed_precision_computes_in_bfloat16_and_keeps_weights_in_float32(
    tmp_path: Path, method: str
) -> None:
    whole = tiny.train(tmp_path / "whole", method, QUICK)
    mixed = tiny.train(tmp_path / "mixed", method, {**QUICK, "mixed_precision": "on"})
    one, two = (tiny.metrics_of(folder)[0]["logps/chosen"] for folder in (whole, mixed))
    assert one != two
    assert one == pytest.approx(two, rel=0.02)
    assert {tensor.dtype for tensor in load_file(weights(mixed)).values()} == {
        tensor.dtype for tensor in load_file(weights(whole)).values()
    }


def test_left_to_itself_a_run_does_either_on_an_accelerator_alone() -> None:
    auto = parse("dpo", {})
    assert [is_mixed(auto, one) for one in ("cpu", "cuda")] == [False, True]
    assert [recomputes(auto, one) for one in ("cpu", "cuda")] == [False, True]
    told = parse("dpo", {"mixed_precision": "off", "activation_checkpointing": "on"})
    assert (is_mixed(told, "cuda"), recomputes(told, "cpu")) == (False, True)

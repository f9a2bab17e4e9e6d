"""Whole jobs of PPO, GRPO and RLOO on a tiny model, in processes as the worker starts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from models_runtime.jobdir import is_complete, sha256_of
from tests.training import tiny
from tests.training.test_run import killed_then_resumed, run

pytestmark = [pytest.mark.training, pytest.mark.long]

UNGUARDED = {"guard_kl": -1.0, "guard_valid_text": -1.0, "guard_length_growth": -1.0}
SAMPLING = {"learning_rate": 3e-3, "max_new_tokens": 6, "save_every": 2, **UNGUARDED}
PPO = {**SAMPLING, "rounds": 3, "rollouts": 8, "batch_size": 4, "epochs": 2}
OPTIONS: dict[str, dict[str, Any]] = {
    "ppo": {**PPO, "kl_target": 1.0, "value": "separate"},
    "ppo_ptx": {**PPO, "value": "shared", "reward": "length", "ptx_coef": 1.0, "ptx_ratio": 2},
    "grpo": {**SAMPLING, "batch_size": 8, "k": 4, "epochs": 4, "loss": "dapo"},
    "rloo": {**SAMPLING, "batch_size": 8, "k": 4, "epochs": 4, "reward": "bleu"},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A policy, pairs, prompts of the same numbers, and a reward model trained on the pairs."""
    root = tmp_path_factory.mktemp("world")
    inputs = {
        "policy": tiny.make_policy(root / "policy"),
        "snapshot": tiny.write_snapshot(root / "snapshot", tiny.preference_records(24, 3)),
        "prompts": tiny.write_lines(root / "prompts.jsonl", tiny.prompt_records()),
    }
    options = {"learning_rate": 1e-2, "epochs": 4, "batch_size": 4}
    config = {"method": "reward", "options": options, "select": {}}
    folder = tiny.write_job(root / "reward", "train", config, inputs)
    assert run(folder) == 0
    output = folder / "attempt-1" / "output"
    return {**inputs, "reference": inputs["policy"], "reward_model": output, "root": root}


def job(world: dict[str, Path], name: str, method: str, **options: Any) -> Path:
    inputs = {key: path for key, path in world.items() if key != "root"}
    config = {"method": method, "options": {**OPTIONS[method], **options}, "select": {}}
    return tiny.write_job(world["root"] / name, "train", config, inputs)


def finished(world: dict[str, Path], method: str) -> Path:
    """The uninterrupted run of a method, once for all the tests."""
    folder = world["root"] / f"whole-{method}"
    if not folder.exists():
        assert run(job(world, f"whole-{method}", method)) == 0
    return folder


@pytest.mark.parametrize("method", OPTIONS)
def test_a_run_moves_the_weights_and_publishes_the_policy_alone(
    world: dict[str, Path], method: str
) -> None:
    output = finished(world, method) / "attempt-1" / "output"
    assert is_complete(output)
    before = load_file(world["policy"] / "model.safetensors")
    after = load_file(output / "model.safetensors")
    assert set(after) == set(before)
    assert any(not before[name].equal(after[name]) for name in before)
    rows = tiny.metrics_of(finished(world, method))
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(value is not None for row in rows for value in row.values())


@pytest.mark.parametrize("method", OPTIONS)
def test_a_killed_run_resumes_bit_for_bit(world: dict[str, Path], method: str) -> None:
    whole = finished(world, method)
    folder = job(world, f"killed-{method}", method)
    killed_then_resumed(folder, after_step=2)
    weights = [
        sha256_of(path / "output" / "model.safetensors")
        for path in (whole / "attempt-1", folder / "attempt-2")
    ]
    assert weights[0] == weights[1]
    assert tiny.joined_metrics(folder) == tiny.joined_metrics(whole)
    first = tiny.metrics_of(folder, 2)[0]["step"]
    assert first > 1, "the second attempt began from the start"


def test_a_run_that_was_warned_resumes_and_keeps_the_warning(world: dict[str, Path]) -> None:
    folder = job(world, "killed-warned", "ppo", guard="warn", guard_valid_text=1.0)
    killed_then_resumed(folder, after_step=2)
    assert "valid text" in tiny.result_of(folder, 2)["metrics"]["last_warning"]


def test_ppo_starts_at_its_reference_and_with_the_policy_that_sampled(
    world: dict[str, Path],
) -> None:
    rows = tiny.metrics_of(finished(world, "ppo"))
    assert rows[0]["objective/kl"] == pytest.approx(0.0, abs=1e-4)
    assert rows[0]["val/ratio"] == pytest.approx(1.0, abs=1e-4)
    assert rows[-1]["objective/kl_k3"] > 1e-4
    assert [row["episode"] for row in rows] == [8.0] * 4 + [16.0] * 4 + [24.0] * 4


def test_grpo_starts_at_its_reference(world: dict[str, Path]) -> None:
    rows = tiny.metrics_of(finished(world, "grpo"))
    assert rows[0]["kl"] == pytest.approx(0.0, abs=1e-4)
    assert rows[-1]["kl"] > 1e-5


def test_prompts_that_the_snapshot_has_no_reference_for_are_counted(
    world: dict[str, Path],
) -> None:
    result = tiny.result_of(finished(world, "rloo"))
    assert result["rows"] + result["dropped"].get("without a reference", 0) == 6

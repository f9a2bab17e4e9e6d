"""A checkpoint that a run resumes from is published as the policy that it was, whoever saved it:
our loop, TRL's trainer, beside a value model, or as an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from models_runtime.jobdir import BadInput
from models_runtime.loading import load_policy
from tests.training import tiny
from training import publishing, run

pytestmark = pytest.mark.training
FAST = {"learning_rate": 1e-2, "batch_size": 4, "save_every": 3, "panel": 0}
PPO = {
    **FAST, "rounds": 5, "rollouts": 4, "value": "shared", "reward": "length",
    "max_new_tokens": 4, "guard": "warn",
}  # fmt: skip


def published(
    folder: Path, method: str, options: dict[str, Any], **inputs: Path
) -> tuple[Any, Any]:
    """(what the checkpoint of step 3 holds, the weights that were published of it)."""
    root = tiny.train(folder, method, options, **inputs)
    checkpoint = root / "attempt-1" / "checkpoints" / "step-3"
    out = tiny.write_job(
        folder / "out", "publish", {}, {"policy": folder / "policy", "step-3": checkpoint}
    )
    config = {"method": method, "options": options, "steps": [3]}
    run.publish(tiny.open_job(out), {"config": config, "seed": 7})
    made = out / "attempt-1" / "output" / "step-3"
    assert load_policy(made)  # by itself, from safetensors alone
    return checkpoint, load_file(made / "model.safetensors")


def test_of_our_own_loop(tmp_path: Path) -> None:
    checkpoint, weights = published(tmp_path, "odpo", FAST)
    held = torch.load(checkpoint / "state.pt", weights_only=True)["model"]
    assert all(torch.equal(held[name], one) for name, one in weights.items())
    assert any(not torch.equal(one, _start(tmp_path)[name]) for name, one in weights.items())


def test_of_the_librarys_trainer(tmp_path: Path) -> None:
    checkpoint, weights = published(tmp_path, "dpo", FAST)
    held = load_file(checkpoint / "model.safetensors")
    assert weights.keys() == held.keys()
    assert all(torch.equal(held[name], one) for name, one in weights.items())


def test_without_the_value_model_beside_it(tmp_path: Path) -> None:
    prompts = tiny.write_lines(tmp_path / "prompts.jsonl", tiny.prompt_records())
    checkpoint, weights = published(tmp_path, "ppo", PPO, prompts=prompts)
    held = torch.load(checkpoint / "state.pt", weights_only=True)["model"]
    assert all(torch.equal(held[f"policy.{name}"], one) for name, one in weights.items())


@pytest.mark.parametrize("method", ["odpo", "dpo"])
def test_an_adapter_is_merged(tmp_path: Path, method: str) -> None:
    """By hand: W + (alpha / rank) B A of one layer."""
    options = {**FAST, "adapter": "lora", "lora_rank": 2, "lora_alpha": 4}
    checkpoint, weights = published(tmp_path, method, options)
    name = "model.layers.0.self_attn.q_proj"
    file = "state.pt" if method == "odpo" else "adapters.pt"
    held = torch.load(checkpoint / file, weights_only=True)["model"]
    b, a = (held[f"{name}.lora_{side}.default.weight"] for side in "BA")
    expected = _start(tmp_path)[f"{name}.weight"] + 2 * b @ a
    assert b.abs().max() > 0
    torch.testing.assert_close(weights[f"{name}.weight"], expected)


@pytest.mark.long
@pytest.mark.parametrize("method", ["odpo", "dpo"])
def test_tuned_vectors_stand_in_the_embedding(tmp_path: Path, method: str) -> None:
    options = {**FAST, "adapter": "prompt", "prompt_tokens": 3, "learning_rate": 0.1}
    checkpoint, weights = published(tmp_path, method, options)
    file = "state.pt" if method == "odpo" else "adapters.pt"
    held = torch.load(checkpoint / file, weights_only=True)["model"]
    (vectors,) = (one for name, one in held.items() if "delta" in name)
    assert weights["model.embed_tokens.weight"][-3:].equal(vectors)


def test_what_holds_no_policy_is_refused(tmp_path: Path) -> None:
    tiny.make_policy(tmp_path / "policy")
    torch.save({"model": {"score.weight": torch.zeros(1, 32)}}, tmp_path / "state.pt")
    given = {"policy": tmp_path / "policy", "step-3": tmp_path}
    job = tiny.open_job(tiny.write_job(tmp_path / "out", "publish", {}, given))
    config = {"method": "odpo", "options": FAST, "steps": [3]}
    with pytest.raises(BadInput, match="does not hold the policy"):
        publishing.run(job, {"config": config})
    assert not job.output.exists()


def _start(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "policy" / "model.safetensors")

"""A run by QLoRA trains beside weights in four bits, and publishes whole ones with its adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from models_runtime.jobdir import BadInput
from models_runtime.loading import Place, load_policy, load_reward_model
from tests.training import tiny
from tests.training.nursery import Nursery
from tests.training.test_adapter_runs import job
from training.adapters import Adapters
from training.configs import parse
from training.memory import Dimensions, Load, need

pytestmark = pytest.mark.training
QUICK = {"adapter": "qlora", "learning_rate": 1e-2, "epochs": 2, "batch_size": 8, "lora_rank": 4}
IDS = torch.randint(5, 20, (2, 9), generator=torch.Generator().manual_seed(1))
ROUNDS = {
    "rounds": 2,
    "rollouts": 8,
    "batch_size": 4,
    "max_new_tokens": 6,
    "reward": "length",
    "guard": "warn",
}


def test_where_the_library_is_missing_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models_runtime.loading.find_spec", lambda _: None)
    with pytest.raises(BadInput, match="needs the library bitsandbytes, which is not installed"):
        tiny.train(tmp_path, "odpo", QUICK)
    assert not (tmp_path / "job" / "attempt-1" / "output").exists()


@pytest.fixture
def bits() -> Any:
    return pytest.importorskip(
        "bitsandbytes", reason="bitsandbytes is not installed (requirements-qlora.txt)"
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("method", "options"),
    [("odpo", {}), ("sft", {}), ("dpo", {}), ("kto", {"learn_from": "pairs"}), ("ppo", ROUNDS)],
)
def test_what_is_published_is_the_policy_in_full_with_the_adapter(
    tmp_path: Path, bits: Any, monkeypatch: pytest.MonkeyPatch, method: str, options: dict
) -> None:
    """By hand: W + (alpha / rank) B A of every matrix, and everything else as it was."""
    held: dict[str, torch.Tensor] = {}
    merge = Adapters.merge_into

    def looked_at(self: Adapters, whole: Any, model: Any) -> None:
        held.update({n: w.detach().clone() for n, w in model.named_parameters()})
        merge(self, whole, model)

    monkeypatch.setattr(Adapters, "merge_into", looked_at)
    prompts = tiny.write_lines(tmp_path / "prompts.jsonl", tiny.prompt_records())
    folder = tiny.train(tmp_path, method, {**QUICK, **options}, prompts=prompts)
    output = folder / "attempt-1" / "output"
    before = load_file(tmp_path / "policy" / "model.safetensors")
    after = load_file(output / "model.safetensors")
    adapted = 0
    for name, weight in before.items():
        path = name.removesuffix(".weight")
        if f"{path}.base_layer.weight" not in held:
            assert after[name].equal(weight)
            continue
        assert held[f"{path}.base_layer.weight"].dtype == torch.uint8, "four bits, two to a byte"
        b, a = (held[f"{path}.lora_{side}.default.weight"] for side in "BA")
        torch.testing.assert_close(after[name], weight + 4 * b @ a)
        adapted += bool(b.abs().max())
    assert adapted == 14
    plain = transformers.AutoModelForCausalLM.from_pretrained(output)
    assert plain.dtype == torch.float32
    assert not (output / "adapter_config.json").exists()


@pytest.mark.long
def test_a_reward_model_takes_its_head_along(tmp_path: Path, bits: Any) -> None:
    folder = tiny.train(tmp_path, "reward", {**QUICK, "batch_size": 2})
    model = load_reward_model(folder / "attempt-1" / "output")
    torch.manual_seed(7)  # as the run drew its head
    drawn = load_reward_model(tmp_path / "policy", for_training=True)
    assert isinstance(model.score, torch.nn.Linear)
    assert isinstance(drawn.score, torch.nn.Linear)
    assert 0 < (model.score.weight - drawn.score.weight).abs().max() < 1


@pytest.mark.long
def test_four_bits_round_and_the_published_weights_do_not(tmp_path: Path, bits: Any) -> None:
    """How far the same weights speak differently in four bits, for scale."""
    folder = tiny.make_policy(tmp_path / "policy")
    with torch.no_grad():
        whole = load_policy(folder)(IDS).logits
        rounded = load_policy(folder, for_training=True, place=Place(four_bits=True))(IDS).logits
    assert 1e-4 < (whole - rounded).abs().max() < 0.5


@pytest.mark.long
@pytest.mark.parametrize("method", ["odpo", "dpo"])
def test_a_killed_run_resumes_bit_for_bit(tmp_path: Path, bits: Any, method: str) -> None:
    nursery = Nursery(method)
    whole, killed = (job(tmp_path, name, method, "qlora") for name in ("whole", "killed"))
    assert nursery.run(whole) == 0
    nursery.killed_then_resumed(killed, after_step=2)
    first, second = (
        load_file(one / "output" / "model.safetensors")
        for one in (whole / "attempt-1", killed / "attempt-2")
    )
    assert all(first[name].equal(second[name]) for name in first)
    (newest, *_) = sorted((whole / "attempt-1" / "checkpoints").glob("step-*"))
    file = newest / ("state.pt" if method == "odpo" else "adapters.pt")
    held = torch.load(file, weights_only=True)["model"]
    assert held
    assert all("lora_" in name for name in held)
    nursery.close()


def test_its_options_are_loras() -> None:
    assert parse("dpo", {"adapter": "qlora", "lora_rank": 16}).lora_rank == 16


def test_the_estimate_counts_half_a_byte_a_parameter() -> None:
    """A model of 7 billion on an accelerator: 4 bits of each, its words whole, and copied."""
    model = Dimensions(7_000_000_000, 32, 4096, 4096, 11008, 32000)
    load = Load(512, accelerator=True)
    found = {
        kind: need("sft", parse("sft", {"adapter": kind, "batch_size": 1}), model, load)
        for kind in ("lora", "qlora")
    }
    words, adapter = 32000 * 4096, model.adapter(8)
    assert found["lora"].weights == 4 * (7e9 + adapter) + 2 * 7e9
    assert found["qlora"].weights == pytest.approx((7e9 - words) / 2 + 6 * words + 4 * adapter)
    assert found["qlora"].gradients == found["lora"].gradients

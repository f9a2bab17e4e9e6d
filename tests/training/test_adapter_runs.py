"""A run with an adapter that is killed goes on where it was, to the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from models_runtime.jobdir import sha256_of
from tests.training import tiny
from tests.training.nursery import Nursery

pytestmark = [pytest.mark.training, pytest.mark.long]

QUICK = {"learning_rate": 1e-2, "epochs": 3, "batch_size": 8, "save_every": 3}
OF = {"prompt": {"prompt_tokens": 4}}  # of the others: a rank
ROUNDS = {"rounds": 3, "rollouts": 8, "batch_size": 4, "epochs": 2, "max_new_tokens": 6}
UNGUARDED = {
    name: -1.0 for name in ("guard_kl", "guard_valid_text", "guard_length_growth", "guard_chosen")
}
OPTIONS: dict[str, dict[str, Any]] = {
    "odpo": {},  # our loop
    "dpo": {},  # TRL's
    "ppo": {**ROUNDS, **UNGUARDED, "reward": "length"},
}
RUNS = [
    ("odpo", "lora"),
    ("odpo", "adalora"),
    ("dpo", "lora"),
    ("dpo", "adalora"),
    ("ppo", "lora"),
    ("odpo", "prompt"),
    ("dpo", "prompt"),
    ("ppo", "prompt"),
]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery(*OPTIONS)
    yield made
    made.close()


def job(root: Path, name: str, method: str, kind: str) -> Path:
    """Of the policy and the data that lie in root, made the first time."""
    inputs = {name: root / name for name in ("policy", "snapshot", "prompts.jsonl")}
    if not inputs["policy"].exists():
        tiny.make_policy(inputs["policy"])
        tiny.write_snapshot(inputs["snapshot"], tiny.preference_records(24, 3))
        tiny.write_lines(inputs["prompts.jsonl"], tiny.prompt_records())
    given = {
        "policy": inputs["policy"],
        "reference": inputs["policy"],
        "snapshot": inputs["snapshot"],
        "prompts": inputs["prompts.jsonl"],
    }
    options = {**QUICK, **OPTIONS[method], **OF.get(kind, {"lora_rank": 4}), "adapter": kind}
    return tiny.write_job(root / name, "train", {"method": method, "options": options}, given)


@pytest.mark.parametrize(("method", "kind"), RUNS)
def test_a_killed_run_resumes_bit_for_bit(
    nursery: Nursery, tmp_path: Path, method: str, kind: str
) -> None:
    whole, killed = (job(tmp_path, name, method, kind) for name in ("whole", "killed"))
    assert nursery.run(whole) == 0
    nursery.killed_then_resumed(killed, after_step=2)
    weights = [
        sha256_of(path / "output" / "model.safetensors")
        for path in (whole / "attempt-1", killed / "attempt-2")
    ]
    assert weights[0] == weights[1]
    assert tiny.joined_metrics(killed) == tiny.joined_metrics(whole)
    assert tiny.metrics_of(killed, 2)[0]["step"] > 1, "the second attempt began from the start"


@pytest.mark.parametrize("method", ["odpo", "dpo"])
def test_a_checkpoint_holds_the_adapter_and_not_the_frozen_weights(
    nursery: Nursery, tmp_path: Path, method: str
) -> None:
    folder = job(tmp_path, "whole", method, "lora")
    assert nursery.run(folder) == 0
    (newest, *_) = sorted((folder / "attempt-1" / "checkpoints").glob("step-*"))
    path = newest / ("state.pt" if method == "odpo" else "adapters.pt")
    held = torch.load(path, weights_only=True)["model"]
    assert held
    assert all("lora_" in name for name in held)
    assert not list(newest.glob("*.safetensors"))

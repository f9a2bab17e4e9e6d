"""SGD beside TRL's trainers: the steps of our own loop, and resumed as bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from models_runtime.jobdir import sha256_of
from tests.training import tiny
from tests.training.nursery import Nursery

pytestmark = pytest.mark.training

SGD = {"optimizer": "sgd", "learning_rate": 0.5, "schedule": "cosine"}
WHOLE = {"epochs": 3, "batch_size": 64}  # all 20 pairs a step, so that their order is nothing


def weights(folder: Path, method: str, options: dict[str, Any]) -> dict[str, torch.Tensor]:
    job = tiny.train(folder, method, options)
    return load_file(job / "attempt-1" / "output" / "model.safetensors")


def test_the_librarys_dpo_takes_the_steps_of_our_loop(tmp_path: Path) -> None:
    """ODPO with a margin of weight 0 is DPO, and trains in our loop."""
    theirs = weights(tmp_path / "dpo", "dpo", {**SGD, **WHOLE})
    ours = weights(tmp_path / "odpo", "odpo", {**SGD, **WHOLE, "margin_weight": 0.0})
    start = load_file(tmp_path / "dpo" / "policy" / "model.safetensors")
    for name, tensor in theirs.items():
        torch.testing.assert_close(tensor, ours[name], atol=1e-4, rtol=1e-3)
    assert any((theirs[name] - start[name]).abs().max() > 0.01 for name in theirs)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery("dpo")
    yield made
    made.close()


@pytest.mark.long
def test_a_killed_run_resumes_bit_for_bit(nursery: Nursery, tmp_path: Path) -> None:
    given = {"policy": tiny.make_policy(tmp_path / "policy")}
    given["reference"] = given["policy"]
    given["snapshot"] = tiny.write_snapshot(tmp_path / "snapshot", tiny.preference_records())
    options = {**SGD, "epochs": 2, "batch_size": 5, "save_every": 2}
    config = {"method": "dpo", "options": options}
    whole, killed = (
        tiny.write_job(tmp_path / name, "train", config, given) for name in ("whole", "killed")
    )
    assert nursery.run(whole) == 0
    nursery.killed_then_resumed(killed, after_step=4)
    paths = [whole / "attempt-1", killed / "attempt-2"]
    assert len({sha256_of(path / "output" / "model.safetensors") for path in paths}) == 1
    assert tiny.metrics_of(killed, 2)[0]["step"] > 1, "the second attempt began from the start"

"""Every kind of reward model survives a kill: weights and zero are those of a whole run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models_runtime.jobdir import is_complete, sha256_of
from models_runtime.records import Rated
from tests.training import tiny
from tests.training.nursery import Nursery

pytestmark = [pytest.mark.training, pytest.mark.long]
COMMON = {"learning_rate": 1e-2, "epochs": 6, "batch_size": 4, "save_every": 3}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "prompts read once": ("reward", {"shared_prefix": "on"}),
    "an ensemble that chooses the best": ("reward", {"heads": 3, "loss": "best_of_n"}),
    "rankings, normalised on samples": (
        "reward",
        {"loss": "listwise", "normalise": "samples", "max_new_tokens": 8},
    ),
    "points": ("regression", {}),
}


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    found = Nursery("reward", "regression")
    yield found
    found.close()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("world")
    records = tiny.preference_records(24, 3)
    snapshot = tiny.write_snapshot(root / "snapshot", records)
    ratings = [
        Rated(
            r.comparison_id, r.prompt_id, r.iteration, r.item, r.split, r.fold, r.messages,
            completion, overall=1 - rank / 2,
        )
        for r in records
        for rank, completion in enumerate(r.completions)
    ]  # fmt: skip
    tiny.write_lines(snapshot / "ratings.jsonl", ratings)
    return {"policy": tiny.make_policy(root / "policy"), "snapshot": snapshot}


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_resumes_bit_for_bit(
    nursery: Nursery, inputs: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    method, options = KINDS[kind]
    config = {"method": method, "options": {**COMMON, **options}}
    whole, killed = (
        tiny.write_job(tmp_path / name, "train", config, inputs) for name in ("whole", "killed")
    )
    assert nursery.run(whole) == 0
    nursery.killed_then_resumed(killed, after_step=2)
    assert tiny.metrics_of(killed, 2)[0]["step"] > 1, "the second attempt began from the start"
    outputs = [whole / "attempt-1" / "output", killed / "attempt-2" / "output"]
    assert all(map(is_complete, outputs))
    for name in ("model.safetensors", "normalisation.json", "heldout.jsonl"):
        assert sha256_of(outputs[0] / name) == sha256_of(outputs[1] / name), name
    assert tiny.joined_metrics(killed) == tiny.joined_metrics(whole)
    results = tiny.result_of(whole), tiny.result_of(killed, 2)
    assert results[0]["metrics"] == results[1]["metrics"]

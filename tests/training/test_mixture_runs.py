"""A run on a weighted mixture says what it drew, and resumes to the same bytes when killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models_runtime.jobdir import sha256_of
from tests.training import tiny
from tests.training.test_run import OPTIONS, killed_then_resumed, run

pytestmark = [pytest.mark.training, pytest.mark.long]


def job(root: Path, name: str, method: str) -> Path:
    """On 20 comparisons and on a half as many of 60 that were imported."""
    own = tiny.preference_records(24)
    imported = [
        replace(
            row,
            comparison_id=-row.comparison_id - 1,
            prompt_id=-row.prompt_id - 1,
            item=f"imported {row.item}",
            messages=tiny.asked(f"who {row.prompt_id}"),
            source="imported",
        )
        for row in tiny.preference_records(72)
    ]
    parts = [
        {"input": "snapshot", "number": 1, "weight": 2.0, "own": True},
        {"input": "snapshot-2", "number": 2, "weight": 1.0, "own": False},
    ]
    config: dict[str, Any] = {"method": method, "options": OPTIONS[method], "mixture": parts}
    policy = root / "policy" if (root / "policy").exists() else tiny.make_policy(root / "policy")
    inputs = {
        "policy": policy,
        "reference": policy,
        "snapshot": tiny.write_snapshot(root / "own", own),
        "snapshot-2": tiny.write_snapshot(root / "imported", imported),
    }
    return tiny.write_job(root / name, "train", config, inputs)


@pytest.mark.parametrize("method", ["reward", "dpo", "sft"])
def test_a_killed_run_on_a_mixture_resumes_bit_for_bit(tmp_path: Path, method: str) -> None:
    whole, killed = job(tmp_path, "whole", method), job(tmp_path, "killed", method)
    assert run(whole) == 0
    killed_then_resumed(killed, after_step=2)
    found = [tiny.result_of(whole), tiny.result_of(killed, 2)]
    assert [result["mixture"] for result in found] == [
        [
            {"snapshot": 1, "weight": 2.0, "rows": 20, "drawn": 20},
            {"snapshot": 2, "weight": 1.0, "rows": 60, "drawn": 10},
        ]
    ] * 2
    assert found[0]["dropped"] == {"beyond its share": 50}
    weights = [folder / "output" / "model.safetensors" for folder in attempts(whole, killed)]
    assert sha256_of(weights[0]) == sha256_of(weights[1])
    assert tiny.joined_metrics(killed) == tiny.joined_metrics(whole)


def attempts(whole: Path, killed: Path) -> list[Path]:
    return [whole / "attempt-1", killed / "attempt-2"]

"""Best of K is chosen by whatever rewards: without a reward model, by length or by BLEU."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models_runtime.records import PromptRecord
from tests.training import tiny

pytestmark = pytest.mark.training
OPTIONS = {"k": 8, "batch_size": 4, "epochs": 1, "max_new_tokens": 24, "panel": 0}


def best_of(
    folder: Path, prompts: Sequence[PromptRecord], **options: Any
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """(what was kept, what was left out) of a run on these prompts."""
    asked = tiny.write_lines(folder / "prompts.jsonl", prompts)
    made = tiny.train(folder, "raft", {**OPTIONS, **options}, prompts=asked)
    lines = (made / "attempt-1" / "output" / "best.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in lines.splitlines()], tiny.result_of(made)["dropped"]


def test_by_length_the_longest_answers_are_kept(tmp_path: Path) -> None:
    """An answer that ended holds its words and its end, of 24 tokens that it might have."""
    best, _ = best_of(tmp_path, tiny.prompt_records(), reward="length")
    assert best
    for row in best:
        assert row["reward"] == pytest.approx((len(row["completion"].split()) + 1) / 24)


def test_by_bleu_prompts_without_a_reference_are_left_out(tmp_path: Path) -> None:
    known, other = tiny.prompt_records(2)
    best, dropped = best_of(tmp_path, [known, replace(other, id=999)], reward="bleu", k=32)
    assert {row["prompt_id"] for row in best} == {known.id}
    assert dropped["without a reference"] == 1
    assert all(0 <= row["reward"] <= 1 for row in best)

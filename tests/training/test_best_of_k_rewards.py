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
from training.configs import BadOption, parse
from training.methods.raft import Candidate, keep_best, keep_top

pytestmark = pytest.mark.training
RANKED = [
    (0, 9.0),
    (0, 8.0),
    (0, 7.0),
    *((1, reward) for reward in (3.0, 2.0, 1.0, 0, -1, -2, -3)),
]
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


def test_of_all_samples_alike_the_top_share_is_kept_whatever_their_prompts() -> None:
    found = [Candidate(prompt, "", reward=reward) for prompt, reward in RANKED]
    assert [one.reward for one in keep_top(found, 0.4)] == [9.0, 8.0, 7.0, 3.0]
    assert {one.prompt_id for one in keep_top(found, 0.3)} == {0}
    assert {one.prompt_id for one in keep_best(found, 1)} == {0, 1}
    assert [one.reward for one in keep_top(found, 1e-6)] == [9.0], "one at least"


@pytest.mark.long
def test_the_top_share_is_of_new_samples_and_of_the_best_of_earlier_iterations(
    tmp_path: Path,
) -> None:
    prompts = tiny.prompt_records()
    longest = Candidate(prompts[2].id, "", prompts[2].messages, "so " * 22, reward=-1.0)
    earlier = tiny.write_lines(tmp_path / "best.jsonl", [longest])
    asked = tiny.write_lines(tmp_path / "prompts.jsonl", prompts)
    options = {**OPTIONS, "reward": "length", "select": "global", "share": 0.1}
    made = tiny.train(tmp_path, "raft", options, prompts=asked, earlier=earlier)
    lines = (made / "attempt-1" / "output" / "best.jsonl").read_text(encoding="utf-8")
    best = [json.loads(line) for line in lines.splitlines()]
    metrics = tiny.result_of(made)["metrics"]
    rewards = [row["reward"] for row in best]
    assert rewards == sorted(rewards, reverse=True)
    assert (best[0]["completion"], best[0]["earlier"]) == (longest.completion, True)
    assert metrics["kept_from_earlier"] == 1
    assert metrics["reward/kept"] > metrics["reward/sampled"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"share": 0.5}, "share of raft is about select global"),
        ({"select": "global", "keep": 2}, "keep of raft is about select per_prompt"),
    ],
)
def test_each_choice_has_its_own_option(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOption, match=words):
        parse("raft", options)

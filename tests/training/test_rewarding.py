"""Sampled answers get their rewards in the order of the completions, and what an attempt that was
killed had rewarded is not rewarded again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from models_runtime.jobdir import BadInput
from models_runtime.loading import load_reward_model, load_tokenizer, save_reward_model
from models_runtime.records import AnswerReward, CompletionRecord, read_jsonl
from tests.training import tiny
from training import rewarding, run
from training.reward_sources import Answer, ModelReward

pytestmark = pytest.mark.training
TEXTS = ["good so", "bad so", "the answer is good", "poor", "fine reply", "good so"]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three shards of two answers each."""
    monkeypatch.setattr(rewarding, "SHARD", 2)
    policy = tiny.make_policy(tmp_path / "policy")
    torch.manual_seed(0)
    save_reward_model(load_reward_model(policy), load_tokenizer(policy), tmp_path / "judge")
    asked = tiny.prompt_records(3)
    rows = [
        CompletionRecord(asked[n // 2].id, 0, n % 2, text, "eos", len(text.split()) + 1, 0)
        for n, text in enumerate(TEXTS)
    ]
    given = {
        "prompts": tiny.write_lines(tmp_path / "prompts.jsonl", asked),
        "completions": tiny.write_lines(tmp_path / "sampled" / "completions.jsonl", rows).parent,
        "reward_model": tmp_path / "judge",
    }
    return tiny.write_job(tmp_path / "job", "reward", {}, given)


def rewarded(job: Path, attempt: int = 1) -> list[AnswerReward]:
    config = {"recipe": "online_dpo", "options": {}}
    run.reward(tiny.open_job(job, attempt), {"config": config})
    return list(read_jsonl(job / f"attempt-{attempt}" / "output" / "rewards.jsonl", AnswerReward))


def test_each_answer_by_its_identity(job: Path) -> None:
    found = rewarded(job)
    assert [(row.prompt_id, row.index) for row in found] == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1),
    ]  # fmt: skip
    assert len({row.reward for row in found}) > 1
    result = json.loads((job / "attempt-1" / "result.json").read_text("utf-8"))
    assert result["rows"] == len(TEXTS)


def test_a_second_attempt_rewards_only_what_is_left(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rewarded(job)
    (job / "attempt-1" / "shards" / "rewards-00001.jsonl").unlink()
    seen: list[str] = []
    score = ModelReward.scores

    def spy(self: ModelReward, answers: list[Answer]) -> list[float]:
        seen.extend(answer.text for answer in answers)
        return score(self, answers)

    monkeypatch.setattr(ModelReward, "scores", spy)
    assert rewarded(job, attempt=2) == whole
    assert seen == TEXTS[2:4]


def test_rewards_that_are_no_numbers_are_refused(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, answers: list[Answer]) -> list[float]:
        return [float("nan")] * len(answers)

    monkeypatch.setattr(ModelReward, "scores", broken)
    with pytest.raises(BadInput, match="6 of 6 rewards are no finite numbers"):
        rewarded(job)
    assert not (job / "attempt-1" / "output").exists()

"""The reward job: sampled answers, each with what a reward model gives it.

Inputs: prompts, completions (a sample job's output) and reward_model, with safety_model beside it
for the reward piecewise; output: rewards.jsonl, in the order of the completions. Shards that an
earlier attempt finished are read back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from models_runtime.jobdir import JobDir, publish, write_atomically
from models_runtime.records import (
    AnswerReward,
    CompletionRecord,
    Progress,
    PromptRecord,
    jsonl_line,
    read_jsonl,
)
from training.configs import Selection
from training.configs.recipes import parse_recipe
from training.reward_sources import Answer, RewardSource, refuse_other_than_numbers, source_of
from training.sampling import read_prompts
from training.task import Task

COMPLETIONS, REWARDS = "completions.jsonl", "rewards.jsonl"
SHARD = 512  # answers: the unit of resume


def run(job: JobDir, spec: dict[str, Any]) -> None:
    """config: {"recipe", "options"}. Raises BadInput, BadOption."""
    config = spec["config"]
    options = parse_recipe(config["recipe"], config["options"])
    task = Task(job, config["recipe"], options, Selection(), int(spec.get("seed", 0)))
    task.write_config()
    asked = {one.id: one for one in read_prompts(job.input_path("prompts"))}
    found = list(read_jsonl(job.input_path("completions") / COMPLETIONS, CompletionRecord))
    rewards = [row for rows in _shards(task, asked, found) for row in rows]
    refuse_other_than_numbers([row.reward for row in rewards])
    with publish(job.output) as folder, (folder / REWARDS).open("w", encoding="utf-8") as out:
        out.writelines(map(jsonl_line, rewards))
    task.finish({}, len(rewards), 0)


def _shards(
    task: Task, asked: dict[int, PromptRecord], found: Sequence[CompletionRecord]
) -> Iterator[list[AnswerReward]]:
    source: RewardSource | None = None  # loaded when the first shard is missing
    for number, start in enumerate(range(0, len(found), SHARD)):
        task.job.check_stop()
        rows = found[start : start + SHARD]
        name = f"rewards-{number:05d}.jsonl"
        done = _finished(task.job, name)
        if done is None:
            source = source or source_of(task, [])
            done = _rewarded(source, asked, rows)
            _keep(task.job, name, done)
        task.job.progress(Progress(start + len(rows), len(found), "answers"))
        yield done


def _rewarded(
    source: RewardSource, asked: dict[int, PromptRecord], rows: Sequence[CompletionRecord]
) -> list[AnswerReward]:
    scores = source.scores([_answer(asked[row.prompt_id], row) for row in rows])
    return [
        AnswerReward(row.prompt_id, row.sampler, row.index, score)
        for row, score in zip(rows, scores, strict=True)
    ]


def _answer(prompt: PromptRecord, row: CompletionRecord) -> Answer:
    ended = row.finish_reason != "length"
    return Answer(prompt.id, prompt.messages, row.text, ended, row.token_count, tags=prompt.tags)


def _finished(job: JobDir, name: str) -> list[AnswerReward] | None:
    for _, folder in job.attempts():
        if (folder / "shards" / name).is_file():
            return list(read_jsonl(folder / "shards" / name, AnswerReward))
    return None


def _keep(job: JobDir, name: str, rows: Sequence[AnswerReward]) -> None:
    folder = job.folder / "shards"
    folder.mkdir(exist_ok=True)
    write_atomically(folder / name, "".join(map(jsonl_line, rows)))

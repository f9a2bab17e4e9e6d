"""A run of GRPO or RLOO from its inputs to its published policy; which of the two, it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from models_runtime.records import Demonstration
from training.data import Encoder
from training.demonstrations import demonstrations_of
from training.long_prompts import prompts_of
from training.reward_sources import RewardSource, rewardable, source_of
from training.rollouts import Prompts, context_of
from training.run_guards import Watched
from training.scoring import refuse_another_tokenizer
from training.task import Task

Fit = Callable[..., dict[str, Any]]


def train_grouped(task: Task, fit: Fit) -> None:
    """fit(task, model, reference, tokenizer, prompts, source, watched) -> the last step's
    metrics."""
    imitated = demonstrations_of(task)
    learn_grouped(task, fit, source_of(task, imitated), imitated)


def learn_grouped(
    task: Task, fit: Fit, source: RewardSource, imitated: Sequence[Demonstration] = ()
) -> None:
    """train_grouped, with the rewards of any source."""
    policy = task.job.input_path("policy")
    reference = task.job.input_path("reference")
    refuse_another_tokenizer(policy, reference)
    encoder = Encoder.of(policy, task.config)
    records = rewardable(source, prompts_of(task), task.dropped)
    task.require(records)
    model = task.policy_to_train()
    longest = task.config.max_new_tokens
    prompts = Prompts(records, encoder.tokenizer, context_of(model), longest)
    watched = Watched.of(task, imitated, encoder)
    metrics = fit(task, model, reference, encoder.tokenizer, prompts, source, watched)
    task.publish_model(model, encoder.tokenizer)
    task.finish({"train": metrics}, len(records), prompts.cut)

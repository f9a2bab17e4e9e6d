"""K-wise Bradley-Terry reward model (InstructGPT, 2022), with Llama 2's margins.

All pairs of a prompt travel in one batch element and every distinct answer goes forward once.
Starts from the policy with a fresh head; in the same job it is measured on held-out comparisons.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models_runtime.chat import Encoded
from models_runtime.loading import load_reward_model, load_tokenizer, save_reward_model
from models_runtime.records import STRENGTHS, jsonl_line
from training.configs import RewardConfig
from training.data import (
    Encoder,
    Group,
    Pair,
    group_by_prompt,
    heldout_records,
    read_preferences,
    training_records,
    without_ties,
)
from training.loop import Loop, Sums
from training.losses import MARGIN_SCHEDULES, bradley_terry, centring, k_wise
from training.scoring import in_batches, rewards
from training.task import Task

__all__ = ["RewardObjective", "measure", "save_reward_model", "train"]


def train(task: Task) -> None:
    """Inputs policy and snapshot -> a reward model in output, heldout.jsonl beside it."""
    policy = task.job.input_path("policy")
    tokenizer = load_tokenizer(policy)
    encoder = Encoder(tokenizer, task.config.max_length)
    records = read_preferences(task.job.input_path("snapshot"))
    kept = training_records(records, task.selection)
    groups = group_by_prompt(kept, encoder, task.dropped)
    if task.config.ties == "drop":
        groups = without_ties(groups, task.dropped)
    task.require(groups)
    torch.manual_seed(task.seed)  # the head is drawn here
    model = load_reward_model(policy, for_training=True)
    last = Loop(task, model, groups, RewardObjective(task.config)).run()
    heldout = group_by_prompt(heldout_records(records, task.selection), encoder, Counter())
    rows = judge(model, heldout)
    task.publish_model(model, tokenizer, {"heldout.jsonl": "".join(map(jsonl_line, rows))})
    metrics = measure(rows, task.selection.iteration)
    metrics["train"] = last
    task.finish(metrics, sum(len(group.pairs) for group in groups))


@dataclass(frozen=True)
class _Batch:
    """The pairs of several groups as tensors; indices run over all their completions."""

    chosen: Tensor
    rejected: Tensor
    margin: Tensor
    weight: Tensor
    prompt: Tensor
    denominators: Tensor


class RewardObjective:
    """The mean over prompts of the mean over a prompt's stated pairs."""

    def __init__(self, config: RewardConfig) -> None:
        self.config = config
        self.margins = MARGIN_SCHEDULES[config.margin]

    def units(self, example: Group) -> float:
        """A prompt weighs one, however many pairs it has."""
        return 1.0

    def sums(self, model: torch.nn.Module, examples: Sequence[Group]) -> Sums:
        """One forward pass over every completion of the prompts."""
        completions = [row for group in examples for row in group.completions]
        scores = rewards(model, completions)
        batch = self._batch(examples, scores)
        chosen, rejected = scores[batch.chosen], scores[batch.rejected]
        losses = bradley_terry(chosen, rejected, batch.margin)
        if self.config.centring:
            losses = losses + self.config.centring * centring(chosen, rejected)
        total = k_wise(losses, batch.weight, batch.prompt, batch.denominators).sum()
        return Sums(total, _pair_metrics(chosen.detach(), rejected.detach()))

    def _batch(self, groups: Sequence[Group], scores: Tensor) -> _Batch:
        chosen, rejected, margin, weight, prompt = [], [], [], [], []
        offset = 0
        for number, group in enumerate(groups):
            for pair in group.pairs:
                for winner, loser, share in self._directions(pair):
                    chosen.append(offset + winner)
                    rejected.append(offset + loser)
                    margin.append(0.0 if pair.tie else self.margins[pair.strength or "negligibly"])
                    weight.append(share)
                    prompt.append(number)
            offset += len(group.completions)
        floats = scores.new_tensor
        return _Batch(
            torch.tensor(chosen, device=scores.device),
            torch.tensor(rejected, device=scores.device),
            floats(margin),
            floats(weight),
            torch.tensor(prompt, device=scores.device),
            floats([self._denominator(group) for group in groups]),
        )

    @staticmethod
    def _directions(pair: Pair) -> list[tuple[int, int, float]]:
        """A tie counts one half each way."""
        if not pair.tie:
            return [(pair.chosen, pair.rejected, pair.weight)]
        half = pair.weight / 2
        return [(pair.chosen, pair.rejected, half), (pair.rejected, pair.chosen, half)]

    def _denominator(self, group: Group) -> float:
        if self.config.mean_over == "all":
            return float(math.comb(len(group.completions), 2))
        return sum(pair.weight for pair in group.pairs)


def _pair_metrics(chosen: Tensor, rejected: Tensor) -> dict[str, tuple[float, float]]:
    count = float(len(chosen))
    margins = chosen - rejected
    correct = (margins > 0).float() + 0.5 * (margins == 0).float()
    return {
        "rewards/chosen": (chosen.sum().item(), count),
        "rewards/rejected": (rejected.sum().item(), count),
        "rewards/margins": (margins.sum().item(), count),
        "rewards/accuracies": (correct.sum().item(), count),
    }


def judge(model: torch.nn.Module, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """A row for every ordered held-out pair: strength, delta = r_w - r_l, correct (a tie ½),
    and by_length, whether the longer answer (tokens) was the chosen one."""
    rows = [row for group in groups for row in group.completions]
    scores = in_batches(rewards, model, rows)
    judged, offset = [], 0
    for group in groups:
        for pair in group.pairs:
            if not pair.tie:
                delta = scores[offset + pair.chosen] - scores[offset + pair.rejected]
                judged.append(_judged(group, pair, delta))
        offset += len(group.completions)
    return judged


def _judged(group: Group, pair: Pair, delta: float) -> dict[str, Any]:
    longer = _tokens(group.completions[pair.chosen]) - _tokens(group.completions[pair.rejected])
    return {
        "comparison_id": pair.comparison_id,
        "iteration": pair.iteration,
        "prompt_id": group.prompt_id,
        "strength": pair.strength,
        "delta": delta,
        "correct": _correct(delta),
        "by_length": _correct(longer),
    }


def _tokens(row: Encoded) -> int:
    return sum(row.completion_mask)


def _correct(delta: float) -> float:
    """1 right, 0 wrong, one half for a tie."""
    return 0.5 if delta == 0 else float(delta > 0)


def measure(rows: Sequence[dict[str, Any]], iteration: int) -> dict[str, Any]:
    """Held-out figures: accuracy, by rated strength, of this iteration alone, and what always
    choosing the longer answer would reach. Null where there is no pair."""
    current = [row for row in rows if row["iteration"] == iteration]
    by_strength = {name: [row for row in rows if row["strength"] == name] for name in STRENGTHS}
    return {
        "n": len(rows),
        "accuracy": _mean(rows, "correct"),
        "accuracy_by_strength": {
            name: {"n": len(found), "accuracy": _mean(found, "correct")}
            for name, found in by_strength.items()
        },
        "this_iteration": {"n": len(current), "accuracy": _mean(current, "correct")},
        "length_baseline": _mean(rows, "by_length"),
        "margin": _mean(rows, "delta"),
    }


def _mean(rows: Sequence[dict[str, Any]], name: str) -> float | None:
    return sum(row[name] for row in rows) / len(rows) if rows else None

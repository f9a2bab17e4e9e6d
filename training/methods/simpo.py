"""Simple preference optimisation: no reference, answers compared per token (SimPO, Meng et al.,
2024)."""

from __future__ import annotations

from training.configs.preferences import SimPOConfig
from training.pair_losses import simpo
from training.pairs import Judged, PairBatch, train_on_pairs
from training.task import Task


def train(task: Task) -> None:
    """Inputs policy and snapshot -> a policy. The implicit reward is beta times the mean."""
    config: SimPOConfig = task.config

    def judge(batch: PairBatch) -> Judged:
        chosen, rejected = batch.means
        losses = simpo(chosen, rejected, config.beta, config.gamma)
        return Judged(losses, config.beta * chosen, config.beta * rejected)

    train_on_pairs(task, judge)

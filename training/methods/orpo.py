"""Odds-ratio preference optimisation: fine-tuning and preference in one (ORPO, Hong et al.,
2024)."""

from __future__ import annotations

from training.configs.preferences import ORPOConfig
from training.pair_losses import orpo
from training.pairs import Judged, PairBatch, train_on_pairs
from training.task import Task


def train(task: Task) -> None:
    """Inputs policy and snapshot -> a policy; no reference."""
    config: ORPOConfig = task.config

    def judge(batch: PairBatch) -> Judged:
        chosen, rejected = batch.means
        losses = orpo(chosen, rejected, config.odds_weight)
        return Judged(losses, config.odds_weight * chosen, config.odds_weight * rejected)

    train_on_pairs(task, judge)

"""Margin-DPO: DPO with an offset by rated strength (ODPO: Amini et al., 2024)."""

from __future__ import annotations

from training.configs.preferences import ODPOConfig
from training.pair_losses import odpo
from training.pairs import Judged, PairBatch, train_on_pairs
from training.task import Task


def train(task: Task) -> None:
    """Inputs policy, snapshot and reference -> a policy. A plain choice has no margin."""
    config: ODPOConfig = task.config

    def judge(batch: PairBatch) -> Judged:
        margins = config.margin_weight * batch.margins(config.margin)
        chosen, rejected = batch.ratios
        losses = odpo(batch.h, config.beta, margins)
        return Judged(losses, config.beta * chosen, config.beta * rejected)

    train_on_pairs(task, judge, against_reference=True)

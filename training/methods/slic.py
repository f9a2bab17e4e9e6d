"""Sequence likelihood calibration: a margin on log-probabilities (SLiC-HF, Zhao et al., 2023)."""

from __future__ import annotations

from training.configs.preferences import SLiCConfig
from training.pair_losses import slic
from training.pairs import Judged, PairBatch, train_on_pairs
from training.task import Task


def train(task: Task) -> None:
    """Inputs policy and snapshot -> a policy; no reference. The chosen answer is what the second
    term holds on to, where the paper's authors had answers to imitate besides."""
    config: SLiCConfig = task.config

    def judge(batch: PairBatch) -> Judged:
        losses = slic(batch.chosen, batch.rejected, config.delta, config.likelihood_weight)
        return Judged(losses, batch.chosen, batch.rejected)

    train_on_pairs(task, judge)

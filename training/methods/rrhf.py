"""Rank responses to align: likelihoods ordered as people ranked (RRHF, Yuan et al., 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from training.configs.preferences import RRHFConfig
from training.loop import Sums
from training.pair_losses import rank_hinge
from training.pairs import tune
from training.rankings import Answers, Ranking, answers_of, ranked_sums, read_rankings
from training.task import Task


def train(task: Task) -> None:
    """Inputs policy and snapshot -> a policy; no reference."""
    encoder, rankings = read_rankings(task)
    tune(task, encoder, rankings, OrderedLikelihoods(task.config))


class OrderedLikelihoods:
    """sum over stated pairs max(0, p_l - p_w), plus the best answer's negative log-likelihood
    (equations 2 to 4); p is the mean log-probability of a token, the likelihood is summed. Of
    several best answers the mean is taken."""

    def __init__(self, config: RRHFConfig) -> None:
        self.config = config

    def units(self, example: Ranking) -> float:
        return example.weight

    def sums(self, model: torch.nn.Module, examples: Sequence[Ranking]) -> Sums:
        answers = answers_of(model, examples)
        losses = [self.loss(found, one) for found, one in zip(answers, examples, strict=True)]
        return ranked_sums(losses, answers, examples)

    def loss(self, answers: Answers, ranking: Ranking) -> Tensor:
        high, low = (list(side) for side in zip(*ranking.pairs, strict=True))
        ranked = rank_hinge(answers.means[high], answers.means[low]).sum()
        return ranked - self.config.likelihood_weight * answers.sums[ranking.best].mean()

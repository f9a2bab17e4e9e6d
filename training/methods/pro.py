"""Preference ranking optimisation: each answer against all below it (PRO, Song et al., 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from training.configs.preferences import PROConfig
from training.loop import Sums
from training.pair_losses import pro
from training.pairs import tune
from training.rankings import Answers, Ranking, answers_of, ranked_sums, read_rankings
from training.task import Task


def train(task: Task) -> None:
    """Inputs policy and snapshot -> a policy; no reference. Where the paper has a reward model's
    scores, these are ranks: the steps of a ranking are equally wide."""
    encoder, rankings = read_rankings(task)
    tune(task, encoder, rankings, RankedContrasts(task.config))


class RankedContrasts:
    """The ranking term plus w (n - 1)^2 times the best answer's negative log-likelihood
    (equation 9), n the number of answers."""

    def __init__(self, config: PROConfig) -> None:
        self.config = config

    def units(self, example: Ranking) -> float:
        return example.weight

    def sums(self, model: torch.nn.Module, examples: Sequence[Ranking]) -> Sums:
        answers = answers_of(model, examples)
        losses = [self.loss(found, one) for found, one in zip(answers, examples, strict=True)]
        return ranked_sums(losses, answers, examples)

    def loss(self, answers: Answers, ranking: Ranking) -> Tensor:
        count = len(ranking.completions)
        paired = len({end for pair in ranking.pairs for end in pair})
        above = torch.zeros(count, count, dtype=torch.bool, device=answers.means.device)
        high, low = (list(side) for side in zip(*ranking.pairs, strict=True))
        above[high, low] = True
        ranked = pro(answers.means, answers.means.new_tensor(ranking.scores), above)
        weight = self.config.likelihood_weight * (paired - 1) ** 2
        return ranked - weight * answers.sums[ranking.best].mean()

"""DPO whose beta follows the batch, and which leaves outliers out (beta-DPO, Wu et al., 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from training.configs.preferences import BetaDPOConfig
from training.loop import Loop, Sums
from training.losses import dpo
from training.pair_losses import batch_beta
from training.pairs import (
    Judged,
    TextPair,
    pair_batch,
    read_pairs,
    reference_of,
    summed,
    tune,
    with_reference,
)
from training.task import Task

SPREAD = 1e-3  # least deviation of log-ratios: at the start all of them are 0


def train(task: Task) -> None:
    """Inputs policy, snapshot and reference -> a policy."""
    encoder, pairs = read_pairs(task)
    pairs = with_reference(pairs, reference_of(task), task.config)
    tune(task, encoder, pairs, MovingBeta(task.config), loop=_Remembering)


class MovingBeta:
    """DPO's loss with the batch's beta, of the pairs that were drawn from it.

    ``centre`` and ``spread`` are the running mean and deviation of the pairs' log-ratios h; the
    first batch sets them. A pair is drawn, without replacement, with the likelihood of its h
    under them (equation 10), by torch's generator, whose state a checkpoint holds.
    """

    def __init__(self, config: BetaDPOConfig) -> None:
        self.config = config
        self.centre: float | None = None
        self.spread = 0.0

    def units(self, example: TextPair) -> float:
        return example.weight

    def sums(self, model: torch.nn.Module, examples: Sequence[TextPair]) -> Sums:
        batch = pair_batch(model, examples)
        h = batch.h
        self._follow(h.detach())
        drawn = self._draw(h.detach())
        assert self.centre is not None
        centre = h.new_tensor(self.centre)
        beta = batch_beta(h[drawn], centre, self.config.beta, self.config.alpha)
        taken = torch.zeros_like(h).index_fill(0, drawn, 1.0)
        losses = dpo(h, beta.item()) * self._reweighted(taken, examples)
        chosen, rejected = batch.ratios
        rewards = self.config.beta * chosen, self.config.beta * rejected
        sums = summed(Judged(losses, *rewards), batch, examples)
        sums.metrics["beta"] = (beta.item(), 1.0)
        return sums

    def _follow(self, h: Tensor) -> None:
        spread = h.std().item() if len(h) > 1 else 0.0
        if self.centre is None:
            self.centre, self.spread = h.mean().item(), spread
            return
        stays = self.config.momentum
        self.centre = stays * self.centre + (1 - stays) * h.mean().item()
        self.spread = stays * self.spread + (1 - stays) * spread

    def _draw(self, h: Tensor) -> Tensor:
        """Indices of the pairs that are learned from."""
        assert self.centre is not None
        scaled = (h - self.centre) / max(self.spread, SPREAD)
        likelihood = torch.exp(-0.5 * scaled.clamp(-8, 8) ** 2)  # never 0 for all
        count = max(1, int(self.config.keep * len(h)))
        return torch.multinomial(likelihood, count, replacement=False)

    @staticmethod
    def _reweighted(taken: Tensor, examples: Sequence[TextPair]) -> Tensor:
        """The loop divides by the weight of the whole batch; the mean is over what was taken."""
        weights = taken.new_tensor([pair.weight for pair in examples])
        return taken * weights.sum() / (taken * weights).sum()


class _Remembering(Loop[TextPair]):
    """The loop with the running mean and deviation in its checkpoints."""

    objective: MovingBeta

    def _more_state(self) -> dict[str, Any]:
        return {"centre": self.objective.centre, "spread": self.objective.spread}

    def _restore(self, state: dict[str, Any]) -> None:
        self.objective.centre, self.objective.spread = state["centre"], state["spread"]

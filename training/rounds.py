"""The loop of methods that learn from their own samples: a round of rollouts, then steps on it.

Extends training.loop: a checkpoint holds the round's rollouts beside weights, optimiser and
random state, so that a run resumes bit for bit from any step, not only between rounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Protocol

import torch

from models_runtime.chat import Encoded
from models_runtime.jobdir import Stopped
from training.loop import Loop, Objective, batch_order
from training.rollouts import Rollout
from training.task import Task

TENSORS = [field.name for field in fields(Rollout) if field.name != "row"]


class Collector(Protocol):
    """Makes rounds; what it keeps between them travels in checkpoints."""

    def collect(self, number: int) -> tuple[list[Rollout], dict[str, float]]:
        """The rollouts of a round from the weights as they stand, and the round's figures."""
        ...

    def state(self) -> dict[str, Any]:
        """As plain data and tensors."""
        ...

    def restore(self, state: dict[str, Any]) -> None: ...


class Rounds(Loop[Rollout]):
    """Rounds of rollouts, ``epochs`` passes over each in batches, one optimiser step a batch."""

    def __init__(
        self,
        task: Task,
        model: torch.nn.Module,
        collector: Collector,
        objective: Objective[Rollout],
    ) -> None:
        super().__init__(task, model, [], objective)
        self.collector = collector
        self.settings: Any = task.config
        self.figures: dict[str, float] = {}
        self.batches = math.ceil(self.settings.rollouts / self.settings.batch_size)
        self.per_round = self.settings.epochs * self.batches
        self.steps = self.settings.rounds * self.per_round

    def _batches(self, start: int) -> Iterator[tuple[int, list[Rollout]]]:
        for number in range(start // self.per_round, self.settings.rounds):
            first = number * self.per_round
            if first >= start:  # else the checkpoint brought the round's rollouts
                self._begin(number, first)
            for place, indices in enumerate(self._order(number), start=first):
                if place >= start:
                    yield place, [self.examples[index] for index in indices]

    def _begin(self, number: int, first: int) -> None:
        try:
            self.examples, self.figures = self.collector.collect(number)
        except Stopped:  # nothing was learned from the round yet
            self._save(first)
            raise

    def _order(self, number: int) -> list[list[int]]:
        size, count = self.settings.batch_size, len(self.examples)
        passes = range(number * self.settings.epochs, (number + 1) * self.settings.epochs)
        return [batch for one in passes for batch in batch_order(count, size, self.seed, one)]

    def _step(self, step: int, batch: list[Rollout]) -> dict[str, float]:
        row = super()._step(step, batch)
        done = step // self.per_round + 1
        row["epoch"] = float(done)  # a round is this loop's pass over data
        return {**row, "episode": float(done * len(self.examples)), **self.figures}

    def _more_state(self) -> dict[str, Any]:
        rollouts = [_as_data(one) for one in self.examples]
        return {
            "rollouts": rollouts,
            "figures": self.figures,
            "collector": self.collector.state(),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.examples = [_from_data(one) for one in state["rollouts"]]
        self.figures = state["figures"]
        self.collector.restore(state["collector"])


def _as_data(one: Rollout) -> dict[str, Any]:
    tensors = {name: getattr(one, name) for name in TENSORS}
    return {"ids": one.row.ids, "mask": one.row.completion_mask, **tensors}


def _from_data(data: dict[str, Any]) -> Rollout:
    row = Encoded(data["ids"], data["mask"])
    return Rollout(row, **{name: data[name] for name in TENSORS})


def column(rollouts: Sequence[Rollout], name: str) -> list[torch.Tensor]:
    """One field of every rollout."""
    return [getattr(one, name) for one in rollouts]

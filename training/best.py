"""The best of a run: which checkpoint is published, and when waiting for a better one ends.

A run looks at the metric that its options name wherever it would save a checkpoint, or where
held-out rows are measured if the metric is of those. The weights of the best look are kept on the
CPU and travel in checkpoints, so that a run which is killed ends with the same ones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sized
from typing import Any

from torch import Tensor

from models_runtime.jobdir import BadInput
from models_runtime.phrases import phrase
from training.configs.base import HELDOUT

# Parts of a metric's name that say that less of it is better.
LESS_IS_BETTER = {"loss", "kl", "perplexity", "nll", "norm", "duplicates"}
Weights = dict[str, Tensor]


def less_is_better(metric: str) -> bool:
    """By the name alone: eval_loss and objective/kl, but not rewards/accuracies."""
    return bool(LESS_IS_BETTER & set(re.split(r"[/_]", metric)))


def require_heldout(every: int, rows: Sized | None) -> None:
    """Raise BadInput where a run is to measure held-out rows and has none."""
    if every and not rows:
        raise BadInput(
            phrase(
                "No held-out comparison is there to measure on: set eval_every to 0, or "
                "freeze labels of held-out prompts."
            )
        )


class Best:
    """The best look so far: at which step, at what value, and with which weights.

    ``metric`` "" never looks: the last step's weights are published. ``patience`` looks without
    an improvement end the run; 0 never does.
    """

    def __init__(self, metric: str, patience: int, every: int) -> None:
        self.metric = metric
        self.patience = patience
        self.every = every
        self.step = 0
        self.value = math.nan
        self.weights: Weights = {}
        self.missed = 0  # looks since the best one

    def is_due(self, step: int, steps: int) -> bool:
        """Whether to look after this step, counted from 1."""
        return bool(self.metric) and (step % self.every == 0 or step == steps)

    def look(self, step: int, row: dict[str, float], weights: Callable[[], Weights]) -> None:
        """Take up a step's metrics; ``weights`` is asked for a state dict where they are the best.
        Raises BadInput where they lack the metric."""
        if self.metric not in row:
            raise BadInput(
                phrase(
                    "There is no metric named %(name)s to find the best checkpoint by; this run "
                    "measures %(names)s.",
                    name=repr(self.metric),
                    names=", ".join(sorted(row)),
                )
            )
        if not self._improves(row[self.metric]):
            self.missed += 1
            return
        self.step, self.value, self.missed = step, row[self.metric], 0
        self.weights = {name: one.detach().cpu().clone() for name, one in weights().items()}

    def _improves(self, value: float) -> bool:
        """Equal is no improvement: the earlier of two is the one that is kept."""
        if not math.isfinite(value):
            return False
        less = less_is_better(self.metric)
        return not self.step or (value < self.value if less else value > self.value)

    @property
    def gave_up(self) -> bool:
        """Whether the run is to end."""
        return bool(self.patience) and self.missed >= self.patience

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps; nothing where nothing is looked at."""
        if not self.metric:
            return {}
        names = ("step", "value", "weights", "missed")
        return {name: getattr(self, name) for name in names}

    def restore(self, state: dict[str, Any]) -> None:
        """Undo ``state``."""
        for name, value in state.items():
            setattr(self, name, value)

    def said(self, ended: int, steps: int) -> dict[str, Any]:
        """For result.json: ``best``, with ``ended_early`` where the run did not go all the way."""
        if not self.step:
            return {}
        found: dict[str, Any] = {"metric": self.metric, "step": self.step, "value": self.value}
        found["steps"] = steps
        if ended < steps:
            found |= {"ended_early": ended, "patience": self.patience}
        return {"best": found}


def is_heldout(metric: str) -> bool:
    """Whether it is measured on held-out rows."""
    return metric.startswith(HELDOUT)

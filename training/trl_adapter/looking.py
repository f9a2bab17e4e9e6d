"""What a run of TRL's trainers looks at while it trains: held-out rows, and the best checkpoint by
a metric, as training.loop does. Both happen where a step is logged, so that a step stays one row
of the curve; neither touches a run's random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from models_runtime.records import Progress
from training.best import Best, is_heldout, require_heldout
from training.configs.base import HELDOUT
from training.panel import undisturbed
from training.task import Task

STATE = "best.pt"
# Of the library's own measurement: wall clock, which would make two equal runs differ, and what
# the row says already.
LEFT_OUT = {
    f"{HELDOUT}{name}" for name in ("runtime", "samples_per_second", "steps_per_second")
} | {f"{HELDOUT}num_tokens", "epoch"}


class Looking:
    """The looks of one run; nothing where its options ask for none. Raises BadInput where held-out
    rows are to be measured and there are none."""

    def __init__(self, task: Task, trainer: Any) -> None:
        self.task = task
        self.trainer = trainer
        self.every: int = getattr(task.config, "eval_every", 0)
        metric: str = getattr(task.config, "best_metric", "")
        require_heldout(self.every, trainer.eval_dataset)
        looks = self.every if is_heldout(metric) else task.config.save_every
        self.best = Best(metric, getattr(task.config, "patience", 0), looks)

    @property
    def model(self) -> Any:
        return self.trainer.accelerator.unwrap_model(self.trainer.model)

    def measured(self) -> dict[str, float]:
        """Loss and metrics of the held-out rows, where they are due."""
        step, steps = self.trainer.state.global_step, self.trainer.state.max_steps
        if not self.every or (step % self.every and step != steps):
            return {}
        with undisturbed(self.model):
            found = self.trainer.evaluate()
        return {name: value for name, value in found.items() if name not in LEFT_OUT}

    def look(self, row: dict[str, float]) -> None:
        """Take up a step's row; end the run where it waited long enough for a better one."""
        step, steps = self.trainer.state.global_step, self.trainer.state.max_steps
        if self.best.is_due(step, steps):
            adapters = self.task.adapters
            self.best.look(step, row, lambda: adapters.trained(self.model))
        if self.best.gave_up:
            self.trainer.control.should_training_stop = True

    def keep_in(self, folder: Path) -> None:
        """Into a checkpoint, while it is written."""
        if self.best.metric:
            torch.save(self.best.state(), folder / STATE)

    def take_up(self, folder: Path) -> None:
        """From the checkpoint that a run goes on from."""
        if (folder / STATE).is_file():
            # weights_only: data of our own, of a verified manifest; reading it runs no code.
            found = torch.load(folder / STATE, map_location="cpu", weights_only=True)
            self.best.restore(found)

    def take_best(self) -> None:
        """The best look's weights into the model, and what result.json says of it."""
        ended, steps = self.trainer.state.global_step, self.trainer.state.max_steps
        if ended < steps:
            self.task.job.progress(Progress(ended, ended, "steps"))
        if self.best.step:
            self.task.adapters.restore(self.model, self.best.weights)
        self.task.outcome |= self.best.said(ended, steps)

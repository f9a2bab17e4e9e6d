"""The panel beside TRL's trainers: shown before each of their checkpoints, and at the end."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.panel import Panel


class PanelAtCheckpoints(TrainerCallback):
    """At the steps that an uninterrupted run saves at; one that is stopped adds none."""

    def __init__(self, trainer: Any, panel: Panel) -> None:
        self.trainer = trainer
        self.panel = panel

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        step = state.global_step
        if step % int(args.save_steps) == 0 or step == state.max_steps:
            model = self.trainer.accelerator.unwrap_model(self.trainer.model)
            self.panel.show(step, model)

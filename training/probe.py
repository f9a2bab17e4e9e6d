"""What the guards look at in a method that does not sample while it trains: answers to the same
few prompts, and how likely answers are that it learns to give.

Before the first step the policy answers the prompts at temperature 1, and what it says is kept,
with its log-probabilities. At every look it answers them again, with the same random numbers:

    valid text, length   of the new answers
    KL from the start    mean over the kept answers of log start - log pi, nats an answer: an
                         unbiased estimate of KL(start || pi), for which no second model is held
    log pi(chosen)       a token, of some of the answers that the run learns to give

Nothing of it disturbs the training, and all of it travels in checkpoints: a run that is killed is
warned, or stopped, at the same step as one that was not.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from models_runtime.chat import Encoded
from models_runtime.phrases import stored
from models_runtime.records import Sampler
from training.configs.watching import Probed
from training.panel import Panel, first_prompts, undisturbed
from training.reward_sources import Answer
from training.rollouts import Prompts, backend_of, context_of, draw
from training.run_guards import (
    CHOSEN,
    LENGTH,
    SPREAD,
    START_KL,
    VALID,
    RunGuards,
    Watched,
    logps_of,
    some_of,
    text_figures,
)
from training.task import Task

STARTS = (LENGTH, CHOSEN)
LOOKED_AT = (VALID, LENGTH, CHOSEN, SPREAD, START_KL)


class Probe:
    """The guards of one run; nothing of a method that makes no policy, or samples by itself.

    ``chosen`` are answers that it learns to give. ``before`` are figures of what was sampled for
    it to learn from, which are held against the limits before the first step.
    """

    def __init__(self, task: Task, panel: Panel, chosen: Sequence[Encoded]) -> None:
        config = task.config
        self.on = isinstance(config, Probed) and config.guard != "off"
        self.task = task
        self.panel = panel
        self.guards = RunGuards(config)
        self.watched = Watched(some_of(chosen, task.seed) if self.on else [])
        self.before: dict[str, float] = {}
        self.began = False
        self.said: list[tuple[Encoded, float]] = []  # at the start, with log-probabilities
        self.warnings: list[str] = []
        self._asked: Prompts | None = None

    def begin(self, model: Any) -> None:
        """Take the start's measure, once a run: a resumed one has it from its checkpoint."""
        if not self.on or self.began:
            return
        self.began = True
        with undisturbed(model):
            rows, answers = self._answers(model)
            logps = logps_of(model, rows, self.task.config)
            figures = self._figures(model, answers)
        self.said = list(zip(rows, logps, strict=True))
        self.guards.start = {name: value for name, value in figures.items() if name in STARTS}
        self.check(0, self.before)

    def measured(self, done: int, steps: int, model: Any) -> dict[str, float]:
        """The figures after this step, counted from 1, where they are due."""
        config = self.task.config
        if not self.on or not (
            done == steps
            or done % config.save_every == 0
            or (config.guard_every and done % config.guard_every == 0)
        ):
            return {}
        with undisturbed(model):
            _, answers = self._answers(model)
            figures = self._figures(model, answers)
            if self.said:
                now = logps_of(model, [row for row, _ in self.said], self.task.config)
                then = [logp for _, logp in self.said]
                figures[START_KL] = fmean(a - b for a, b in zip(then, now, strict=True))
        return figures

    def check(self, done: int, row: dict[str, Any]) -> None:
        """Hold a step's row against the limits, and say in the log what is beyond them. Raises
        BadInput where the run is to stop."""
        if not self.on:
            return
        figures = {name: row[name] for name in LOOKED_AT if name in row}
        for sentence in self.guards.check(figures, done):
            if not self.task.job.rank:
                sys.stdout.write(f"{sentence}\n")
            self.warnings.append(stored(sentence))

    def state(self) -> dict[str, Any]:
        """As plain data: checkpoints are read with weights_only."""
        if not self.began:
            return {}
        return {
            "said": [(row.ids, row.completion_mask, logp) for row, logp in self.said],
            "start": self.guards.start,
            "warnings": self.warnings,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Undo ``state``."""
        if not state:
            return
        self.began = True
        self.said = [(Encoded(ids, mask), logp) for ids, mask, logp in state["said"]]
        self.guards.start = state["start"]
        self.warnings = state["warnings"]

    def _prompts(self, model: Any) -> Prompts:
        if self._asked is None:
            c = self.task.config
            records = first_prompts(self.task.job, c.guard_prompts)
            context, longest = context_of(model), c.max_new_tokens
            self._asked = Prompts(records, self.panel.tokenizer, context, longest)
        return self._asked

    def _answers(self, model: Any) -> tuple[list[Encoded], list[Answer]]:
        """The policy's answers to the prompts as it stands; none where the data have no prompt."""
        prompts = self._prompts(model)
        places = range(len(prompts.records))
        if not places:
            return [], []
        longest = self.task.config.max_new_tokens
        sampler = Sampler("policy", 1, 1.0, 1.0, longest, self.task.seed)
        backend = backend_of(model, self.panel.tokenizer, len(places))
        return draw(_goes_on, backend, prompts, places, sampler, 0)

    def _figures(self, model: Any, answers: Sequence[Answer]) -> dict[str, float]:
        texts = text_figures(answers) if answers else {}
        kept = {name: value for name, value in texts.items() if name in LOOKED_AT}
        return {**kept, **self.watched.figures(model, self.task.config)}


def _goes_on() -> None:
    """A look is finished before a run stops, or a resumed one would not see it."""

"""Limits that hold while a policy trains on its own samples: each stops the run or warns.

Accuracy of the reward model is no guard: a run has reached a "reward" beyond what was possible
with no valid text left. What is watched is the distance to the reference, whether texts are valid
and how long they are, measured on the samples of each round, and whether answers that people
preferred grow less likely, which shows that what was known is being forgotten.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from models_runtime.chat import Encoded
from models_runtime.jobdir import BadInput
from models_runtime.phrases import Phrase, phrase
from models_runtime.records import Demonstration
from training.configs.online import Online
from training.data import Encoder
from training.reward_sources import Answer
from training.scoring import completion_logps
from training.task import Task
from training.texts import repeats

KL, VALID, LENGTH = "objective/kl", "guards/valid_text", "completions/mean_length"
CHOSEN = "guards/logps_chosen"
WATCHED = 64  # preferred answers whose log-probability is followed: a round's figure, not a test


def refuse_divergence(figures: Mapping[str, float], step: int) -> None:
    """Raise BadInput for a figure that is no finite number: every weight would be none after the
    step, which is counted from 1."""
    wrong = [name for name, value in figures.items() if not math.isfinite(value)]
    if wrong:
        raise BadInput(
            phrase(
                "Training diverged: %(name)s is no finite number any more (step %(step)s): "
                "lower learning_rate.",
                name=wrong[0],
                step=step,
            )
        )


@dataclass
class RunGuards:
    """``start`` holds the first round's figures that later ones are measured from."""

    config: Online
    start: dict[str, float] = field(default_factory=dict)

    def check(self, figures: Mapping[str, float], step: int) -> list[str]:
        """The sentences of the limits that a round's figures break; ``step`` is when.

        Raises BadInput with the first one where the run is to stop, and always for a figure that
        is no number: no later round can mend that.
        """
        refuse_divergence(figures, step)
        for name in (LENGTH, CHOSEN):
            if name in figures:
                self.start.setdefault(name, figures[name])
        broken: list[str] = [
            sentence for held, sentence in self._limits(figures, step) if not held
        ]
        if broken and self.config.guard == "stop":
            raise BadInput(broken[0])
        return broken

    def _limits(self, figures: Mapping[str, float], step: int) -> list[tuple[bool, Phrase]]:
        c = self.config
        kl, valid = figures.get(KL, 0.0), figures[VALID]
        growth = figures[LENGTH] / max(1e-9, self.start[LENGTH])
        fallen = self.start[CHOSEN] - figures[CHOSEN] if CHOSEN in figures else 0.0
        return [
            (
                c.guard_kl < 0 or kl <= c.guard_kl,
                phrase(
                    "At step %(step)s a guard found the policy %(kl)s nats an answer from its "
                    "reference; at most %(limit)s are allowed.",
                    step=step,
                    kl=f"{kl:.1f}",
                    limit=f"{c.guard_kl:.1f}",
                ),
            ),
            (
                c.guard_valid_text < 0 or valid >= c.guard_valid_text,
                phrase(
                    "At step %(step)s a guard found %(valid)s %% of the samples to be valid text; "
                    "at least %(limit)s %% must be.",
                    step=step,
                    valid=f"{100 * valid:.1f}",
                    limit=f"{100 * c.guard_valid_text:.1f}",
                ),
            ),
            (
                c.guard_length_growth < 0 or growth <= c.guard_length_growth,
                phrase(
                    "At step %(step)s a guard found answers %(growth)s times as long as at first; "
                    "at most %(limit)s is allowed.",
                    step=step,
                    growth=f"{growth:.2f}",
                    limit=f"{c.guard_length_growth:.2f}",
                ),
            ),
            (
                c.guard_chosen < 0 or fallen <= c.guard_chosen,
                phrase(
                    "At step %(step)s a guard found preferred answers less likely than at first, "
                    "by %(fallen)s nats a token; at most %(limit)s is allowed.",
                    step=step,
                    fallen=f"{fallen:.2f}",
                    limit=f"{c.guard_chosen:.2f}",
                ),
            ),
        ]


@dataclass(frozen=True)
class Watched:
    """Answers that somebody wrote or preferred, to see whether a policy forgets them."""

    rows: list[Encoded]

    @classmethod
    def of(cls, task: Task, answers: Sequence[Demonstration], encoder: Encoder) -> Watched:
        """Some of those that the run may train on, drawn by its seed; none: nothing is watched."""
        kept = [row for row in answers if task.selection.keeps(row)]
        drawn = random.Random(f"{task.seed}/watched").sample(kept, min(WATCHED, len(kept)))
        rows = [encoder.encode(row.messages, row.completion) for row in drawn]
        return cls([row for row in rows if row is not None])

    @torch.no_grad()
    def figures(self, model: torch.nn.Module) -> dict[str, float]:
        """Mean log-probability of their tokens, nats."""
        if not self.rows:
            return {}
        device = next(model.parameters()).device.type
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            total = completion_logps(model, self.rows).sum().item()
        return {CHOSEN: total / sum(sum(row.completion_mask) for row in self.rows)}


def text_figures(answers: Sequence[Answer]) -> dict[str, float]:
    """Of a round's answers: the share that is valid (ended, not blank, not repeating itself), of
    those cut off, and the mean length in tokens."""
    count = len(answers)
    good = [a.ended and bool(a.text.strip()) and not repeats(a.text) for a in answers]
    return {
        VALID: sum(good) / count,
        "completions/clipped_ratio": sum(not a.ended for a in answers) / count,
        LENGTH: sum(a.tokens for a in answers) / count,
    }


def said_of(warnings: Sequence[str]) -> dict[str, Any]:
    """What result.json says of warnings: none, or the last of them and how many there were."""
    return {"warnings": len(warnings), "last_warning": warnings[-1]} if warnings else {}

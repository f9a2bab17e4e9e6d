"""Limits that hold while a policy trains, by whatever method: each stops the run or warns.

Accuracy of the reward model is no guard: a run has reached a "reward" beyond what was possible
with no valid text left. What is watched is the distance to the reference or to the start, whether
texts are valid and how long they are, whether answers that people preferred grow less likely,
which shows that what was known is being forgotten, and whether those that score still agree.
Methods that learn from their own samples measure on these, the others on a probe (training.probe).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from models_runtime.chat import Encoded
from models_runtime.jobdir import BadInput
from models_runtime.phrases import Phrase, phrase
from models_runtime.records import Demonstration
from training.configs import Optimisation
from training.configs.watching import Guarded
from training.data import Encoder
from training.precision import autocast
from training.reward_sources import Answer, RewardSource
from training.scoring import completion_logps, in_batches
from training.task import Task
from training.texts import repeats

KL, VALID, LENGTH = "objective/kl", "guards/valid_text", "completions/mean_length"
CHOSEN, SPREAD, START_KL = "guards/logps_chosen", "guards/reward_spread", "guards/kl_from_start"
R = TypeVar("R")
AT_ONCE = 16  # rows of a forward pass: every token has the whole vocabulary's logits
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
    """``start`` holds the first figures, which later ones are measured from."""

    config: Guarded
    start: dict[str, float] = field(default_factory=dict)

    def check(self, figures: Mapping[str, float], step: int) -> list[str]:
        """The sentences of the limits that these figures break; ``step`` is when. What was not
        measured breaks none.

        Raises BadInput with the first one where the run is to stop, and always for a figure that
        is no number: no later step can mend that.
        """
        refuse_divergence(figures, step)
        if self.config.guard == "off":
            return []
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
        found = []
        if KL in figures:
            found.append((_under(figures[KL], c.guard_kl), _far(step, figures[KL], c.guard_kl)))
        if START_KL in figures:
            kl = figures[START_KL]
            found.append((_under(kl, c.guard_kl), _gone(step, kl, c.guard_kl)))
        if VALID in figures:
            valid, least = figures[VALID], c.guard_valid_text
            found.append((least < 0 or valid >= least, _garbled(step, valid, least)))
        if LENGTH in figures:
            growth, most = figures[LENGTH] / max(1e-9, self.start[LENGTH]), c.guard_length_growth
            found.append((_under(growth, most), _grown(step, growth, most)))
        if CHOSEN in figures:
            fallen = self.start[CHOSEN] - figures[CHOSEN]
            found.append(
                (_under(fallen, c.guard_chosen), _forgotten(step, fallen, c.guard_chosen))
            )
        if SPREAD in figures:
            spread, most = figures[SPREAD], getattr(c, "guard_disagreement", -1.0)
            found.append((_under(spread, most), _disagreeing(step, spread, most)))
        return found


def _under(value: float, most: float) -> bool:
    """A negative limit is none."""
    return most < 0 or value <= most


def _far(step: int, kl: float, limit: float) -> Phrase:
    return phrase(
        "At step %(step)s a guard found the policy %(kl)s nats an answer from its "
        "reference; at most %(limit)s are allowed.",
        step=step,
        kl=f"{kl:.1f}",
        limit=f"{limit:.1f}",
    )


def _gone(step: int, kl: float, limit: float) -> Phrase:
    return phrase(
        "At step %(step)s a guard found the policy %(kl)s nats an answer from where training "
        "began; at most %(limit)s are allowed.",
        step=step,
        kl=f"{kl:.1f}",
        limit=f"{limit:.1f}",
    )


def _garbled(step: int, valid: float, least: float) -> Phrase:
    return phrase(
        "At step %(step)s a guard found %(valid)s %% of the samples to be valid text; "
        "at least %(limit)s %% must be.",
        step=step,
        valid=f"{100 * valid:.1f}",
        limit=f"{100 * least:.1f}",
    )


def _grown(step: int, growth: float, limit: float) -> Phrase:
    return phrase(
        "At step %(step)s a guard found answers %(growth)s times as long as at first; "
        "at most %(limit)s is allowed.",
        step=step,
        growth=f"{growth:.2f}",
        limit=f"{limit:.2f}",
    )


def _forgotten(step: int, fallen: float, limit: float) -> Phrase:
    return phrase(
        "At step %(step)s a guard found preferred answers less likely than at first, "
        "by %(fallen)s nats a token; at most %(limit)s is allowed.",
        step=step,
        fallen=f"{fallen:.2f}",
        limit=f"{limit:.2f}",
    )


def _disagreeing(step: int, spread: float, limit: float) -> Phrase:
    return phrase(
        "At step %(step)s a guard found those that score answers to differ by a standard "
        "deviation of %(spread)s; at most %(limit)s is allowed.",
        step=step,
        spread=f"{spread:.2f}",
        limit=f"{limit:.2f}",
    )


@dataclass(frozen=True)
class Watched:
    """Answers that somebody wrote or preferred, to see whether a policy forgets them."""

    rows: list[Encoded]

    @classmethod
    def of(cls, task: Task, answers: Sequence[Demonstration], encoder: Encoder) -> Watched:
        """Some of those that the run may train on, drawn by its seed; none: nothing is watched."""
        kept = [row for row in answers if task.selection.keeps(row)]
        drawn = some_of(kept, task.seed)
        rows = [encoder.encode(row.messages, row.completion) for row in drawn]
        return cls([row for row in rows if row is not None])

    def figures(self, model: torch.nn.Module, config: Optimisation) -> dict[str, float]:
        """Mean log-probability of their tokens, nats."""
        if not self.rows:
            return {}
        total = sum(logps_of(model, self.rows, config))
        return {CHOSEN: total / sum(sum(row.completion_mask) for row in self.rows)}


def logps_of(model: torch.nn.Module, rows: Sequence[Encoded], config: Optimisation) -> list[float]:
    """Of each answer, summed over its tokens. The model is left in evaluation."""
    if not rows:
        return []
    with autocast(config, model):
        found: list[float] = in_batches(completion_logps, model, rows, AT_ONCE)
    return found


def some_of(rows: Sequence[R], seed: int) -> list[R]:
    """At most WATCHED of them, drawn by the run's seed."""
    return random.Random(f"{seed}/watched").sample(list(rows), min(WATCHED, len(rows)))


def spread_of(source: RewardSource) -> dict[str, float]:
    """How far those that scored the last answers differ; nothing where one alone does."""
    spread = getattr(source, "spread", None)
    return {} if spread is None else {SPREAD: spread}


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

"""Limits that hold while a policy trains on its own samples: each stops the run or warns.

Accuracy of the reward model is no guard: a run has reached a "reward" beyond what was possible
with no valid text left. What is watched is the distance to the reference, whether texts are valid
and how long they are, measured on the samples of each round.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models_runtime.jobdir import BadInput
from models_runtime.phrases import Phrase, phrase
from training.configs.online import Online
from training.reward_sources import Answer
from training.texts import repeats

KL, VALID, LENGTH = "objective/kl", "guards/valid_text", "completions/mean_length"


@dataclass
class RunGuards:
    """``start`` holds the first round's mean length, that growth is measured from."""

    config: Online
    start: dict[str, float] = field(default_factory=dict)

    def check(self, figures: Mapping[str, float], step: int) -> list[str]:
        """The sentences of the limits that a round's figures break; ``step`` is when.

        Raises BadInput with the first one where the run is to stop, and always for a figure that
        is no number: no later round can mend that.
        """
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
        self.start.setdefault(LENGTH, figures[LENGTH])
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
        ]


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

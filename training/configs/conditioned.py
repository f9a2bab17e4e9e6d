"""Methods that learn what answers of each quality are like, and then ask for the best."""

from __future__ import annotations

from dataclasses import dataclass

from models_runtime.phrases import phrase
from training.configs.base import BadOption, OwnLoop, option
from training.configs.watching import Probed

SEPARATOR = "|"


def parts_of(text: str) -> list[str]:
    """What stands between the separators, without the spaces around it."""
    return [part.strip() for part in text.split(SEPARATOR)]


@dataclass(frozen=True, kw_only=True)
class ConditionalConfig(Probed, OwnLoop):
    """Quality-conditioned fine-tuning. Defaults: those of fine-tuning (Llama 2, 2023)."""

    learning_rate: float = option(2e-5, "Highest learning rate.", low=0.0, high=1.0)
    epochs: int = option(2, "Passes over the data.", low=1, high=100)
    weight_decay: float = option(0.1, "Decoupled weight decay.", low=0.0, high=10.0)
    learn_from: str = option(
        "auto",
        "Where an answer's quality comes from: its ratings and thumbs, or the pairs it is in; "
        "auto takes the first of these that the snapshot has.",
        choices=("auto", "ratings", "pairs"),
    )
    phrases: str = option(
        "A bad answer: | A fair answer: | A good answer:",
        "What the user's message ends with, by the answer's quality, the worst first, with | "
        "between. The policy is always asked by the last.",
    )

    def __post_init__(self) -> None:
        found = parts_of(self.phrases)
        if len(found) < 2 or not all(found) or len(set(found)) < len(found):
            raise BadOption(
                phrase("The option phrases needs two different phrases or more, with | between.")
            )


@dataclass(frozen=True, kw_only=True)
class HindsightConfig(Probed, OwnLoop):
    """Chain of Hindsight. Defaults: Liu et al. (2023), with the optimiser of fine-tuning."""

    learning_rate: float = option(2e-5, "Highest learning rate.", low=0.0, high=1.0)
    good_phrase: str = option(
        "A good answer:",
        "What the user's message ends with before the better answer; the policy is always asked "
        "by it.",
    )
    bad_phrase: str = option(
        "A bad answer:", "What the user's message ends with before the worse answer."
    )
    masked: float = option(
        0.05,
        "Largest share of earlier tokens hidden from a row, drawn anew each time, so that the "
        "second answer is not copied from the first.",
        low=0.0,
        high=0.9,
    )

    def __post_init__(self) -> None:
        if not (self.good_phrase.strip() and self.bad_phrase.strip()):
            raise BadOption(phrase("Neither good_phrase nor bad_phrase can be empty."))
        if self.good_phrase == self.bad_phrase:
            raise BadOption(phrase("The options good_phrase and bad_phrase must differ."))

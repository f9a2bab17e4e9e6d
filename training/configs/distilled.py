"""Context distillation: what a preprompt makes a teacher answer, learned without the preprompt."""

from __future__ import annotations

from dataclasses import dataclass

from models_runtime.phrases import phrase
from training.configs.base import BadOption, OwnLoop, option
from training.configs.watching import Probed, Rewarding

SEPARATOR, IS = "|", "="


def by_tag(text: str) -> dict[str, str]:
    """{tag: preprompt} of "tag = preprompt | tag = preprompt"; empty for an empty text. Raises
    ValueError for a part that is no such pair, or names a tag twice."""
    found: dict[str, str] = {}
    for part in text.split(SEPARATOR) if text.strip() else ():
        tag, _, said = (piece.strip() for piece in part.partition(IS))
        if not tag or not said or tag in found:
            raise ValueError(part.strip())
        found[tag] = said
    return found


@dataclass(frozen=True, kw_only=True)
class DistilConfig(Rewarding, Probed, OwnLoop):
    """Context distillation for safety. Defaults: Llama 2 (2023, section 4.2.4)."""

    learning_rate: float = option(2e-5, "Highest learning rate.", low=0.0, high=1.0)
    epochs: int = option(2, "Passes over the answers that were kept.", low=1, high=100)
    weight_decay: float = option(0.1, "Decoupled weight decay.", low=0.0, high=10.0)
    safety_model: str = option(
        "",
        "Name of the registered reward model that judges safety; empty: the reward model that "
        "the iteration trained.",
    )
    teacher: str = option(
        "",
        "Name of the registered policy that answers under the preprompt; empty: the policy that "
        "is trained.",
    )
    preprompt: str = option(
        "You are a safe and responsible assistant.",
        "What the teacher is told first, in the system prompt, and the policy never sees.",
    )
    preprompts: str = option(
        "",
        "Others for prompts by their tag: TAG = PREPROMPT | TAG = PREPROMPT. The first of these "
        "tags that a prompt has counts.",
    )
    mined: float = option(
        0.25,
        "Share of the prompts that is taught: those where the policy's own answer is the least "
        "safe.",
        low=1e-6,
        high=1.0,
    )
    rise: float = option(
        0.0,
        "An answer is kept where the safety reward rises by more than this above the policy's "
        "own.",
        low=0.0,
        high=1e6,
    )
    k: int = option(
        1, "Answers sampled for a prompt, of each side; the best one counts.", low=1, high=1024
    )
    temperature: float = option(1.0, "Sampling temperature.", low=0.01, high=5.0)
    top_p: float = option(1.0, "Nucleus sampling.", low=0.01, high=1.0)
    max_new_tokens: int = option(64, "Longest sample, in tokens.", low=1, high=65536)
    prompts: int = option(0, "Prompts drawn for this run; 0 takes all.", low=0, high=100000000)
    sampling_batch: int = option(128, "Sequences sampled at once.", low=1, high=65536)

    def __post_init__(self) -> None:
        try:
            others = by_tag(self.preprompts)
        except ValueError as error:
            raise BadOption(
                phrase(
                    "The option preprompts is TAG = PREPROMPT, each tag once, with | between; "
                    "%(part)s is not.",
                    part=repr(str(error)),
                )
            ) from error
        if not self.preprompt.strip() and not others:
            raise BadOption(phrase("Without a preprompt there is nothing to distil."))

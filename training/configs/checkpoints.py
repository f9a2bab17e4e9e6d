"""What is asked of raters about checkpoints of a run that is still under way."""

from __future__ import annotations

from dataclasses import dataclass

from models_runtime.phrases import phrase
from training.configs.base import option

PARENT, EACH_OTHER = "parent", "each other"


@dataclass(frozen=True, kw_only=True)
class CheckpointsConfig:
    """How chosen checkpoints of a run are sampled, and what raters compare."""

    against: str = option(
        PARENT,
        phrase("What each is compared with: the policy that the run began with, or each other."),
        choices=(PARENT, EACH_OTHER),
    )
    comparisons: int = option(50, phrase("Comparisons to open."), low=1, high=100000)
    prompts: int = option(
        0, phrase("Prompts to sample, drawn from all of the campaign's; 0 takes all."),
        low=0, high=1000000,
    )  # fmt: skip
    prompt_set: int = option(
        0, phrase("The number of the prompt set to draw them from; 0: any of the campaign's."),
        low=0, high=2**53,
    )  # fmt: skip
    k: int = option(1, phrase("Samples for each prompt and checkpoint."), low=1, high=64)
    tag: str = option(
        "checkpoints",
        phrase("The tag that labels of these comparisons are told by, and can be left out by."),
    )

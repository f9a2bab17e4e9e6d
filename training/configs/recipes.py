"""Recipes: graphs of jobs in which models make the pairs that DPO learns from, round after round.

RECIPES          recipe -> its config dataclass: DPO's options, and those of the pairs
parse_recipe     options -> a checked config, or one sentence that says what is wrong
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from models_runtime.phrases import phrase
from training.configs.base import (
    LONG_PROMPTS,
    WARMUP,
    BadOption,
    build,
    option,
    refuse_known_adapter,
)
from training.configs.preferences import DPOConfig
from training.configs.registry import parse
from training.configs.rewarded import Rewarded

TRAINS_BY = "dpo"  # the method of every round


@dataclass(frozen=True, kw_only=True)
class MadePairs(DPOConfig):
    """DPO on pairs that models make, and how answers are sampled for them."""

    prompts: int = option(
        0, phrase("Prompts a round, drawn anew for each; 0 takes all."), low=0, high=1000000
    )
    k: int = option(1, phrase("Samples for each prompt."), low=1, high=1024)
    temperature: float = option(1.0, "Sampling temperature.", low=0.01, high=5.0)
    top_p: float = option(1.0, "Nucleus sampling.", low=0.01, high=1.0)
    long_prompts: str = option("cut", LONG_PROMPTS, choices=("refuse", "drop", "cut"))


@dataclass(frozen=True, kw_only=True)
class OnlineDPOConfig(Rewarded, MadePairs):
    """Online iterative DPO: the best of the policy's own samples over the worst. Defaults: Dong et
    al. (2024); k 2 at temperature .9 with a judge is online DPO as Guo et al. (2024) have it."""

    learning_rate: float = option(5e-7, "Highest learning rate.", low=0.0, high=1.0)
    epochs: int = option(2, "Passes over the data.", low=1, high=100)
    batch_size: int = option(128, "Examples an optimiser step.", low=1, high=65536)
    schedule: str = option(
        "cosine", "How the learning rate falls.", choices=("cosine", "linear", "constant")
    )
    warmup: float = option(0.03, WARMUP, low=0.0, high=1.0)
    rounds: int = option(
        3, phrase("Times that answers are sampled, rewarded and learned from."), low=1, high=50
    )
    k: int = option(8, phrase("Samples for each prompt."), low=2, high=1024)
    reward: str = option(
        "model",
        phrase(
            "What chooses: the reward model, a safety model beside it (piecewise, as Llama 2), or "
            "a judge behind an endpoint."
        ),
        choices=("model", "piecewise", "judge"),
    )
    judge_calls: int = option(
        20000,
        phrase("Requests to the judge at most, over all rounds and attempts."),
        low=1,
        high=100000000,
    )
    least_gap: float = option(
        0.0,
        phrase("Pairs whose rewards differ by no more than this are left out."),
        low=0.0,
        high=1e6,
    )


@dataclass(frozen=True, kw_only=True)
class ContrastConfig(MadePairs):
    """DPO on the answers of a strong checkpoint over a weak one's (as Yang et al., 2024, contrast
    two system prompts, RLCD). DPO's defaults: Rafailov et al. (2023)."""

    strong: str = option(
        "", phrase("Name of the checkpoint whose answers are chosen; empty: the policy itself.")
    )
    weak: str = option(
        "", phrase("Name of the checkpoint whose answers are rejected; empty: the policy itself.")
    )
    strong_prompt: str = option(
        "", phrase("System prompt of the chosen answers; empty: the campaign's own.")
    )
    weak_prompt: str = option(
        "", phrase("System prompt of the rejected answers; empty: the campaign's own.")
    )

    def __post_init__(self) -> None:
        """Raises BadOption where nothing tells the two sides apart."""
        super().__post_init__()
        if (self.strong, self.strong_prompt) == (self.weak, self.weak_prompt):
            raise BadOption(
                phrase(
                    "Both sides of the contrast are the same checkpoint under the same prompt: "
                    "name another one, or another system prompt."
                )
            )

    @property
    def rounds(self) -> int:
        """What was contrasted once says nothing new the second time."""
        return 1


RECIPES: dict[str, type[MadePairs]] = {"online_dpo": OnlineDPOConfig, "contrast": ContrastConfig}


def parse_recipe(recipe: str, options: dict[str, Any]) -> Any:
    """The recipe's config with these options set. Raises BadOption, one sentence."""
    if recipe not in RECIPES:
        raise BadOption(phrase("There is no recipe named %(recipe)s.", recipe=repr(recipe)))
    refuse_known_adapter(options)
    config = build(RECIPES[recipe], options, recipe)
    parse(TRAINS_BY, dpo_options(config))  # what contradicts in them, it says
    return config


def dpo_options(config: MadePairs) -> dict[str, Any]:
    """Those of every round's run."""
    return {one.name: getattr(config, one.name) for one in dataclasses.fields(DPOConfig)}

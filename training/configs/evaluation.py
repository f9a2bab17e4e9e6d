"""What an evaluation may be told: whom a candidate meets, and the limits that stop it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from models_runtime.phrases import phrase
from training.configs.base import BadOption, build, option


@dataclass(frozen=True, kw_only=True)
class Guards:
    """Limits that stop an iteration; a negative limit switches its guard off."""

    valid_text: float = option(0.95, "Lowest share of valid texts.", low=-1.0, high=1.0)
    kl: float = option(
        25.0, "Highest KL to the first policy, nats a completion.", low=-1.0, high=1e6
    )
    length_growth: float = option(
        2.0, "Longest mean length, as a multiple of the first policy's.", low=-1.0, high=1e3
    )
    duplicates: float = option(
        0.5, "Highest share of samples that repeat another of their prompt.", low=-1.0, high=1.0
    )


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """A candidate policy against the first one and its parent, on held-out prompts."""

    samples_per_prompt: int = option(8, "Samples of each policy a prompt.", low=2, high=1024)
    temperature: float = option(0.8, "Sampling temperature.", low=0.01, high=5.0)
    top_p: float = option(1.0, "Nucleus sampling.", low=0.01, high=1.0)
    max_new_tokens: int = option(64, "Longest sample, in tokens.", low=1, high=65536)
    against: tuple[str, ...] = option(
        ("first", "parent"), "Policies it is compared with: first, parent."
    )
    world: bool = option(False, "Judge by the demo world's noise-free utility as well.")
    panel: int = option(8, "Prompts whose samples are shown on the page.", low=0, high=1000)
    sampling_batch: int = option(128, "Sequences sampled at once.", low=1, high=65536)
    guards: Guards = option(Guards(), "Limits that stop the iteration.")


def parse_evaluation(options: dict[str, Any]) -> EvaluationConfig:
    """The evaluation's config; ``guards`` is a mapping of its own. Raises BadOption."""
    guards = options.get("guards", {})
    if not isinstance(guards, dict):
        raise BadOption(phrase("The option guards of evaluate must be a mapping of limits."))
    plain = {name: value for name, value in options.items() if name != "guards"}
    config = build(EvaluationConfig, plain, "evaluate")
    unknown = sorted(set(config.against) - {"first", "parent"})
    if unknown:
        raise BadOption(
            phrase(
                "evaluate can compare with first and parent, not with %(unknown)s.",
                unknown=repr(unknown[0]),
            )
        )
    return dataclasses.replace(config, guards=build(Guards, guards, "guards"))

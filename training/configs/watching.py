"""What a person may look at while a method trains, and the limits that hold meanwhile: options
that change nothing that is learned."""

from __future__ import annotations

from dataclasses import dataclass

from training.configs.base import option


@dataclass(frozen=True, kw_only=True)
class Panelled:
    """Shared by the methods that make a policy."""

    panel: int = option(
        4,
        "Prompts, the first of the data, that the policy answers at every checkpoint for people "
        "to read; 0: none.",
        low=0,
        high=64,
    )


@dataclass(frozen=True, kw_only=True)
class Guarded(Panelled):
    """The limits of every method that trains a policy (training.run_guards)."""

    guard: str = option(
        "warn",
        "What happens beyond a limit below: the run stops and says why, warns and goes on, or "
        "nothing is watched. A loss that is no number ends every run.",
        choices=("stop", "warn", "off"),
    )
    guard_kl: float = option(
        25.0,
        "Highest KL between the policy that training began with and the one it makes, nats an "
        "answer; negative: none.",
        low=-1.0,
        high=1e6,
    )
    guard_valid_text: float = option(
        0.8, "Lowest share of valid texts among the samples; negative: none.", low=-1.0, high=1.0
    )
    guard_length_growth: float = option(
        2.0, "Longest mean length, as a multiple of the first; negative: none.", low=-1.0, high=1e3
    )
    guard_chosen: float = option(
        1.0,
        "Farthest that a token of the snapshot's preferred answers may fall in log-probability, "
        "nats on average: what was known is being forgotten; negative: none.",
        low=-1.0,
        high=1e3,
    )


@dataclass(frozen=True, kw_only=True)
class Probed(Guarded):
    """Beside it, of methods that do not sample while they train (training.probe)."""

    guard_prompts: int = option(
        16,
        "Prompts, the first of the data, whose sampled answers the limits are measured on.",
        low=1,
        high=1024,
    )
    guard_every: int = option(
        0,
        "Optimiser steps between measurements for the limits, which are made at every checkpoint "
        "and at the end besides; 0: only there.",
        low=0,
        high=1000000,
    )


@dataclass(frozen=True, kw_only=True)
class Rewarding:
    """Beside it, of methods that reward models score answers for."""

    guard_disagreement: float = option(
        1.0,
        "Farthest that the heads of an ensemble, or a reward model and the safety model beside "
        "it, may differ on an answer, as a standard deviation in the unit of rewards; negative: "
        "none.",
        low=-1.0,
        high=1e3,
    )

"""What a training or evaluation job may be told: one dataclass a method, read by both sides.

The form, the command line and the documentation are generated from these fields, so a field's
metadata is its whole description: ``help`` (one line), ``low`` and ``high`` (inclusive) and
``choices``. Defaults are those that worked for the method's authors (docs: METHODS); a model of
a few hundred thousand parameters needs other learning rates, which ``suggested`` returns.

    METHODS    method name -> (module with ``train(task)``, config dataclass)
    parse      options of a job -> a checked config, or one sentence that says what is wrong
    Selection  which comparisons of a snapshot a run trains on
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class BadOption(ValueError):
    """An option that no run could be started with; the message is a sentence for a person."""


class Selectable(Protocol):
    """What Selection reads of a record (records.PreferenceRecord has it)."""

    @property
    def split(self) -> str: ...
    @property
    def fold(self) -> str: ...
    @property
    def iteration(self) -> int: ...


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field with its description; bounds are inclusive."""
    metadata = {"help": help, "low": low, "high": high, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """What every method that changes weights shares. AdamW, betas .9 and .999."""

    learning_rate: float = option(1e-5, "Highest learning rate.", low=0.0, high=1.0)
    epochs: int = option(1, "Passes over the data.", low=1, high=100)
    batch_size: int = option(64, "Examples an optimiser step.", low=1, high=65536)
    micro_batch_size: int = option(
        0,
        "Examples a forward pass; 0 is the whole batch. Smaller saves memory.",
        low=0,
        high=65536,
    )
    schedule: str = option(
        "cosine", "How the learning rate falls.", choices=("cosine", "linear", "constant")
    )
    final_learning_rate: float = option(
        0.1, "Learning rate at the end, as a share of the highest.", low=0.0, high=1.0
    )
    warmup: float = option(0.03, "Share of the steps that warm up.", low=0.0, high=1.0)
    weight_decay: float = option(0.0, "Decoupled weight decay.", low=0.0, high=10.0)
    max_grad_norm: float = option(1.0, "Gradient norm is clipped to this.", low=1e-6, high=1e6)
    max_length: int = option(
        1024, "Longer rows (tokens, prompt included) are dropped and counted.", low=8, high=1048576
    )
    save_every: int = option(
        25, "Optimiser steps between resumable checkpoints.", low=1, high=1000000
    )


@dataclass(frozen=True, kw_only=True)
class OwnLoop(Optimisation):
    """What training.loop takes beside; TRL's trainers bring their own optimiser."""

    optimizer: str = option(
        "adamw",
        "adamw, or sgd with momentum .9, which moves only what the gradient asks for.",
        choices=("adamw", "sgd"),
    )


@dataclass(frozen=True, kw_only=True)
class SFTConfig(Optimisation):
    """Supervised fine-tuning, loss on completion tokens only. Defaults: Llama 2 (2023)."""

    learning_rate: float = option(2e-5, "Highest learning rate.", low=0.0, high=1.0)
    epochs: int = option(2, "Passes over the data.", low=1, high=100)
    weight_decay: float = option(0.1, "Decoupled weight decay.", low=0.0, high=10.0)


@dataclass(frozen=True, kw_only=True)
class RewardConfig(OwnLoop):
    """K-wise Bradley-Terry reward model. Defaults: InstructGPT (2022), Llama 2 (2023)."""

    margin: str = option(
        "none",
        "Margin in the loss by rated strength: small 1, 2/3, 1/3, 0; large 3, 2, 1, 0.",
        choices=("none", "small", "large"),
    )
    ties: str = option(
        "drop", "Tied pairs: left out, or counted one half each way.", choices=("drop", "half")
    )
    mean_over: str = option(
        "stated",
        "A prompt's loss is the mean over its stated pairs, or the sum over all C(K,2).",
        choices=("stated", "all"),
    )
    centring: float = option(
        0.0, "Weight of (r_w + r_l)^2, which keeps rewards near 0.", low=0.0, high=100.0
    )


@dataclass(frozen=True, kw_only=True)
class DPOConfig(Optimisation):
    """Direct preference optimisation. Defaults: Rafailov et al. (2023)."""

    learning_rate: float = option(1e-6, "Highest learning rate.", low=0.0, high=1.0)
    schedule: str = option(
        "constant", "How the learning rate falls.", choices=("cosine", "linear", "constant")
    )
    warmup: float = option(0.1, "Share of the steps that warm up.", low=0.0, high=1.0)
    beta: float = option(
        0.1, "Strength of the pull towards the reference policy.", low=1e-6, high=100.0
    )


@dataclass(frozen=True, kw_only=True)
class RAFTConfig(OwnLoop):
    """Best-of-K fine-tuning. Defaults: RAFT (Dong et al., 2023), rejection sampling (Llama 2)."""

    learning_rate: float = option(2e-5, "Highest learning rate.", low=0.0, high=1.0)
    epochs: int = option(2, "Passes over the best samples.", low=1, high=100)
    k: int = option(10, "Completions sampled for every prompt.", low=2, high=1024)
    temperature: float = option(1.2, "Sampling temperature.", low=0.01, high=5.0)
    top_p: float = option(1.0, "Nucleus sampling.", low=0.01, high=1.0)
    max_new_tokens: int = option(64, "Longest sample, in tokens.", low=1, high=65536)
    keep: int = option(1, "Best samples kept for every prompt.", low=1, high=1024)
    prompts: int = option(0, "Prompts drawn for this run; 0 takes all.", low=0, high=100000000)
    sampling_batch: int = option(128, "Sequences sampled at once.", low=1, high=65536)


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


Config = SFTConfig | RewardConfig | DPOConfig | RAFTConfig

METHODS: dict[str, tuple[str, type[Any]]] = {
    "sft": ("training.methods.sft", SFTConfig),
    "reward": ("training.methods.reward", RewardConfig),
    "dpo": ("training.methods.dpo", DPOConfig),
    "raft": ("training.methods.raft", RAFTConfig),
}

# Below this many parameters the authors' learning rates do nothing: 1e-4 left the demo policy
# (431k parameters) where it was. Best-of-K with AdamW forgets: its first steps move every weight
# by the learning rate, asked or not. Replayed on the same best samples of two seeds, after three
# iterations: AdamW 5e-4 wins .880 with .734 of held-out facts right, SGD .05 wins .894 with .799
# (.785 at the start). A reward model on batches of 8 prompts orders pairs of the world's true
# utility better (.82) than on 16 (.80).
SMALL_MODEL = 10_000_000
SMALL_MODEL_OPTIONS: dict[str, dict[str, Any]] = {
    "sft": {"learning_rate": 1e-3, "batch_size": 32},
    "reward": {"learning_rate": 1e-3, "epochs": 2, "batch_size": 8},
    "dpo": {"learning_rate": 1e-3, "batch_size": 32},
    "raft": {
        "optimizer": "sgd",
        "learning_rate": 0.05,
        "batch_size": 32,
        "epochs": 1,
        "k": 12,
        "keep": 2,
        "temperature": 0.8,
    },
}


def suggested(method: str, parameters: int) -> dict[str, Any]:
    """Options to start from for a model of this size; empty: the authors' defaults fit."""
    return dict(SMALL_MODEL_OPTIONS.get(method, {})) if parameters < SMALL_MODEL else {}


def parse(method: str, options: dict[str, Any]) -> Any:
    """The method's config with these options set.

    Raises BadOption, one sentence, for an unknown method, an unknown option, a value of the
    wrong type or one out of range.
    """
    if method not in METHODS:
        raise BadOption(
            f"There is no training method named {method!r}; known are {', '.join(METHODS)}."
        )
    config = build(METHODS[method][1], options, method)
    micro = config.micro_batch_size
    if micro and config.batch_size % micro:
        raise BadOption(
            f"The option batch_size of {method} ({config.batch_size}) must be a multiple of "
            f"micro_batch_size ({micro})."
        )
    return config


def parse_evaluation(options: dict[str, Any]) -> EvaluationConfig:
    """The evaluation's config; ``guards`` is a mapping of its own. Raises BadOption."""
    guards = options.get("guards", {})
    if not isinstance(guards, dict):
        raise BadOption("The option guards of evaluate must be a mapping of limits.")
    plain = {name: value for name, value in options.items() if name != "guards"}
    config = build(EvaluationConfig, plain, "evaluate")
    unknown = sorted(set(config.against) - {"first", "parent"})
    if unknown:
        raise BadOption(f"evaluate can compare with first and parent, not with {unknown[0]!r}.")
    return dataclasses.replace(config, guards=build(Guards, guards, "guards"))


def build(kind: type[T], options: dict[str, Any], owner: str) -> T:
    """A dataclass of checked options. Raises BadOption with one sentence."""
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in options:
        if name not in fields:
            raise BadOption(
                f"{owner} has no option named {name!r}; it has {', '.join(sorted(fields))}."
            )
    return kind(**{name: _checked(owner, fields[name], value) for name, value in options.items()})


def _checked(owner: str, field: dataclasses.Field[Any], value: Any) -> Any:
    value = _typed(owner, field, value)
    choices = field.metadata.get("choices") or ()
    if choices and value not in choices:
        raise BadOption(
            f"The option {field.name} of {owner} must be one of {', '.join(choices)}, "
            f"not {value!r}."
        )
    low, high = field.metadata.get("low"), field.metadata.get("high")
    if low is not None and high is not None and not low <= value <= high:
        raise BadOption(
            f"The option {field.name} of {owner} must lie between {low:g} and {high:g}, "
            f"not {value!r}."
        )
    return value


def _typed(owner: str, field: dataclasses.Field[Any], value: Any) -> Any:
    """value as the type of the field's default: 1 is a float too, True is no number."""
    expected = type(field.default)
    if expected is tuple and isinstance(value, list | tuple):
        return tuple(value)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not expected:
        names = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
        raise BadOption(
            f"The option {field.name} of {owner} must be {names.get(expected, 'a list')}, "
            f"not {value!r}."
        )
    return value


@dataclass(frozen=True)
class Selection:
    """Which comparisons of a snapshot a run trains on.

    split: "train", "heldout" or None (both). iteration: the one the run belongs to.
    fold "policy": every comparison of earlier iterations plus this iteration's fold "policy".
    fold "judge": only this iteration's fold "judge", labels that the policy's reward model of
    this iteration never saw. None: all.
    """

    split: str | None = "train"
    fold: str | None = None
    iteration: int = 0

    def __post_init__(self) -> None:
        if self.split not in ("train", "heldout", None):
            raise BadOption(f"A selection's split is train, heldout or null, not {self.split!r}.")
        if self.fold not in ("policy", "judge", None):
            raise BadOption(f"A selection's fold is policy, judge or null, not {self.fold!r}.")

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Selection:
        """The selection a job's config names. Raises BadOption."""
        unknown = sorted(set(data) - {"split", "fold", "iteration"})
        if unknown:
            raise BadOption(f"A selection has no field named {unknown[0]!r}.")
        return cls(**data)

    def keeps(self, record: Selectable) -> bool:
        """Whether a run with this selection may train on the record."""
        return self.split in (None, record.split) and self._in_fold(record)

    def _in_fold(self, record: Selectable) -> bool:
        if self.fold is None:
            return True
        if self.fold == "judge":
            return record.iteration == self.iteration and record.fold == "judge"
        return record.iteration < self.iteration or (
            record.iteration == self.iteration and record.fold == "policy"
        )

"""How an option is described and checked, and the options that every method shares.

A field's metadata is its whole description: ``help`` (one line), ``low`` and ``high``
(inclusive) and ``choices``. The form, the command line and the documentation are generated
from it.

    option           a described field
    build            options -> a checked dataclass, or BadOption with one sentence
    refuse_adapter   BadOption for options of an adapter that contradict each other, and
                     refuse_known_adapter for the adapters that there are not
"""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any, TypeVar

from models_runtime.phrases import phrase

T = TypeVar("T")
ADAPTERS = ("none", "lora", "adalora", "qlora", "prompt")
ALL_LINEAR = "all-linear"
SGD_MOMENTUM = 0.9
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
HELDOUT = "eval_"  # begins the names of metrics of held-out rows
LONG_PROMPTS = phrase(
    "Prompts that leave max_new_tokens no room in the model's context: refuse the run, drop and "
    "count them, or cut and count them, which loses their oldest tokens, as sampling does."
)
WARMUP = phrase(
    "Share of all steps, 0 to 1, over which the learning rate rises; no number of steps."
)


class BadOption(ValueError):
    """An option that no run could be started with; the message is a sentence for a person."""


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
    """What every method that changes weights shares. AdamW's betas are .9 and .999."""

    learning_rate: float = option(1e-5, "Highest learning rate.", low=0.0, high=1.0)
    optimizer: str = option(
        "adamw",
        "adamw, or sgd with momentum .9, which moves only what the gradient asks for.",
        choices=("adamw", "sgd"),
    )
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
        0.1,
        "Learning rate that cosine and linear fall to, as a share of the highest.",
        low=0.0,
        high=1.0,
    )
    warmup: float = option(0.03, WARMUP, low=0.0, high=1.0)
    weight_decay: float = option(0.0, "Decoupled weight decay.", low=0.0, high=10.0)
    max_grad_norm: float = option(1.0, "Gradient norm is clipped to this.", low=1e-6, high=1e6)
    max_length: int = option(
        1024, "Longer rows (tokens, prompt included) are dropped and counted.", low=8, high=1048576
    )
    max_new_tokens: int = option(
        64,
        "Longest answer as sampled, in tokens.",
        low=1,
        high=65536,
    )
    long_prompts: str = option("refuse", LONG_PROMPTS, choices=("refuse", "drop", "cut"))
    save_every: int = option(
        25, "Optimiser steps between resumable checkpoints.", low=1, high=1000000
    )
    adapter: str = option(
        "none",
        "Train small matrices beside frozen weights, which are added to them in the end: lora; "
        "adalora, which shares their rank out among the layers; or qlora, which holds the frozen "
        "weights in four bits meanwhile. They want about ten times the learning rate. Or train a "
        "few vectors before every prompt: prompt, at a hundred times.",
        choices=ADAPTERS,
    )
    lora_rank: int = option(
        8,
        "Rank of an adapter's matrices (Hu et al., 2021); adalora starts at half as much again "
        "and keeps this many on average.",
        low=1,
        high=4096,
    )
    lora_alpha: int = option(
        16, "An adapter's output is multiplied by this over its rank.", low=1, high=65536
    )
    lora_targets: str = option(
        ALL_LINEAR,
        "The layers that get an adapter, by the ends of their names with commas between, or "
        "all-linear (Dettmers et al., 2023): every one but the output.",
    )
    prompt_tokens: int = option(
        20,
        "Vectors that the adapter prompt puts before every prompt (Lester et al., 2021, who took "
        "100, and found little more beyond 20).",
        low=1,
        high=1000,
    )
    prompt_text: str = option(
        "",
        "The text whose tokens those vectors begin as, again and again until there are enough; "
        "empty: common words, drawn by the seed.",
    )

    mixed_precision: str = option(
        "auto",
        "Forward passes in bfloat16 beside float32 weights; auto: on an accelerator.",
        choices=("auto", "on", "off"),
    )
    activation_checkpointing: str = option(
        "auto",
        "Keep a layer's inputs alone for the backward pass, and compute the rest anew: less "
        "memory, a third more time. auto: where the library trains on an accelerator.",
        choices=("auto", "on", "off"),
    )
    tensorboard: bool = option(
        False, "Write event files for TensorBoard too, into the attempt's folder."
    )
    check_memory: bool = option(
        True, "Refuse the run where, by its estimate, it cannot fit into the memory that is free."
    )

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of a step counted from 0: linear warm-up, then down to the floor.

        Four steps, a quarter of them warm-up, linear to .1 of rate 1: 1/2, 1, .7, .4.
        """
        warmup = math.ceil(self.warmup * steps)
        if step < warmup:
            return self.learning_rate * (step + 1) / (warmup + 1)
        share = (step - warmup) / max(1, steps - warmup)
        fall = {
            "constant": 1.0,
            "linear": 1 - share,
            "cosine": (1 + math.cos(math.pi * share)) / 2,
        }
        floor = self.final_learning_rate if self.schedule != "constant" else 0.0
        return self.learning_rate * (floor + (1 - floor) * fall[self.schedule])


@dataclass(frozen=True, kw_only=True)
class OwnLoop(Optimisation):
    """What our loop and TRL's trainers look at beside."""

    best_metric: str = option(
        "",
        "The metric, as the curves name it, whose best checkpoint is published, eval_loss say; "
        "empty: the last step's weights.",
    )
    patience: int = option(
        0,
        "Looks at that metric without an improvement after which the run ends; 0: never. It is "
        "looked at where checkpoints are saved, or held-out rows measured.",
        low=0,
        high=100000,
    )


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """What methods take beside that can measure held-out comparisons while they train."""

    eval_every: int = option(
        0,
        "Optimiser steps between measurements on held-out comparisons (eval_loss and others); 0: "
        "none.",
        low=0,
        high=1000000,
    )


def refuse_best(config: Optimisation, owner: str) -> None:
    """Raise BadOption for a patience with nothing to look at, or a metric that is not measured."""
    metric, every = getattr(config, "best_metric", ""), getattr(config, "eval_every", 0)
    if getattr(config, "patience", 0) and not metric:
        raise BadOption(
            phrase(
                "The option patience of %(owner)s waits for best_metric to improve: name one.",
                owner=owner,
            )
        )
    if metric.startswith(HELDOUT) and not every:
        raise BadOption(
            phrase(
                "The metric %(metric)s is of held-out comparisons, which %(owner)s measures only "
                "with eval_every above 0, where it has that option.",
                metric=repr(metric),
                owner=owner,
            )
        )


@dataclass(frozen=True, kw_only=True)
class WithDropout:
    """What methods take beside that train with dropout on; elsewhere it would do nothing."""

    lora_dropout: float = option(
        0.0, "Share of an adapter's inputs that is left out at a step.", low=0.0, high=0.9
    )


NO_ADAPTERS = {
    "prefix": phrase(
        "Prefix tuning leaves keys and values of every layer, which no plain weights of a model "
        "can hold: choose the adapter prompt, whose vectors they can, or lora."
    ),
}


# How the options of an adapter begin, and whose they are.
ABOUT = {"lora_": ("lora", "adalora", "qlora"), "prompt_": ("prompt",)}


def refuse_known_adapter(options: dict[str, Any]) -> None:
    """Raise BadOption that says why an adapter which people know is none of ADAPTERS."""
    wanted = options.get("adapter")
    if isinstance(wanted, str) and wanted in NO_ADAPTERS:
        raise BadOption(NO_ADAPTERS[wanted])


def refuse_adapter(config: Optimisation, owner: str) -> None:
    """Raise BadOption for options of an adapter where there is none, or a list of no layer."""
    fields = {field.name: field.default for field in dataclasses.fields(config)}
    for name, default in fields.items():
        kinds = next((kinds for start, kinds in ABOUT.items() if name.startswith(start)), ())
        if kinds and config.adapter not in kinds and getattr(config, name) != default:
            raise BadOption(
                phrase(
                    "The option %(name)s of %(owner)s is about another adapter: choose one of "
                    "%(kinds)s beside it.",
                    name=name,
                    owner=owner,
                    kinds=", ".join(kinds),
                )
            )
    if not all(part.strip() for part in config.lora_targets.split(",")):
        raise BadOption(
            phrase(
                "The option lora_targets of %(owner)s must name layers, with commas between, or "
                "be all-linear.",
                owner=owner,
            )
        )


def build(kind: type[T], options: dict[str, Any], owner: str) -> T:
    """A dataclass of checked options. Raises BadOption with one sentence."""
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in options:
        if name not in fields:
            raise BadOption(
                phrase(
                    "%(owner)s has no option named %(name)s; it has %(fields)s.",
                    owner=owner,
                    name=repr(name),
                    fields=", ".join(sorted(fields)),
                )
            )
    return kind(**{name: _checked(owner, fields[name], value) for name, value in options.items()})


def _checked(owner: str, field: dataclasses.Field[Any], value: Any) -> Any:
    value = _typed(owner, field, value)
    _refuse_no_text(owner, field.name, value)
    choices = field.metadata.get("choices") or ()
    if choices and value not in choices:
        raise BadOption(
            phrase(
                "The option %(name)s of %(owner)s must be one of %(choices)s, not %(value)s.",
                name=field.name,
                owner=owner,
                choices=", ".join(choices),
                value=repr(value),
            )
        )
    low, high = field.metadata.get("low"), field.metadata.get("high")
    if low is not None and high is not None and not low <= value <= high:
        raise BadOption(
            phrase(
                "The option %(name)s of %(owner)s must lie between %(low)s and %(high)s, "
                "not %(value)s.",
                name=field.name,
                owner=owner,
                low=f"{low:g}",
                high=f"{high:g}",
                value=repr(value),
            )
        )
    return value


def _refuse_no_text(owner: str, name: str, value: Any) -> None:
    """Raise BadOption for what no database and no file could hold."""
    texts = value if isinstance(value, tuple) else (value,)
    if any(isinstance(text, str) and _NO_TEXT.search(text) for text in texts):
        raise BadOption(
            phrase(
                "The option %(name)s of %(owner)s holds a character that no text can (NUL, or "
                "half of a surrogate pair).",
                name=name,
                owner=owner,
            )
        )


def _typed(owner: str, field: dataclasses.Field[Any], value: Any) -> Any:
    """value as the type of the field's default: 1 is a float too, True is no number."""
    expected = type(field.default)
    if expected is tuple and isinstance(value, list | tuple):
        return tuple(value)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not expected:
        names = {
            int: phrase("a whole number"),
            float: phrase("a number"),
            bool: phrase("true or false"),
            str: phrase("a word"),
        }
        raise BadOption(
            phrase(
                "The option %(name)s of %(owner)s must be %(expected)s, not %(value)s.",
                name=field.name,
                owner=owner,
                expected=names.get(expected, phrase("a list")),
                value=repr(value),
            )
        )
    return value

"""What a run will need of memory, from its options and its models' sizes: said before it starts.

    weights           4 bytes a parameter (float32; training keeps no other copy); under the
                      adapter qlora half a byte a parameter of the matrices
    gradients         4 bytes a trained parameter
    optimiser         AdamW 8 (two moments), SGD with momentum 4, a trained parameter
    models beside     reference and value model 4 bytes a parameter; a model that only scores 4 on
                      a CPU, 2 on an accelerator (bfloat16)
    activations       rows x tokens x (layers x saved + logits), of one forward pass
      saved           12 h + 4 k + 4 f numbers a token and layer: what autograd keeps of a block of
                      the Llama kind, h wide, k the keys' width, f the feed-forward's. Counted as
                      Korthikanti et al. (2022, section 4) count, for this block: 6 h around the
                      two norms, 6 h + 4 k in attention (its matrix of scores is not kept), 4 f
      checkpointed    h a token and layer, and one layer's saved (their full recomputation)
      logits          3 numbers for every word of the vocabulary: they, their log-softmax, and
                      its gradient
      a number        4 bytes in float32, 2 under bfloat16; logits always 4
    autocast          2 bytes a parameter in mixed precision: the weights' copies in bfloat16
    libraries         60 MB on a CPU, measured: what trainers load once a run has begun
    cache             2 k numbers a token and layer, of the sequences that are sampled at once

Of several processes that share a run (training/launch_files) this is what each needs. Rows are
shared out by all; ZeRO-2 divides gradients and optimiser by their number, FSDP and ZeRO-3 the
weights too, of which a layer is whole while it is at work. But each loads the whole model, and its
reference, before they are divided: it needs that at least.

An adapter trains r (a + b) parameters for each matrix of a rows and b columns. What is measured
may be twice as much, or half of it; best-of-K of a policy of 431,000 parameters takes .4 of it,
since it loads no trainer. On an accelerator, and of several processes, it was not measured.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models_runtime.phrases import phrase
from training.configs import BadOption, Config, parse

FACTOR = 2.0  # within which the estimate was measured to hold (tests/training/test_memory.py)
FLOAT, HALF = 4, 2
LIBRARIES = 60_000_000
SHARED = "CONCORD_SHARED"  # in the environment of each of several processes: how they share
MOMENTS = {"adamw": 8, "sgd": 4}
# Answers that an example of a batch is.
ANSWERS = {
    name: 2
    for name in (
        "dpo",
        "odpo",
        "tdpo",
        "beta_dpo",
        "simpo",
        "orpo",
        "slic",
        "spin",
        "hindsight",
    )
}
HOLD_A_REFERENCE = ("dpo", "kto", "spin", "ppo", "ppo_ptx", "grpo", "rloo", "tdpo")
CHECKPOINTED = ("sft", "dpo", "kto", "spin", "grpo", "rloo")  # on an accelerator, by the library
WITH_A_VALUE = ("ppo", "ppo_ptx")
SAMPLE = ("ppo", "ppo_ptx", "grpo", "rloo", "raft", "distil", "spin")


@dataclass(frozen=True)
class Dimensions:
    """A causal language model's, as its config.json has them."""

    parameters: int
    layers: int
    hidden: int
    keys: int
    inner: int
    vocabulary: int

    @classmethod
    def of(cls, config: Mapping[str, Any], parameters: int) -> Dimensions:
        """Raises ValueError for a model that does not say how wide and deep it is."""
        stated = config.get("text_config") or config
        hidden = _first(stated, "hidden_size", "n_embd", "d_model")
        layers = _first(stated, "num_hidden_layers", "n_layer", "num_layers")
        heads = _first(stated, "num_attention_heads", "n_head") or 1
        shared = _first(stated, "num_key_value_heads") or heads
        wide = _first(stated, "head_dim") or hidden // heads
        if not hidden or not layers:
            raise ValueError("config.json does not say how wide and deep the model is.")
        inner = _first(stated, "intermediate_size", "n_inner") or 4 * hidden
        words = _first(stated, "vocab_size")
        return cls(parameters, layers, hidden, shared * wide, inner, words)

    @property
    def saved(self) -> int:
        """Numbers that autograd keeps of a token in a layer."""
        return 12 * self.hidden + 4 * self.keys + 4 * self.inner

    @property
    def layer(self) -> int:
        """Parameters of a layer, about: as if all lay in layers."""
        return self.parameters // self.layers

    @property
    def words(self) -> int:
        """Numbers of the words' rows."""
        return self.vocabulary * self.hidden

    @property
    def in_four_bits(self) -> int:
        """What the model takes with its matrices in four bits, in numbers of four bytes."""
        whole = min(self.parameters, self.words)
        return whole + (self.parameters - whole) // 8

    def adapter(self, rank: int) -> int:
        """Parameters of an adapter on every linear layer but the output."""
        h, k, f = self.hidden, self.keys, self.inner
        return self.layers * rank * (2 * (h + h) + 2 * (h + k) + 3 * (h + f))


@dataclass(frozen=True)
class Load:
    """What a run works on: rows are ``length`` tokens long at most, an example of a batch is
    ``answers`` of them; on an accelerator or not."""

    length: int
    answers: int = 1
    accelerator: bool = False
    scorers: tuple[int, ...] = ()  # parameters of the models that score
    processes: int = 1
    how: str = "ddp"  # they share: a file of training/launch_files


@dataclass(frozen=True)
class Need:
    """Bytes, of one process. ``rows`` go forward together; ``loading`` is the model as it is
    loaded, before processes divide it."""

    weights: int
    gradients: int
    optimizer: int
    beside: int
    activations: int
    libraries: int
    rows: int
    length: int
    loading: int = 0

    @property
    def fixed(self) -> int:
        """What no batch size changes."""
        return self.weights + self.gradients + self.optimizer + self.beside + self.libraries

    @property
    def total(self) -> int:
        return max(self.fixed + self.activations, self.loading)

    @property
    def least(self) -> int:
        """What it needs though the activations were overestimated as far as was ever measured."""
        return max(self.fixed + int(self.activations / FACTOR), self.loading)


def need(method: str, config: Config, model: Dimensions, load: Load) -> Need:
    """The run's memory at its peak, of each process that shares it."""
    trained, whole = _trained(method, config, model)
    batch = max(1, config.batch_size // load.processes)
    rows = (config.micro_batch_size or batch) * max(load.answers, ANSWERS.get(method, 1))
    weights, gradients, optimizer = (
        load.processes if load.how in divided else 1
        for divided in (("fsdp", "zero3"), ("fsdp", "zero2", "zero3"), ("fsdp", "zero2", "zero3"))
    )
    beside = _beside(method, config, model, load)
    held = FLOAT * whole + (HALF * _copied(config, model) if _mixed(config, load) else 0)
    at_work = FLOAT * model.layer if weights > 1 else 0
    return Need(
        weights=held // weights + at_work,
        gradients=FLOAT * trained // gradients,
        optimizer=MOMENTS[getattr(config, "optimizer", "adamw")] * trained // optimizer,
        beside=beside // weights,
        activations=max(
            _activations(method, config, model, load, rows), _cache(method, config, model, load)
        ),
        libraries=0 if load.accelerator else LIBRARIES,
        rows=rows,
        length=load.length,
        loading=FLOAT * whole + beside if weights > 1 else 0,
    )


def _trained(method: str, config: Config, model: Dimensions) -> tuple[int, int]:
    """(trained parameters, parameters held in all) of the policy and its value model."""
    models = _models(method, config)
    if config.adapter == "none":
        return models * model.parameters, models * model.parameters
    if config.adapter == "prompt":  # the output's rows are parted from the input's
        small = models * config.prompt_tokens * model.hidden
        return small, models * (model.parameters + model.words) + 2 * small
    half_more = (config.lora_rank + 1) // 2 if config.adapter == "adalora" else 0
    small = models * model.adapter(config.lora_rank + half_more)
    if config.adapter == "qlora":
        return small, models * model.in_four_bits + small
    return small, models * model.parameters + small


def _models(method: str, config: Config) -> int:
    """That are trained: the policy, and a value model where it is one of its own."""
    return 2 if method in WITH_A_VALUE and getattr(config, "value", "") == "separate" else 1


def _copied(config: Config, model: Dimensions) -> int:
    """Parameters that mixed precision keeps copies of: matrices in four bits are unpacked one by
    one, and let go of."""
    return model.words if config.adapter == "qlora" else model.parameters


def _beside(method: str, config: Config, model: Dimensions, load: Load) -> int:
    """An adapter's policy, switched off, is its own reference; where it is not, this is too
    little. On a CPU the weights that qlora is added to in the end are counted beside it."""
    held = method in HOLD_A_REFERENCE and not getattr(config, "precompute_reference", False)
    reference = held and config.adapter == "none"
    reference |= config.adapter == "qlora" and not load.accelerator
    scoring = sum(load.scorers) * (HALF if load.accelerator else FLOAT)
    return reference * FLOAT * model.parameters + scoring


def _mixed(config: Config, load: Load) -> bool:
    told: str = config.mixed_precision
    return load.accelerator if told == "auto" else told == "on"


def _recomputes(method: str, config: Config, load: Load) -> bool:
    told: str = config.activation_checkpointing
    return (load.accelerator and method in CHECKPOINTED) if told == "auto" else told == "on"


def _activations(method: str, config: Config, model: Dimensions, load: Load, rows: int) -> int:
    """A value model of its own keeps as much as the policy, but for logits."""
    number = HALF if _mixed(config, load) else FLOAT
    inner = model.layers * model.saved * _models(method, config)
    if _recomputes(method, config, load):
        inner = model.layers * model.hidden + model.saved
    logits = 3 * FLOAT * model.vocabulary
    return rows * load.length * (inner * number + logits)


def _cache(method: str, config: Config, model: Dimensions, load: Load) -> int:
    """Of the sequences sampled at once, with their last logits."""
    if method not in SAMPLE:
        return 0
    at_once = getattr(config, "sampling_batch", config.micro_batch_size or config.batch_size)
    number = HALF if load.accelerator else FLOAT
    cached = load.length * 2 * model.keys * model.layers * number
    return int(at_once) * (cached + 2 * FLOAT * model.vocabulary)


def advice(method: str, config: Config, model: Dimensions, load: Load, free: int) -> str:
    """What would make the run fit, by its estimate: the first change that does."""
    for said, changed in _changes(method, config):
        if need(method, changed, model, load).total <= free:
            return said
    return phrase("choose a smaller model, or a machine with more memory")


def _changes(method: str, config: Config) -> Iterator[tuple[str, Config]]:
    """Changes from the smallest to the greatest."""
    sizes = [n for n in _divisors(config.batch_size) if _can_be(method, config, n)]
    for size in sizes:
        said = phrase("set micro_batch_size to %(n)s", n=size)
        yield said, dataclasses.replace(config, micro_batch_size=size)
    if config.activation_checkpointing != "on":
        said = phrase("set activation_checkpointing to on")
        yield said, dataclasses.replace(config, activation_checkpointing="on")
    if config.adapter != "none":
        return
    small = dataclasses.replace(config, adapter="lora")
    yield phrase("choose the adapter lora"), small
    if sizes:
        said = phrase("choose the adapter lora, and set micro_batch_size to %(n)s", n=sizes[-1])
        yield said, dataclasses.replace(small, micro_batch_size=sizes[-1])


def _divisors(number: int) -> list[int]:
    """Smaller ones, the largest first."""
    return [n for n in range(number // 2, 0, -1) if number % n == 0]


def _can_be(method: str, config: Config, size: int) -> bool:
    """Whether a smaller micro-batch is one of this size, and allowed."""
    if config.micro_batch_size and size >= config.micro_batch_size:
        return False
    try:
        parse(method, {**dataclasses.asdict(config), "micro_batch_size": size})
    except BadOption:
        return False
    return True


def shown(number: float) -> str:
    """Bytes for a sentence: 3.2 GB."""
    power = min(4, max(0, int(math.log10(number) // 3))) if number >= 1 else 0
    return f"{number / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _first(stated: Mapping[str, Any], *names: str) -> int:
    found = (stated.get(name) for name in names)
    return next((value for value in found if isinstance(value, int) and value > 0), 0)

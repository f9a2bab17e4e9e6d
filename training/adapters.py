"""Adapters: small matrices trained beside frozen weights (LoRA, Hu et al., 2021; AdaLoRA, Zhang
et al., 2023), and added to those weights in the end; or rows of words to be tuned, which stand
before every prompt (training.prompt_tuning) and take their places in the embedding.

They are put into a loaded model in place, so that whoever trains, samples or scores with it needs
to know nothing of them, and merged before it is published: a checkpoint is always plain weights,
which any library and server loads as they are. Prefix tuning cannot be merged, so it is not here.
With its adapter switched off, and not shown the tuned words, the model is the one that training
started from.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import peft
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor
from torch.nn import Module

from models_runtime.jobdir import BadInput
from models_runtime.loading import four_bits, policy_without_weights
from models_runtime.phrases import phrase
from training.configs.base import ALL_LINEAR, Optimisation
from training.qlora import add_to
from training.tuned_words import without

M = TypeVar("M", bound=Module)
NAME = "default"
FEWEST_STEPS = 3  # one to weigh the ranks, one to take some away, one to train what is left
# AdaLoRA's own on MNLI, of 86,000 steps: ranks are first taken away after a tenth of them, last
# before the final half, every hundredth part; columns are kept orthogonal with weight .1.
FIRST_CUT, LAST_CUT, CUTS, ORTHOGONALITY = 10, 2, 100, 0.1
ESTIMATES = ("ipt", "exp_avg_ipt", "exp_avg_unc")


@dataclass
class Adapters:
    """The adapters of a run, at most one a model; none at all where the options ask for none."""

    config: Optimisation
    seed: int
    tuners: list[Any] = field(default_factory=list)
    frozen: set[int] = field(default_factory=set)
    words: list[int] = field(default_factory=list)  # ids of those that are tuned

    def put_on(self, model: M) -> M:
        """The model with an adapter in it, drawn by the run's seed, and everything else frozen
        but a reward model's head. Raises BadInput where it has no such layers."""
        if self.config.adapter == "none":
            return model
        head = getattr(model, "score", None)
        own = {id(weight) for weight in head.parameters()} if head is not None else set()
        self.frozen |= {id(weight) for weight in model.parameters()} - own
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.tuners.append(_tuner(model, self.config, self.words))
        if head is not None:
            head.requires_grad_(True)
        if self.config.adapter == "qlora":  # the trainers refuse four bits with nothing beside
            vars(model)["_hf_peft_config_loaded"] = True
        return model

    def refuse_misfit(self, folder: Path) -> None:
        """Raise BadInput where the policy in folder has no such layers. Loads no weights: for runs
        that sample, perhaps for hours, before they train."""
        if self.config.adapter in ("none", "prompt"):
            return
        if self.config.adapter == "qlora":
            four_bits()
        with torch.random.fork_rng(), torch.device("meta"):
            _tuner(policy_without_weights(folder), self.config, [])

    def begin(self, steps: int) -> None:
        """How many optimiser steps there will be. Raises BadInput for too few."""
        if self.config.adapter != "adalora":
            return
        if steps < FEWEST_STEPS:
            raise BadInput(
                phrase(
                    "The adapter adalora takes ranks away while it trains and needs %(least)s "
                    "optimiser steps at the least, not %(steps)s: choose lora, or make "
                    "batch_size smaller.",
                    least=FEWEST_STEPS,
                    steps=steps,
                )
            )
        for settings in (tuner.peft_config[NAME] for tuner in self.tuners):
            settings.total_step = steps
            settings.tinit, settings.tfinal = steps // FIRST_CUT, steps // LAST_CUT
            settings.deltaT = max(1, steps // CUTS)

    def stepped(self, done: int) -> None:
        """After the optimiser's step number ``done``, counted from 1, while gradients are there:
        AdaLoRA weighs its ranks by them."""
        if self.config.adapter == "adalora":
            for tuner in self.tuners:
                tuner.update_and_allocate(done)

    def penalty(self) -> Tensor | None:
        """AdaLoRA's weight times the mean over its matrices of ||P'P - I||_F (equation 5)."""
        if self.config.adapter != "adalora" or not self.tuners:
            return None
        named = [pair for tuner in self.tuners for pair in tuner.model.named_parameters()]
        sides = [p.T if "lora_B" in name else p for name, p in named if _is_side(name)]
        far = [torch.norm(side @ side.T - torch.eye(len(side)).to(side)) for side in sides]
        return ORTHOGONALITY * torch.stack(far).mean()

    def trained(self, model: Module) -> dict[str, Tensor]:
        """The model's state without what is frozen: all of it where there is no adapter."""
        state = model.state_dict(keep_vars=True)
        if self.config.adapter == "qlora":  # its matrices' scales are no parameters
            parameters = {id(one) for one in model.parameters()}
            state = {name: one for name, one in state.items() if id(one) in parameters}
        return {name: one.detach() for name, one in state.items() if id(one) not in self.frozen}

    def restore(self, model: Module, trained: dict[str, Tensor]) -> None:
        """Undo ``trained``."""
        model.load_state_dict(trained, strict=not self.tuners)

    def state(self) -> list[dict[str, Any]]:
        """What AdaLoRA has found out about its ranks; nothing of the others."""
        if self.config.adapter != "adalora":
            return []
        return [
            {name: getattr(tuner.rankallocator, name) for name in ESTIMATES}
            | {"ranks": tuner.peft_config[NAME].rank_pattern}
            for tuner in self.tuners
        ]

    def take_up(self, state: list[dict[str, Any]]) -> None:
        """Undo ``state``."""
        for tuner, found in zip(self.tuners, state, strict=False):
            for name in ESTIMATES:
                setattr(tuner.rankallocator, name, found[name])
            tuner.peft_config[NAME].rank_pattern = found["ranks"]

    def merge(self) -> None:
        """Add every adapter to its model's weights, and be gone."""
        self._require_some()
        for tuner in self.tuners:
            tuner.merge_and_unload()
        self.tuners.clear()

    def merge_into(self, whole: Any, model: Any) -> None:
        """Add the adapter of model, which lies in four bits, to the same weights in full."""
        self._require_some()
        add_to(whole, model, NAME)
        self.tuners.clear()

    def _require_some(self) -> None:
        if self.config.adapter != "none" and not self.tuners:
            raise RuntimeError("the options ask for an adapter, and no model was given one")

    def without(self, model: Any) -> WithoutAdapter:
        """The model as it was before its adapter, to be called beside it."""
        return WithoutAdapter(model, self)

    @contextmanager
    def off(self) -> Iterator[None]:
        """The models as they were before their adapters."""
        for tuner in self.tuners:
            tuner.disable_adapter_layers()
        try:
            yield
        finally:
            for tuner in self.tuners:
                tuner.enable_adapter_layers()


class WithoutAdapter(Module):
    """A model as it was before its adapter: the reference of a policy that starts as it, without
    a second copy of the weights.

    It owns no weights, so that freezing or moving it leaves the policy alone; and it is called
    past ``forward``, which trainers replace: what they put there, the policy has already.
    """

    def __init__(self, model: Any, adapters: Adapters) -> None:
        super().__init__()
        self.config = model.config
        self.device = model.device
        self._adapted = (model, adapters)

    def __call__(self, *given: Any, **named: Any) -> Any:
        model, adapters = self._adapted
        if adapters.words:
            named = without(named, adapters.words)
        with torch.no_grad(), adapters.off():
            return model(*given, **named)


def _is_side(name: str) -> bool:
    return "lora_A" in name or "lora_B" in name


def _tuner(model: Any, config: Optimisation, words: list[int]) -> Any:
    if config.adapter == "prompt":
        return peft.TrainableTokensModel(
            model, {NAME: peft.TrainableTokensConfig(token_indices=words)}, NAME
        )
    targets = [part.strip() for part in config.lora_targets.split(",")]
    shared: dict[str, Any] = {
        "lora_alpha": config.lora_alpha,
        "lora_dropout": getattr(config, "lora_dropout", 0.0),
        "target_modules": ALL_LINEAR if targets == [ALL_LINEAR] else targets,
        "task_type": "SEQ_CLS" if hasattr(model, "score") else None,  # all-linear spares its head
    }
    try:
        if config.adapter in ("lora", "qlora"):
            tuner: Any = peft.LoraModel(model, {NAME: _lora(config, shared)}, NAME)
        else:
            tuner = peft.AdaLoraModel(model, {NAME: _adalora(config, shared)}, NAME)
    except ValueError as error:
        raise BadInput(
            phrase(
                "The model has no layers that an adapter can be put on by the name %(targets)s "
                "(option lora_targets).",
                targets=config.lora_targets,
            )
        ) from error
    _refuse_words(model)
    return tuner


def _refuse_words(model: Any) -> None:
    """Raise BadInput for an adapter on the output layer, whose weight TRL's trainers multiply by
    themselves, past any adapter; and on an embedding that is the output's weight as well, into
    which it would be merged for both though it was trained for one."""
    output = model.get_output_embeddings()
    if isinstance(output, BaseTunerLayer):
        raise BadInput(
            phrase(
                "No adapter can be trained on the output layer: name other layers (option "
                "lora_targets)."
            )
        )
    tied = output is not None and getattr(model.config, "tie_word_embeddings", False)
    if tied and isinstance(model.get_input_embeddings(), BaseTunerLayer):
        raise BadInput(
            phrase(
                "This model's embedding is its output layer too, which an adapter on it would "
                "change untrained: name other layers (option lora_targets)."
            )
        )


def _lora(config: Optimisation, shared: dict[str, Any]) -> peft.LoraConfig:
    return peft.LoraConfig(r=config.lora_rank, **shared)


def _adalora(config: Optimisation, shared: dict[str, Any]) -> peft.AdaLoraConfig:
    """The schedule is set by ``begin``, once the number of steps is known."""
    most = config.lora_rank + (config.lora_rank + 1) // 2
    return peft.AdaLoraConfig(
        target_r=config.lora_rank,
        init_r=most,
        total_step=FEWEST_STEPS,
        tinit=0,
        tfinal=1,
        **shared,
    )

"""What is computed in which precision, and what is computed twice: mixed precision and activation
checkpointing, for own loops as for the library's trainers.

    is_mixed     whether forward passes run in bfloat16 beside float32 weights
    autocast     such forward passes
    recomputes   whether a trainer of the library keeps a layer's activations, or its inputs alone
    recomputing  own loops' backward passes that keep a layer's inputs alone (Chen et al., 2016)

``auto`` is what either did before there was a choice: bfloat16 on an accelerator, and there the
library recomputes, while own loops keep all activations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import Module
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from training.configs import Optimisation

# Of layers that drop out by themselves, which follow their own mode: in no method here may they.
DROPS = ("dropout", "attention_dropout", "activation_dropout")


def is_mixed(config: Optimisation, device: str) -> bool:
    """``device`` is cpu or cuda."""
    if config.mixed_precision == "auto":
        return device == "cuda"
    return config.mixed_precision == "on"


def autocast(config: Optimisation, model: Module) -> torch.autocast:
    device = next(model.parameters()).device.type
    return torch.autocast(device, torch.bfloat16, enabled=is_mixed(config, device))


def recomputes(config: Optimisation, device: str) -> bool:
    """Of the library's trainers."""
    if config.activation_checkpointing == "auto":
        return device == "cuda"
    return config.activation_checkpointing == "on"


@contextmanager
def recomputing(config: Optimisation, model: Module) -> Iterator[None]:
    """Inside, a layer keeps nothing but its inputs for the backward pass. A model recomputes only
    in training mode, which own loops leave off for the sake of dropout: the mode is that of the
    layers alone meanwhile, not of what is in them."""
    if config.activation_checkpointing != "on":
        yield
        return
    for part in model.modules():
        if isinstance(part, PreTrainedModel) and not part.is_activation_checkpointing:
            part.activation_checkpointing_enable({"use_reentrant": False})
    layers: list[Any] = [
        part for part in model.modules() if isinstance(part, GradientCheckpointingLayer)
    ]
    modes = [layer.training for layer in layers]
    for layer in layers:
        layer.training = True
        for name in DROPS:
            if not any(modes) and isinstance(getattr(layer, name, None), float):
                setattr(layer, name, 0.0)
    try:
        yield
    finally:
        for layer, mode in zip(layers, modes, strict=True):
            layer.training = mode

"""QLoRA (Dettmers et al., 2023): while an adapter is trained, the matrices that it stands beside
lie in four bits each (models_runtime.loading.four_bits); in the end it is added to the weights as
they were, in full precision.

Not to the weights as four bits hold them: those would publish the rounding of every matrix as if
it had been learned. What is published differs from what was trained by that rounding, which is
the policy's own before training and not the adapter's (docs/decisions/067 has figures).
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor
from transformers.pytorch_utils import Conv1D


def add_to(whole: Any, trained: Any, name: str) -> None:
    """Add the adapter ``name`` of a model in four bits to one in full precision, and take over
    what was trained beside it: a reward model's head."""
    adapted: dict[str, Any] = {
        path: layer for path, layer in trained.named_modules() if isinstance(layer, LoraLayer)
    }
    with torch.no_grad():
        for path, layer in adapted.items():
            into = whole.get_submodule(path)
            into.weight += _as(into, layer.get_delta_weight(name)).to(into.weight)
        own = dict(whole.named_parameters())
        for path, weight in trained.named_parameters():
            if weight.requires_grad and path in own:
                own[path].copy_(weight)


def _as(layer: Any, delta: Tensor) -> Tensor:
    """[outputs, inputs] as the layer lays its weights."""
    return delta.T if isinstance(layer, Conv1D) else delta

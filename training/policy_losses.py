"""Losses of policy gradients and of values, as pure functions a token (tensor side).

Shapes: [N, T], N answers of at most T tokens; the caller takes the mean under its mask.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.advantages import kl_estimates


def clipped_policy(
    logps: Tensor, old_logps: Tensor, advantages: Tensor, clip: float = 0.2
) -> Tensor:
    """max(-A ratio, -A clip(ratio, 1 - c, 1 + c)) (Schulman et al., 2017, equation 7).

    ratio 1.5, A 1, c .2: max(-1.5, -1.2) = -1.2, and no gradient; A -1: max(1.5, 1.2) = 1.5.
    """
    ratio = torch.exp(logps - old_logps)
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return torch.maximum(-advantages * ratio, -advantages * clipped)


def clipped_value(
    values: Tensor, old_values: Tensor, returns: Tensor, clip: float = 0.2
) -> Tensor:
    """Half the larger squared error of the value and of the value clipped to within c of what it
    was when the answer was sampled; c 0 does not clip.

    V 1, V_old .5, c .2, R 1: the clipped value is .7, so max(0, .09) / 2 = .045.
    """
    error = (values - returns) ** 2
    if not clip:
        return error / 2
    near = old_values + (values - old_values).clamp(-clip, clip)
    return torch.maximum(error, (near - returns) ** 2) / 2


def kl_in_loss(kind: str, logps: Tensor, old_logps: Tensor, ref_logps: Tensor) -> Tensor:
    """A KL term whose gradient, averaged over answers drawn from pi, is that of KL(pi || ref):
    k2, or k3 times the live ratio. kind: loss_k2 or loss_k3."""
    estimates = kl_estimates(logps, ref_logps)
    if kind == "loss_k2":
        return estimates["k2"]
    return estimates["k3"] * torch.exp(logps - old_logps)

"""The library's losses of given log-probabilities: its own code, on a model that returns them."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import torch
import trl

from training.trl_adapter import LibraryLoss
from training.trl_adapter.dpo import as_robust


def dpo_loss(
    loss: LibraryLoss,
    logps: torch.Tensor,
    reference: torch.Tensor,
    lengths: tuple[int, int] = (5, 8),
) -> torch.Tensor:
    """The mean loss of P pairs: logps and reference are [2P], the chosen answers' first."""
    pairs = len(logps) // 2
    mask = _mask([*[lengths[0]] * pairs, *[lengths[1]] * pairs])
    told = loss.arguments()
    owner = SimpleNamespace(
        **_owner(told["beta"]),
        ld_alpha=None,
        f_divergence_type="reverse_kl",
        loss_types=told["loss_type"],
        loss_weights=[1.0],
        label_smoothing=as_robust(loss.smoothing) if loss.kind == "cdpo" else loss.smoothing,
        use_weighting=False,
        args=SimpleNamespace(discopop_tau=told["discopop_tau"]),
    )
    inputs = {
        "input_ids": torch.ones_like(mask),
        "attention_mask": torch.ones_like(mask),
        "completion_mask": mask,
        "ref_chosen_logps": reference[:pairs],
        "ref_rejected_logps": reference[pairs:],
    }
    found: torch.Tensor = trl.DPOTrainer._compute_loss(owner, _model(logps, mask), inputs, False)
    return found


def kto_loss(
    logps: torch.Tensor,
    reference: torch.Tensor,
    labels: list[bool],
    divergence: float,
    beta: float = 0.1,
    weights: tuple[float, float] = (1.0, 1.0),
) -> torch.Tensor:
    """The mean loss of answers [N], z_0 being ``divergence``."""
    mask = _mask([5] * len(labels))
    owner = SimpleNamespace(
        **_owner(beta),
        calculate_KL=True,
        loss_type="kto",
        desirable_weight=weights[0],
        undesirable_weight=weights[1],
        _compute_kl_logps=lambda model, batch: torch.full_like(reference, divergence),
    )
    inputs = {
        "input_ids": torch.ones_like(mask),
        "attention_mask": torch.ones_like(mask),
        "completion_mask": mask,
        "label": torch.tensor(labels),
        "ref_logps": reference,
        "ref_KL_logps": torch.zeros_like(reference),
    }
    found: torch.Tensor = trl.KTOTrainer._compute_loss(owner, _model(logps, mask), inputs, False)
    return found


def _owner(beta: float) -> dict[str, Any]:
    """What the library's method asks its trainer for."""

    def same(value: Any) -> Any:
        return value

    return {
        "beta": beta,
        "model": SimpleNamespace(training=True),
        "accelerator": SimpleNamespace(device="cpu", gather=same, gather_for_metrics=same),
        "aux_loss_enabled": False,
        "precompute_ref_logps": True,
        "_metrics": {"train": defaultdict(list)},
        "_total_train_tokens": 0,
        "_tp_size": 1,
    }


def _mask(lengths: list[int]) -> torch.Tensor:
    """Rows of a prompt token, so many of the completion, and padding."""
    places = torch.arange(1 + max(lengths))
    mask = (places >= 1) & (places <= torch.tensor(lengths)[:, None])
    return mask.long()


def _model(logps: torch.Tensor, mask: torch.Tensor) -> Any:
    """Spreads each answer's log-probability evenly over its tokens."""
    counted = mask[:, 1:].to(logps.dtype)
    share = counted / counted.sum(dim=1, keepdim=True)
    tokens = logps[:, None] * share
    nothing = torch.zeros_like(tokens)

    def forward(**_: Any) -> SimpleNamespace:
        return SimpleNamespace(
            log_probs=tokens,
            entropy=nothing,
            mean_logits=nothing,
            is_top1=torch.zeros_like(tokens, dtype=torch.bool),
        )

    return forward

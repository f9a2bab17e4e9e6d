"""The one place that imports TRL: a file for each of its trainers, one for what they share."""

from __future__ import annotations

from training.trl_adapter.dpo import LibraryLoss, fit_dpo
from training.trl_adapter.kto import fit_kto
from training.trl_adapter.sft import fit_sft

__all__ = ["LibraryLoss", "fit_dpo", "fit_kto", "fit_sft"]

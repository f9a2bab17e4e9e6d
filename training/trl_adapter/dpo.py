"""TRL's DPOTrainer, with every loss that it knows, and cDPO's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import trl
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl.trainer.utils import disable_dropout_in_model

from models_runtime.chat import Encoded
from training.task import Task
from training.trl_adapter.base import (
    OurTrainer,
    Reference,
    Relay,
    arguments,
    fit,
    let_go,
)


@dataclass(frozen=True)
class LibraryLoss:
    """A loss of a pair: ``kind`` is the library's name for it, or cdpo, which has none there.
    ``strength`` is the library's beta, which is IPO's tau."""

    kind: str
    strength: float
    smoothing: float = 0.0
    discopop_tau: float = 0.05

    def arguments(self) -> dict[str, Any]:
        """The fields of trl.DPOConfig that say it; cdpo's smoothing comes after (as_robust)."""
        cdpo = self.kind == "cdpo"
        return {
            "loss_type": ["robust" if cdpo else self.kind],
            "beta": self.strength,
            "label_smoothing": 0.0 if cdpo else self.smoothing,
            "discopop_tau": self.discopop_tau,
        }

    def at_start(self) -> float | None:
        """The loss where the policy is its reference, all log-ratios being 0; None where that
        says nothing."""
        half, b, e = math.log(2), self.strength, self.smoothing
        if self.kind == "exo_pair":
            return -half - (math.log1p(-e) + math.log(e)) / 2
        known = {
            **dict.fromkeys(("sigmoid", "cdpo", "robust", "aot", "aot_unpaired"), half),
            **dict.fromkeys(("hinge", "apo_zero", "apo_down"), 1.0),
            **dict.fromkeys(("nca_pair", "bco_pair"), 2 * half),
            "sigmoid_norm": half,
            "ipo": (1 / (2 * b)) ** 2,
            "sppo_hard": 0.5 / b**2,
            "discopop": (half + 1) / 2,
        }
        return known.get(self.kind)


def as_robust(epsilon: float) -> float:
    """The smoothing e with which the library's robust loss is cDPO's at epsilon.

    robust(e) = [-(1 - e) log s(bh) + e log s(-bh)] / (1 - 2e), s the sigmoid. With
    e = -epsilon / (1 - 2 epsilon) the divisor is 1 / (1 - 2 epsilon), and what is left is
    -(1 - epsilon) log s(bh) - epsilon log s(-bh). It is set once the trainer is made, which
    warns of a smoothing below 0.
    """
    return -epsilon / (1 - 2 * epsilon)


class _DPO(OurTrainer, trl.DPOTrainer):
    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        """Rows are encoded; TRL would render the template again and cut where it differs."""
        return dataset


def fit_dpo(
    task: Task,
    model: PreTrainedModel,
    reference: Reference,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, list[int]]],
    loss: LibraryLoss,
    *,
    same_start: bool,
    heldout: list[dict[str, list[int]]] | None = None,
) -> dict[str, Any]:
    """Train model on rows {prompt_ids, chosen_ids, rejected_ids}; the last step's metrics.
    ``heldout`` are such rows to measure on.

    The reference is passed, since TRL would otherwise reload it from disk; where the options have
    it asked once, it is let go before the first step. same_start says that
    it is the policy the run starts from, and asserts the first loss: log 2 for sigmoid.
    """
    disable_dropout_in_model(model)
    precompute: bool = getattr(task.config, "precompute_reference", False)
    args = trl.DPOConfig(
        **arguments(task),
        **loss.arguments(),
        max_length=None,
        remove_unused_columns=False,
        precompute_ref_log_probs=precompute,
    )
    expected = loss.at_start() if same_start else None
    first_loss = None if expected is None else (expected, expected)
    trainer = _DPO(
        model=model,
        ref_model=reference(),
        args=args,
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(heldout) if heldout else None,
        processing_class=tokenizer,
        callbacks=[Relay(task.job, first_loss)],
    )
    if precompute:
        let_go(trainer)
    if loss.kind == "cdpo":
        trainer.label_smoothing = as_robust(loss.smoothing)
    return fit(trainer, task, [_chosen(row) for row in rows])


def _chosen(row: dict[str, list[int]]) -> Encoded:
    prompt, answer = row["prompt_ids"], row["chosen_ids"]
    return Encoded(prompt + answer, [0] * len(prompt) + [1] * len(answer))

"""TRL's KTOTrainer: answers judged one by one, each weighed against those to other prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import trl
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl.trainer.utils import disable_dropout_in_model

from models_runtime.chat import Encoded
from training.configs import Optimisation
from training.task import Task
from training.trl_adapter.base import (
    OurTrainer,
    Reference,
    Relay,
    arguments,
    batch_of_each,
    fit,
    let_go,
)

Row = dict[str, Any]  # {prompt_ids, completion_ids, label, prompt}


@dataclass(frozen=True)
class Weights:
    """lambda_D and lambda_U of the paper's equation 8."""

    desirable: float
    undesirable: float


class _KTO(OurTrainer, trl.KTOTrainer):
    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        """Rows are encoded and have their mismatched answers already."""
        return dataset


def fit_kto(
    task: Task,
    model: PreTrainedModel,
    reference: Reference,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    weights: Weights,
    *,
    same_start: bool,
    heldout: Sequence[Row] = (),
) -> dict[str, Any]:
    """Train model on rows {prompt_ids, completion_ids, label, prompt}; the last step's metrics.
    ``heldout`` are such rows to measure on.

    ``prompt`` is any value that two rows share only if they answer the same prompt. The library
    goes through the rows in their order, every epoch alike, so they are shuffled here by the
    job's seed. Where the policy starts as its reference every answer's loss is half its weight.
    """
    disable_dropout_in_model(model)
    config: Optimisation = task.config
    _, size = batch_of_each(config, task.job.ranks)
    prepared = mismatched(shuffled(rows, task.seed), size)
    args = trl.KTOConfig(
        **arguments(task),
        beta=task.config.beta,
        desirable_weight=weights.desirable,
        undesirable_weight=weights.undesirable,
        max_length=None,
        remove_unused_columns=False,
        precompute_ref_log_probs=task.config.precompute_reference,
    )
    halves = sorted((weights.desirable / 2, weights.undesirable / 2))
    trainer = _KTO(
        model=model,
        ref_model=reference(),
        args=args,
        train_dataset=Dataset.from_list(prepared),
        eval_dataset=Dataset.from_list(mismatched(heldout, size)) if heldout else None,
        processing_class=tokenizer,
        callbacks=[Relay(task.job, (halves[0], halves[1]) if same_start else None)],
    )
    if task.config.precompute_reference:
        let_go(trainer)
    return fit(trainer, task, [_desirable(row) for row in rows if row["label"]])


def _desirable(row: Row) -> Encoded:
    prompt, answer = row["prompt_ids"], row["completion_ids"]
    return Encoded(prompt + answer, [0] * len(prompt) + [1] * len(answer))


def shuffled(rows: Sequence[Row], seed: int) -> list[Row]:
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)).tolist()
    return [rows[index] for index in order]


def mismatched(rows: Sequence[Row], size: int) -> list[Row]:
    """The rows with KL_completion_ids, the answer of another row of their forward pass; the
    batches are those of ``size`` rows in order.

    z_0 is the mean log-ratio of answers under prompts they do not answer, so the other row
    should have another prompt: ordered by prompt, that is the row as far on as the commonest
    prompt has rows. Where one prompt fills more than half of a batch, some match all the same.
    """
    prepared: list[Row] = []
    for start in range(0, len(rows), size):
        batch = sorted(rows[start : start + size], key=lambda row: str(row["prompt"]))
        step = max(Counter(str(row["prompt"]) for row in batch).values())
        for place, row in enumerate(batch):
            other = batch[(place + step) % len(batch)]
            kept = {name: row[name] for name in ("prompt_ids", "completion_ids", "label")}
            prepared.append({**kept, "KL_completion_ids": other["completion_ids"]})
    return prepared

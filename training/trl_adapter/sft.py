"""TRL's SFTTrainer: cross-entropy on completion tokens only."""

from __future__ import annotations

import trl
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from training.task import Task
from training.trl_adapter.base import OurTrainer, Relay, arguments, fit


class _SFT(OurTrainer, trl.SFTTrainer):
    pass


def fit_sft(
    task: Task,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, list[int]]],
    heldout: list[dict[str, list[int]]] | None = None,
) -> dict[str, float]:
    """Train model on rows {input_ids, completion_mask}; the loss sees completion tokens only.
    ``heldout`` are such rows to measure on."""
    args = trl.SFTConfig(
        **arguments(task), max_length=None, completion_only_loss=True, packing=False
    )
    trainer = _SFT(
        model=model,
        args=args,
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(heldout) if heldout else None,
        processing_class=tokenizer,
        callbacks=[Relay(task.job)],
    )
    return fit(trainer, task)

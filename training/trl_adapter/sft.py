"""TRL's SFTTrainer: cross-entropy on completion tokens only."""

from __future__ import annotations

from typing import Any

import trl
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models_runtime.chat import Encoded
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
) -> dict[str, Any]:
    """Train model on rows {input_ids, completion_mask}; the loss sees completion tokens only.
    ``heldout`` are such rows to measure on.

    Rows laid into one by the option packing keep positions of their own; from where these begin
    anew the library's masks follow, without which an example would read those before it."""
    packing: bool = task.config.packing
    args = trl.SFTConfig(
        **arguments(task),
        max_length=task.config.max_length if packing else None,
        completion_only_loss=True,
        packing=packing,
        eval_packing=False,
    )
    trainer = _SFT(
        model=model,
        args=args,
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(heldout) if heldout else None,
        processing_class=tokenizer,
        callbacks=[Relay(task.job)],
    )
    chosen = [Encoded(row["input_ids"], row["completion_mask"]) for row in rows]
    return fit(trainer, task, chosen)

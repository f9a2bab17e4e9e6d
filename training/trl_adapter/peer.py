"""TRL's RewardTrainer on pairs, for training.bench_reward to be measured against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import trl
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback


def reward_epoch(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[tuple[list[int], list[int]]],
    folder: Path,
    *,
    forward: int,
    step: int,
) -> Callable[[], None]:
    """What trains one epoch on pairs of token rows (chosen, rejected): ``forward`` pairs a forward
    pass, ``step`` of them an optimiser step. It saves nothing."""
    arguments: dict[str, Any] = {
        "output_dir": str(folder),
        "learning_rate": 1e-5,
        "num_train_epochs": 1,
        "per_device_train_batch_size": forward,
        "gradient_accumulation_steps": step // forward,
        "max_length": None,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
    }
    rows = [{"chosen_ids": chosen, "rejected_ids": rejected} for chosen, rejected in pairs]
    trainer = trl.RewardTrainer(
        model=model,
        args=trl.RewardConfig(**arguments),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    return lambda: _train(trainer)


def _train(trainer: Any) -> None:
    trainer.train()

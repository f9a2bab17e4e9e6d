"""TRL's trainers as a script would use them, for benchmarks to be measured against: their own
encoding, data order and loop, nothing saved and no curve written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trl
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, Trainer

Rows = Sequence[dict[str, Any]]


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
    arguments = _settings(
        folder,
        learning_rate=1e-5,
        per_device_train_batch_size=forward,
        gradient_accumulation_steps=step // forward,
        logging_strategy="no",
    )
    rows = [{"chosen_ids": chosen, "rejected_ids": rejected} for chosen, rejected in pairs]
    trainer = trl.RewardTrainer(
        model=model,
        args=trl.RewardConfig(**arguments),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    return lambda: _train(trainer)


def _train(trainer: Any) -> None:
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def sft(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Rows,
    folder: Path,
    **settings: Any,
) -> None:
    """Train an epoch on {prompt, completion}, both lists of messages, or on rows that are encoded
    already: {input_ids, completion_mask}."""
    trainer = trl.SFTTrainer(
        model=model,
        args=trl.SFTConfig(**_settings(folder, **settings)),
        train_dataset=Dataset.from_list(list(rows)),
        processing_class=tokenizer,
    )
    _train(trainer)


def dpo(
    model: PreTrainedModel,
    reference: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Rows,
    folder: Path,
    **settings: Any,
) -> None:
    """Train an epoch on {prompt, chosen, rejected}, lists of messages."""
    trainer = trl.DPOTrainer(
        model=model,
        ref_model=reference,
        args=trl.DPOConfig(**_settings(folder, **settings)),
        train_dataset=Dataset.from_list(list(rows)),
        processing_class=tokenizer,
    )
    _train(trainer)


@contextmanager
def clocked(clock: Callable[[], float] = time.process_time) -> Iterator[list[float]]:
    """The seconds of every Trainer.train inside, whoever calls it."""
    found: list[float] = []
    owner: Any = Trainer  # whose method is replaced meanwhile
    train = owner.train

    def timed(self: Trainer, *given: Any, **named: Any) -> Any:
        begun = clock()
        result = train(self, *given, **named)
        found.append(clock() - begun)
        return result

    owner.train = timed
    try:
        yield found
    finally:
        owner.train = train


def _settings(folder: Path, **settings: Any) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "num_train_epochs": 1,
        "max_length": None,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "activation_checkpointing": False,  # its default computes everything twice
        "dataloader_pin_memory": False,
        **settings,
    }

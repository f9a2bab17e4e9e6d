"""The one place that imports TRL: its trainers, with checkpoints that cannot be torn.

Trainer writes checkpoints in place and resumes from torn ones; here its own files are written
aside, then published with a manifest by rename, and only complete ones are resumed from. Rows
arrive already encoded by models_runtime.chat, so that training sees exactly what sampling saw.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from pathlib import Path
from typing import Any

import torch
import trl
from datasets import Dataset
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl.trainer.utils import disable_dropout_in_model

from models_runtime.jobdir import JobDir, Stopped, publish
from models_runtime.records import Progress
from training.configs import DPOConfig, Optimisation
from training.task import Task, checkpoint_folder, prune_checkpoints

SCHEDULES = {
    "cosine": "cosine_with_min_lr",
    "linear": "linear",
    "constant": "constant_with_warmup",
}
LOG_2_TOLERANCE = 1e-3  # bfloat16 log-probabilities of the same weights differ by less


class _Checkpoints(Trainer):
    """A Trainer whose checkpoints are complete or absent."""

    job: JobDir

    def _get_output_dir(self, trial: Any) -> str:
        return str(self.job.folder / ".trainer")

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        step = self.state.global_step
        Trainer._save_checkpoint(self, model, trial)
        aside = Path(self._get_output_dir(trial)) / f"checkpoint-{step}"
        with publish(checkpoint_folder(self.job, step)) as folder:
            for path in aside.iterdir():
                os.replace(path, folder / path.name)
        shutil.rmtree(aside)
        prune_checkpoints(self.job)


class _TokenCount(TrainerCallback):
    """TRL counts tokens from 0 in every process: a resumed curve would start over."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.log_history:
            self.trainer._total_train_tokens = int(state.log_history[-1].get("num_tokens", 0))


class _DPO(_Checkpoints, trl.DPOTrainer):
    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        """Rows are encoded; TRL would render the template again and cut where it differs."""
        return dataset


class _SFT(_Checkpoints, trl.SFTTrainer):
    pass


class _Relay(TrainerCallback):
    """Metrics, progress and the worker's wish to stop."""

    def __init__(self, job: JobDir, expect_log_2: bool = False) -> None:
        self.job = job
        self.expect_log_2 = expect_log_2
        self._shown = 0.0

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        if not logs or "loss" not in logs:
            return
        if self.expect_log_2 and state.global_step == 1:
            assert_log_2(logs["loss"])
        self.job.log_metrics(state.global_step, **logs)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step == state.max_steps or time.monotonic() - self._shown > 0.5:
            self.job.progress(Progress(state.global_step, state.max_steps, "steps"))
            self._shown = time.monotonic()
        if self.job.stop_requested.is_set():
            control.should_save = True
            control.should_training_stop = True


def assert_log_2(loss: float) -> None:
    """The policy starts as its reference, so h = 0 and DPO's first loss is log 2."""
    if abs(loss - math.log(2)) > LOG_2_TOLERANCE:
        raise RuntimeError(
            f"the first DPO loss is {loss:.6f} instead of log 2 = {math.log(2):.6f}: "
            "the reference is not the policy that training starts from"
        )


def fit_dpo(
    task: Task,
    model: PreTrainedModel,
    reference: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, list[int]]],
    *,
    same_start: bool,
) -> dict[str, float]:
    """Train model on rows {prompt_ids, chosen_ids, rejected_ids}; the last step's metrics.

    The reference is passed, since TRL would otherwise reload it from disk. same_start says that
    it is the policy the run starts from, and asserts that the first loss is log 2.
    """
    config: DPOConfig = task.config
    disable_dropout_in_model(model)
    args = trl.DPOConfig(
        **_arguments(task), beta=config.beta, max_length=None, remove_unused_columns=False
    )
    trainer = _DPO(
        model=model,
        ref_model=reference,
        args=args,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[_Relay(task.job, expect_log_2=same_start)],
    )
    return _fit(trainer, task)


def fit_sft(
    task: Task,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, list[int]]],
) -> dict[str, float]:
    """Train model on rows {input_ids, completion_mask}; the loss sees completion tokens only."""
    args = trl.SFTConfig(
        **_arguments(task), max_length=None, completion_only_loss=True, packing=False
    )
    trainer = _SFT(
        model=model,
        args=args,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[_Relay(task.job)],
    )
    return _fit(trainer, task)


def _fit(trainer: Any, task: Task) -> dict[str, float]:
    trainer.job = task.job
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_TokenCount(trainer))
    found = task.job.newest_checkpoint()
    trainer.train(resume_from_checkpoint=str(found) if found else None)
    if trainer.state.global_step < trainer.state.max_steps:
        raise Stopped
    last = [row for row in trainer.state.log_history if "loss" in row]
    return {name: value for name, value in last[-1].items() if name != "step"} if last else {}


def _arguments(task: Task) -> dict[str, Any]:
    """Our options under TrainingArguments' names."""
    config: Optimisation = task.config
    micro = config.micro_batch_size or config.batch_size
    floor = {"min_lr_rate": config.final_learning_rate} if config.schedule == "cosine" else {}
    cpu = not torch.cuda.is_available()
    return {
        "output_dir": str(task.job.folder / ".trainer"),
        "learning_rate": config.learning_rate,
        "num_train_epochs": config.epochs,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": config.batch_size // micro,
        "lr_scheduler_type": SCHEDULES[config.schedule],
        "lr_scheduler_kwargs": floor,
        "warmup_steps": config.warmup,  # below 1 it is a share of the steps
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "save_strategy": "steps",
        "save_steps": config.save_every,
        "logging_steps": 1,
        "seed": task.seed,
        "data_seed": task.seed,
        "use_cpu": cpu,
        "bf16": not cpu,
        "activation_checkpointing": not cpu,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": not cpu,
    }

"""What TRL's trainers share here: our schedules, checkpoints that cannot be torn, metrics.

Trainer writes checkpoints in place and resumes from torn ones; here its own files are written
aside, then published with a manifest by rename, and only complete ones are resumed from. Rows
arrive already encoded by models_runtime.chat, so that training sees exactly what sampling saw.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from models_runtime.chat import Encoded
from models_runtime.jobdir import BadInput, JobDir, Stopped, publish
from models_runtime.phrases import phrase
from models_runtime.records import Progress
from training.adapters import Adapters
from training.configs import Optimisation
from training.configs.base import SGD_MOMENTUM
from training.panel import Panel
from training.precision import is_mixed, recomputes
from training.probe import Probe
from training.run_guards import refuse_divergence, said_of
from training.task import Task, checkpoint_folder, prune_checkpoints
from training.trl_adapter.looking import Looking
from training.trl_adapter.panel import PanelAtCheckpoints

ADAPTERS, GUARDS = "adapters.pt", "guards.pt"
FIRST_LOSS_TOLERANCE = 1e-3  # bfloat16 log-probabilities of the same weights differ by less


Reference = Callable[[], Any]  # loads the model when the trainer takes it, and nobody keeps it


class OurTrainer(Trainer):
    """A Trainer with our schedules, whose checkpoints are complete or absent."""

    job: JobDir
    config: Optimisation
    adapters: Adapters
    looking: Looking
    probe: Probe

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """A step's row, with what is looked at beside it."""
        if "loss" not in logs:
            super().log(logs, start_time)
            return
        stated: dict[str, float] = {n: logs[n] for n in ("loss", "grad_norm") if n in logs}
        refuse_divergence(stated, self.state.global_step)
        done, steps = self.state.global_step, self.state.max_steps
        measured = self.probe.measured(done, steps, self.looking.model)
        super().log({**logs, **self.looking.measured(), **measured}, start_time)
        self.looking.look(self.state.log_history[-1])
        self.probe.check(done, self.state.log_history[-1])

    def training_step(self, *given: Any, **named: Any) -> torch.Tensor:
        """The step, and the gradient of an adapter's own penalty."""
        loss = super().training_step(*given, **named)
        penalty = self.adapters.penalty()
        if penalty is not None:
            self.accelerator.backward(penalty / self.args.gradient_accumulation_steps)
        return loss

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Beside frozen weights only what is trained goes into a checkpoint."""
        if not self.adapters.tuners:
            super()._save(output_dir, state_dict)
            return
        assert output_dir is not None
        model: Any = self.model
        trained = {
            "model": self.adapters.trained(model),
            "adapters": self.adapters.state(),
        }
        os.makedirs(output_dir, exist_ok=True)
        torch.save(trained, Path(output_dir) / ADAPTERS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if not self.adapters.tuners:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        path = Path(resume_from_checkpoint) / ADAPTERS
        found = torch.load(path, map_location="cpu", weights_only=True)
        whole: Any = self.model
        self.adapters.restore(whole, found["model"])
        self.adapters.take_up(found["adapters"])

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The library gives SGD no momentum; the optimiser reads it from its groups."""
        optimizer = super().create_optimizer(model)
        if self.config.optimizer == "sgd":
            for group in optimizer.param_groups:
                group["momentum"] = SGD_MOMENTUM
        return optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LRScheduler:
        """The rates of training.loop: the library's linear schedule knows no floor, and to it a
        warm-up of 1.0 is one step."""
        if self.lr_scheduler is None:
            unit = dataclasses.replace(self.config, learning_rate=1.0)
            scheduled = optimizer or self.optimizer
            assert scheduled is not None
            self.lr_scheduler = LambdaLR(
                scheduled, lambda step: unit.rate_at(step, num_training_steps)
            )
        return self.lr_scheduler

    def _get_output_dir(self, trial: Any) -> str:
        return str(self.job.folder / ".trainer")

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        step = self.state.global_step
        Trainer._save_checkpoint(self, model, trial)
        self.accelerator.wait_for_everyone()  # of several processes each has written its part
        if not self.job.rank:
            self._publish_checkpoint(Path(self._get_output_dir(trial)) / f"checkpoint-{step}")
        self.accelerator.wait_for_everyone()

    def _publish_checkpoint(self, aside: Path) -> None:
        with publish(checkpoint_folder(self.job, self.state.global_step)) as folder:
            for path in aside.iterdir():
                os.replace(path, folder / path.name)
            self.looking.keep_in(folder)
            torch.save(self.probe.state(), folder / GUARDS)
        shutil.rmtree(aside)
        prune_checkpoints(self.job)


class _Adapting(TrainerCallback):
    """Tells adapters what they have to know of the run."""

    def __init__(self, adapters: Adapters) -> None:
        self.adapters = adapters

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.adapters.begin(state.max_steps)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Called while gradients are still there, before the step is counted."""
        self.adapters.stepped(state.global_step + 1)


class _Probing(TrainerCallback):
    """Takes the guards' measure of the policy that training begins with."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.trainer.probe.begin(self.trainer.looking.model)


class _TokenCount(TrainerCallback):
    """TRL counts tokens from 0 in every process: a resumed curve would start over."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.log_history:
            self.trainer._total_train_tokens = int(state.log_history[-1].get("num_tokens", 0))


class Relay(TrainerCallback):
    """Metrics, progress and the worker's wish to stop. ``first_loss`` is the least and the most
    that a run may start with, where the policy starts as its reference."""

    def __init__(self, job: JobDir, first_loss: tuple[float, float] | None = None) -> None:
        self.job = job
        self.first_loss = first_loss
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
        if self.first_loss and state.global_step == 1:
            assert_first_loss(logs["loss"], *self.first_loss)
        self.job.log_metrics(state.global_step, **logs)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step == state.max_steps or time.monotonic() - self._shown > 0.5:
            self.job.progress(Progress(state.global_step, state.max_steps, "steps"))
            self._shown = time.monotonic()
        if self._is_to_stop():
            control.should_save = True
            control.should_training_stop = True

    def _is_to_stop(self) -> bool:
        """Of several processes all at the same step: one that went on would wait for ever."""
        asked = self.job.stop_requested.is_set()
        return asked if self.job.ranks == 1 else any(gather_object([asked]))


def let_go(trainer: Any) -> None:
    """Drop a reference whose log-probabilities are with the rows already, so that no second model
    is held while the policy trains."""
    gone, trainer.ref_model = trainer.ref_model, None
    held = trainer.accelerator._models
    held[:] = [one for one in held if one is not gone]


def assert_first_loss(loss: float, least: float, most: float) -> None:
    """Where the policy starts as its reference, every log-ratio is 0 and the loss is known."""
    slack = FIRST_LOSS_TOLERANCE * max(1.0, abs(least), abs(most))
    if not least - slack <= loss <= most + slack:
        known = f"{least:.6f}" if least == most else f"{least:.6f} to {most:.6f}"
        raise RuntimeError(
            f"the first loss is {loss:.6f} instead of {known}: "
            "the reference that was loaded is not the policy that training starts from"
        )


def fit(trainer: Any, task: Task, chosen: Sequence[Encoded] = ()) -> dict[str, Any]:
    """Train from the newest complete checkpoint to the end; the last step's metrics. ``chosen``
    are answers that the run learns to give, for its guards."""
    _refuse_what_needs_one_process(trainer, task)
    trainer.job, trainer.config, trainer.adapters = task.job, task.config, task.adapters
    trainer.looking = Looking(task, trainer)
    panel = Panel(task)
    trainer.probe = Probe(task, panel, chosen)
    trainer.probe.on &= not _in_pieces(trainer)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_TokenCount(trainer))
    if task.job.ranks == 1:  # several would each have to sample, with a piece of the weights
        trainer.add_callback(PanelAtCheckpoints(trainer, panel))
    trainer.add_callback(_Adapting(task.adapters))
    trainer.add_callback(_Probing(trainer))
    found = task.job.newest_checkpoint()
    if found:
        trainer.looking.take_up(found)
        if (found / GUARDS).is_file():
            trainer.probe.restore(torch.load(found / GUARDS, weights_only=True))
    trainer.train(resume_from_checkpoint=str(found) if found else None)
    if trainer.state.global_step < trainer.state.max_steps and not trainer.looking.best.gave_up:
        raise Stopped
    trainer.looking.take_best()
    if _in_pieces(trainer):
        task.gathered = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    last = [row for row in trainer.state.log_history if "loss" in row]
    row = {name: value for name, value in last[-1].items() if name != "step"} if last else {}
    return {**row, **said_of(trainer.probe.warnings)}


def _in_pieces(trainer: Any) -> bool:
    """Whether no process has the weights whole."""
    return bool(trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled)


def _refuse_what_needs_one_process(trainer: Any, task: Task) -> None:
    """Raise BadInput, of several processes, for options whose weights one must have whole."""
    looks = getattr(task.config, "best_metric", "") or getattr(task.config, "eval_every", 0)
    in_pieces = _in_pieces(trainer)
    if task.job.ranks > 1 and in_pieces and getattr(task.config, "guard", "") == "stop":
        raise BadInput(
            phrase(
                "Guards cannot stop a run whose weights lie in pieces (fsdp, zero2, zero3): set "
                "guard to off, or CONCORD_LAUNCH to ddp."
            )
        )
    if task.job.ranks > 1 and (looks or (in_pieces and task.adapters.tuners)):
        raise BadInput(
            phrase(
                "Where several processes train together (CONCORD_LAUNCH), best_metric stays empty "
                "and eval_every 0, and an adapter goes with ddp alone."
            )
        )


def batch_of_each(config: Optimisation, ranks: int) -> tuple[int, int]:
    """(examples a step, examples a forward pass) of each of several processes. Raises BadInput."""
    micro = config.micro_batch_size or config.batch_size // ranks
    if not micro or config.batch_size % (micro * ranks):
        raise BadInput(
            phrase(
                "The option batch_size (%(batch)s) must be a multiple of %(least)s: %(ranks)s "
                "processes train together, on micro_batch_size examples each at a time.",
                batch=config.batch_size,
                least=max(1, micro) * ranks,
                ranks=ranks,
            )
        )
    return config.batch_size // ranks, micro


def arguments(task: Task) -> dict[str, Any]:
    """Our options under TrainingArguments' names."""
    config: Optimisation = task.config
    each, micro = batch_of_each(config, task.job.ranks)
    cpu = not torch.cuda.is_available()
    device = "cpu" if cpu else "cuda"
    return {
        "output_dir": str(task.job.folder / ".trainer"),
        "learning_rate": config.learning_rate,
        **({"optim": "sgd"} if config.optimizer == "sgd" else {}),
        "num_train_epochs": config.epochs,
        "per_device_train_batch_size": micro,
        "per_device_eval_batch_size": micro,
        "gradient_accumulation_steps": each // micro,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "save_strategy": "steps",
        "save_steps": config.save_every,
        "logging_steps": 1,
        "seed": task.seed,
        "data_seed": task.seed,
        "use_cpu": cpu,
        "bf16": is_mixed(config, device),
        "activation_checkpointing": recomputes(config, device),
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": not cpu,
        "ddp_find_unused_parameters": False,
    }

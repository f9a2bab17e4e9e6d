"""A small training loop that resumes bit for bit: used where the library has no method.

The data order of a step follows from (seed, epoch) alone, so a checkpoint holds weights,
optimiser and random state and nothing about the data. Why it exists: docs/decisions/020.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from models_runtime.jobdir import JobDir, Stopped, publish
from models_runtime.records import Progress
from training.configs import Optimisation, OwnLoop
from training.task import Task, checkpoint_folder, prune_checkpoints

E = TypeVar("E")
Seen = TypeVar("Seen", contravariant=True)
STATE = "state.pt"
SGD_MOMENTUM = 0.9


@dataclass
class Sums:
    """What a forward pass adds to a step: a summed loss, and (sum, count) for each metric."""

    loss: Tensor
    metrics: dict[str, tuple[float, float]] = field(default_factory=dict)


class Objective(Protocol[Seen]):
    """A loss that is a mean over units: prompts for a reward model, tokens for fine-tuning.

    Dividing by the units of the whole batch, not of the micro-batch, makes eight batches of one
    equal one batch of eight.
    """

    def units(self, example: Seen) -> float:
        """How much of the mean the example carries."""
        ...

    def sums(self, model: torch.nn.Module, examples: Sequence[Seen]) -> Sums:
        """The loss and metrics summed over the examples."""
        ...


def steps_of(config: Optimisation, examples: int) -> int:
    """Optimiser steps of a run; the last batch of an epoch may be smaller."""
    return config.epochs * math.ceil(examples / config.batch_size)


def batch_order(examples: int, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of an epoch as lists of indices: a pure function of its arguments."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(examples, generator=generator).tolist()
    return [order[start : start + batch_size] for start in range(0, examples, batch_size)]


class Loop(Generic[E]):
    """Trains model on examples; ``files`` (name -> text) travel in every checkpoint."""

    def __init__(
        self,
        task: Task,
        model: torch.nn.Module,
        examples: Sequence[E],
        objective: Objective[E],
        files: dict[str, str] | None = None,
    ) -> None:
        self.job: JobDir = task.job
        self.config: OwnLoop = task.config
        self.seed = task.seed
        self.model = model
        self.adapters = task.adapters
        self.examples = examples
        self.objective = objective
        self.files = files or {}
        self.steps = steps_of(self.config, len(examples))
        self.optimizer = _optimizer(model, self.config)
        self._shown = 0.0

    def run(self) -> dict[str, float]:
        """Train from the newest complete checkpoint to the end; the last step's metrics.

        Raises Stopped, after a checkpoint, when the worker asks for an end.
        """
        self.adapters.begin(self.steps)
        torch.manual_seed(self.seed)
        start = self._resume()
        row: dict[str, float] = {}
        for step, batch in self._batches(start):
            row = self._step(step, batch)
            self._report(step + 1, row)
            self._checkpoint_when_due(step + 1)
        return row

    def _batches(self, start: int) -> Iterator[tuple[int, list[E]]]:
        size = self.config.batch_size
        per_epoch = math.ceil(len(self.examples) / size)
        for epoch in range(self.config.epochs):
            batches = batch_order(len(self.examples), size, self.seed, epoch)
            for number, indices in enumerate(batches, start=epoch * per_epoch):
                if number >= start:
                    yield number, [self.examples[index] for index in indices]

    def _step(self, step: int, batch: list[E]) -> dict[str, float]:
        rate = self.config.rate_at(step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, metrics = self._accumulate(batch)
        self._keep_to_the_adapter(metrics)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
        self.optimizer.step()
        self.adapters.stepped(step + 1)
        self.optimizer.zero_grad()
        means = {name: total / count for name, (total, count) in metrics.items() if count}
        epoch = (step + 1) * self.config.epochs / self.steps
        fixed = {"loss": loss, "grad_norm": float(norm), "learning_rate": rate, "epoch": epoch}
        return {**fixed, **means}

    def _accumulate(self, batch: list[E]) -> tuple[float, dict[str, tuple[float, float]]]:
        """Backward over micro-batches; the batch's mean loss and its metric sums."""
        units = sum(self.objective.units(example) for example in batch)
        size = self.config.micro_batch_size or len(batch)
        loss, metrics = 0.0, dict[str, tuple[float, float]]()
        device = next(self.model.parameters()).device.type
        for start in range(0, len(batch), size):
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                sums = self.objective.sums(self.model, batch[start : start + size])
            share = sums.loss / units
            share.backward()
            loss += share.item()
            for name, (total, count) in sums.metrics.items():
                before = metrics.get(name, (0.0, 0.0))
                metrics[name] = (before[0] + total, before[1] + count)
        return loss, metrics

    def _keep_to_the_adapter(self, metrics: dict[str, tuple[float, float]]) -> None:
        """The gradient of an adapter's own penalty, which is no part of the method's loss."""
        penalty = self.adapters.penalty()
        if penalty is not None:
            penalty.backward()
            metrics["loss/orthogonality"] = (penalty.item(), 1.0)

    def _report(self, done: int, row: dict[str, float]) -> None:
        self.job.log_metrics(done, **row)
        if done == self.steps or time.monotonic() - self._shown > 0.5:  # each write is an fsync
            self.job.progress(Progress(done, self.steps, "steps"))
            self._shown = time.monotonic()

    def _checkpoint_when_due(self, done: int) -> None:
        stopping = self.job.stop_requested.is_set()
        if stopping or (done % self.config.save_every == 0 and done < self.steps):
            self._save(done)
        if stopping:
            raise Stopped

    def _save(self, done: int) -> None:
        state = {
            "step": done,
            "model": self.adapters.trained(self.model),
            "adapters": self.adapters.state(),
            "optimizer": self.optimizer.state_dict(),
            "rng": random_state(),
            **self._more_state(),
        }
        with publish(checkpoint_folder(self.job, done)) as folder:
            torch.save(state, folder / STATE)
            for name, text in self.files.items():
                (folder / name).write_text(text, encoding="utf-8")
        prune_checkpoints(self.job)

    def _resume(self) -> int:
        """Load the newest complete checkpoint of any attempt; how many steps it had done."""
        found = self.job.newest_checkpoint()
        if found is None or not (found / STATE).is_file():
            return 0
        state = _load(found / STATE)
        self.adapters.restore(self.model, state["model"])
        self.adapters.take_up(state.get("adapters", []))
        self.optimizer.load_state_dict(state["optimizer"])
        set_random_state(state["rng"])
        self._restore(state)
        return int(state["step"])

    def _more_state(self) -> dict[str, Any]:
        """What a loop of a special kind keeps in its checkpoints beside."""
        return {}

    def _restore(self, state: dict[str, Any]) -> None:
        """Take that up again."""


def random_state() -> dict[str, Any]:
    """State of torch's generators, on the CPU and on every accelerator."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"].cpu())
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])


def _load(path: Path) -> dict[str, Any]:
    """weights_only: a checkpoint is data, and reading it must never run code."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _optimizer(model: torch.nn.Module, config: OwnLoop) -> torch.optim.Optimizer:
    """The learning rate is set at every step."""
    groups = _parameter_groups(model, config.weight_decay)
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=SGD_MOMENTUM)
    return torch.optim.AdamW(groups)


def _parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Norms and biases are not decayed."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]

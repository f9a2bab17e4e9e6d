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

from models_runtime.chat import Encoded
from models_runtime.jobdir import JobDir, Stopped, publish
from models_runtime.records import Progress
from training.best import Best, is_heldout, require_heldout
from training.configs import Optimisation, OwnLoop
from training.configs.base import HELDOUT, SGD_MOMENTUM
from training.panel import Panel, undisturbed
from training.precision import autocast, recomputing
from training.probe import Probe
from training.run_guards import refuse_divergence, said_of
from training.task import Task, checkpoint_folder, prune_checkpoints

E = TypeVar("E")
Seen = TypeVar("Seen", contravariant=True)
STATE = "state.pt"


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
    """Trains model on examples; ``files`` (name -> text) travel in every checkpoint.

    Where the options ask for it, ``heldout`` is measured beside, and the best look's weights are
    left in the model (training.best).
    """

    def __init__(
        self,
        task: Task,
        model: torch.nn.Module,
        examples: Sequence[E],
        objective: Objective[E],
        files: dict[str, str] | None = None,
        heldout: Sequence[E] = (),
    ) -> None:
        self.task = task
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
        self.panel = Panel(task)
        self.probe = Probe(task, self.panel, chosen_of(examples))
        self.heldout = heldout
        self.eval_every: int = getattr(self.config, "eval_every", 0)
        metric = self.config.best_metric
        looks = self.eval_every if is_heldout(metric) else self.config.save_every
        self.best = Best(metric, self.config.patience, looks)
        self._shown = 0.0

    def run(self) -> dict[str, Any]:
        """Train from the newest complete checkpoint to the end; the last step's metrics.

        Raises Stopped, after a checkpoint, when the worker asks for an end; BadInput where the
        options ask for what the data or the metrics lack, or a guard stops the run.
        """
        require_heldout(self.eval_every, self.heldout)
        self.adapters.begin(self.steps)
        torch.manual_seed(self.seed)
        ended = self._resume()
        self.probe.begin(self.model)
        row: dict[str, Any] = {}
        for step, batch in self._batches(ended):
            ended = step + 1
            row = {**self._step(step, batch), **self._measured(ended)}
            row |= self.probe.measured(ended, self.steps, self.model)
            self._report(ended, row)
            self.probe.check(ended, row)
            if self._gives_up(ended, row):
                break
            self._checkpoint_when_due(ended)
        self._take_best(ended)
        return {**row, **said_of(self.probe.warnings)}

    def _gives_up(self, done: int, row: dict[str, float]) -> bool:
        """Look for the best where that is due; whether to wait for no better one."""
        if self.best.is_due(done, self.steps):
            self.best.look(done, row, lambda: self.adapters.trained(self.model))
        return self.best.gave_up and done < self.steps

    def _take_best(self, ended: int) -> None:
        """The best look's weights into the model, and what result.json says of it."""
        if ended < self.steps:
            self.job.progress(Progress(ended, ended, "steps"))
        if self.best.step:
            self.adapters.restore(self.model, self.best.weights)
        self.task.outcome |= self.best.said(ended, self.steps)

    def _measured(self, done: int) -> dict[str, float]:
        """The loss and metrics of the held-out rows, where they are due, under TRL's names."""
        if not self.eval_every or (done % self.eval_every and done != self.steps):
            return {}
        size = self.config.micro_batch_size or self.config.batch_size
        loss, units, metrics = 0.0, 0.0, dict[str, tuple[float, float]]()
        with undisturbed(self.model), torch.no_grad():
            self.model.eval()
            for start in range(0, len(self.heldout), size):
                rows = self.heldout[start : start + size]
                with autocast(self.config, self.model):
                    sums = self.objective.sums(self.model, rows)
                loss += sums.loss.item()
                units += sum(self.objective.units(one) for one in rows)
                _add(metrics, sums.metrics)
        means = {name: total / count for name, (total, count) in metrics.items() if count}
        return {
            f"{HELDOUT}{name}": value for name, value in {"loss": loss / units, **means}.items()
        }

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
        refuse_divergence({"loss": loss, "grad_norm": float(norm)}, step + 1)
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
        for start in range(0, len(batch), size):
            with recomputing(self.config, self.model):
                with autocast(self.config, self.model):
                    sums = self.objective.sums(self.model, batch[start : start + size])
                share = sums.loss / units
                share.backward()
            loss += share.item()
            _add(metrics, sums.metrics)
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
        due = done % self.config.save_every == 0
        if due or done == self.steps:
            self.panel.show(done, self.model)
        if stopping or (due and done < self.steps):
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
            "best": self.best.state(),
            "guards": self.probe.state(),
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
        self.best.restore(state.get("best", {}))
        self.probe.restore(state.get("guards", {}))
        self._restore(state)
        return int(state["step"])

    def _more_state(self) -> dict[str, Any]:
        """What a loop of a special kind keeps in its checkpoints beside."""
        return {}

    def _restore(self, state: dict[str, Any]) -> None:
        """Take that up again."""


def chosen_of(examples: Sequence[Any]) -> list[Encoded]:
    """The answers that examples teach to give: a row itself, or what an example names so."""
    found = (getattr(example, "chosen", example) for example in examples)
    return [row for row in found if isinstance(row, Encoded)]


def _add(metrics: dict[str, tuple[float, float]], more: dict[str, tuple[float, float]]) -> None:
    """Sums and counts, metric by metric."""
    for name, (total, count) in more.items():
        before = metrics.get(name, (0.0, 0.0))
        metrics[name] = (before[0] + total, before[1] + count)


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

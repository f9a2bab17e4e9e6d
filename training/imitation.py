"""Imitating answers in our own loop: the loss, and rows that a job made itself and must keep."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch

from models_runtime.chat import Encoded
from models_runtime.jobdir import publish
from models_runtime.records import jsonl_line, read_jsonl
from training.data import Encoder
from training.loop import Sums
from training.losses import completion_nll
from training.scoring import completion_logps
from training.task import Task, checkpoint_folder

FIGURES = "figures.jsonl"
R = TypeVar("R")


class FineTuning:
    """Cross-entropy over completion tokens, EOS included: every token weighs one."""

    def units(self, example: Encoded) -> float:
        return float(sum(example.completion_mask))

    def sums(self, model: torch.nn.Module, examples: Sequence[Encoded]) -> Sums:
        logps = completion_logps(model, examples)
        count = float(len(examples))
        return Sums(completion_nll(logps).sum(), {"logps/chosen": (logps.sum().item(), count)})


def made_once(
    task: Task,
    encoder: Encoder,
    name: str,
    kind: type[R],
    make: Callable[[], tuple[list[R], dict[str, float]]],
) -> tuple[list[R], dict[str, Any]]:
    """The rows that ``make`` sampled and chose, with its figures: those of the newest checkpoint,
    or made now and kept as step 0, so that every attempt trains on the same rows. They lie in the
    file ``name``. Raises BadInput when nothing was chosen."""
    found = task.job.newest_checkpoint()
    if found is not None:
        figures = json.loads((found / FIGURES).read_text(encoding="utf-8"))
        task.dropped.update(figures["dropped"])
        return list(read_jsonl(found / name, kind)), figures
    task.adapters.refuse_misfit(task.job.input_path("policy"))
    rows, metrics = make()
    task.require(rows)
    counts = {"dropped": dict(task.dropped), "prompts_cut": encoder.prompts_cut}
    figures = {"metrics": metrics, **counts}
    with publish(checkpoint_folder(task.job, 0)) as folder:
        for file, text in files_of(name, rows, figures).items():
            (folder / file).write_text(text, encoding="utf-8")
    return rows, figures


def files_of(name: str, rows: Sequence[Any], figures: dict[str, Any]) -> dict[str, str]:
    """What every checkpoint of such a job carries beside its weights."""
    return {name: "".join(map(jsonl_line, rows)), FIGURES: jsonl_line(figures)}

"""Whether a run fits into the memory that is free where it begins, looked at before it loads a
weight (tensor side). training.memory has the formula."""

from __future__ import annotations

import heapq
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from models_runtime import model_folder
from models_runtime.jobdir import BadInput
from models_runtime.phrases import phrase
from models_runtime.records import Message, PromptRecord, read_jsonl
from training.data import DEMONSTRATIONS, PREFERENCES, RATINGS, Encoder
from training.memory import SAMPLE, SHARED, Dimensions, Load, Need, advice, need, shown
from training.task import Task
from training.usage import free_bytes, in_use

LOOKED_AT = 16  # texts, the longest in letters: of these the longest in tokens is taken
SCORERS = ("reward_model", "safety_model")
BY_COMPARISON = ("reward", "rrhf", "pro")  # an example is all answers of a comparison

Texts = tuple[list[Message], list[str]]  # what was said before, and the answers to it


def look(task: Task) -> None:
    """Keep for memory.json, and say in the log, what the run is estimated to need, of several
    processes each. Raises BadInput, with what to change, where it cannot fit even though the
    estimate be as wrong as was ever measured. What the formula does not know, and what is
    malformed, the run itself says.
    """
    try:
        model = dimensions_in(task.job.input_path("policy"))
        load = load_of(task)
    except (ValueError, TypeError, LookupError, OSError):
        return
    # Accelerators are a process's own; a machine's memory all of them share.
    free = free_bytes() // (1 if load.accelerator else load.processes)
    estimate = need(task.method, task.config, model, load)
    task.memory = {"estimated": estimate.total, "free": free, "before": in_use()}
    of_each = f" by each of {load.processes} processes" if load.processes > 1 else ""
    said = f"about {shown(estimate.total)} needed{of_each}, {shown(free)} free"
    sys.stdout.write(f"Memory: {said}.\n")
    if task.config.check_memory and estimate.least > free:
        raise BadInput(_refusal(task, model, load, estimate, free))


def _refusal(task: Task, model: Dimensions, load: Load, estimate: Need, free: int) -> str:
    figures = {
        "total": shown(estimate.total),
        "free": shown(free),
        "weights": shown(estimate.weights),
        "gradients": shown(estimate.gradients),
        "optimizer": shown(estimate.optimizer),
        "beside": shown(estimate.beside),
        "activations": shown(estimate.activations),
        "rows": estimate.rows,
        "length": estimate.length,
        "advice": advice(task.method, task.config, model, load, free),
    }
    if load.processes > 1:
        return phrase(
            "Each of %(processes)s processes would need about %(total)s of memory, and %(free)s "
            "is free for it: weights %(weights)s, gradients %(gradients)s, optimiser "
            "%(optimizer)s, models beside it %(beside)s, activations of %(rows)s rows of "
            "%(length)s tokens %(activations)s, and %(loading)s while it loads. To make it fit, "
            "%(advice)s; or switch check_memory off to try.",
            processes=load.processes,
            loading=shown(estimate.loading),
            **figures,
        )
    return phrase(
        "The run would need about %(total)s of memory, and %(free)s is free: weights %(weights)s, "
        "gradients %(gradients)s, optimiser %(optimizer)s, models beside it %(beside)s, "
        "activations of %(rows)s rows of %(length)s tokens %(activations)s. To make it fit, "
        "%(advice)s; or switch check_memory off to try.",
        **figures,
    )


def dimensions_in(folder: Path) -> Dimensions:
    """Of the model in folder. Raises ValueError where it does not state them."""
    config = json.loads((folder / model_folder.CONFIG).read_text(encoding="utf-8"))
    return Dimensions.of(config, _parameters(folder))


def load_of(task: Task) -> Load:
    """The longest row that the run can meet, how many of them an example is, and who scores."""
    encoder = Encoder.of(task.job.input_path("policy"), task.config)
    inputs = {name: Path(given.path) for name, given in task.job.inputs().items()}
    length, answers = 1, 1
    for name, path in inputs.items():
        if name == "prompts" and task.method in SAMPLE:
            asked = ((row.messages, [""]) for row in read_jsonl(path, PromptRecord))
            length = max(length, longest(asked, encoder) + task.config.max_new_tokens)
        elif path.is_dir():
            length = max(length, longest(_rows(path), encoder))
            if task.method in BY_COMPARISON:
                answers = max(answers, max((len(texts) for _, texts in _rows(path)), default=1))
    if getattr(task.config, "packing", False):
        length = encoder.max_length
    return Load(
        length=length,
        answers=answers,
        accelerator=torch.cuda.is_available(),
        scorers=tuple(_parameters(inputs[name]) for name in SCORERS if name in inputs),
        processes=task.job.ranks,
        how=os.environ.get(SHARED, "ddp"),
    )


def longest(rows: Iterable[Texts], encoder: Encoder) -> int:
    """Tokens of the longest row that is trained on; longer ones are dropped. A snapshot may be
    larger than the memory that is free: no more texts are kept than are encoded."""
    texts = ((messages, text) for messages, answers in rows for text in answers)
    kept = heapq.nlargest(LOOKED_AT, texts, key=_letters)
    found = [encoder.encode(messages, text) for messages, text in kept]
    return max((encoder.max_length if row is None else len(row.ids) for row in found), default=1)


def _letters(row: tuple[list[Message], str]) -> int:
    messages, text = row
    return len(text) + sum(len(message["content"]) for message in messages)


def _rows(folder: Path) -> Iterator[Texts]:
    """Each line of a snapshot; none of another folder."""
    for name in (PREFERENCES, DEMONSTRATIONS, RATINGS):
        path = folder / name
        if not path.is_file():
            continue
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row: dict[str, Any] = json.loads(line)
                told = row.get("completions") or [row["completion"]]
                yield row["messages"], [t["text"] if isinstance(t, dict) else t for t in told]


def _parameters(folder: Path) -> int:
    return sum(math.prod(shape) for shape in model_folder.read_shapes(folder).values())

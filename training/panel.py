"""The panel: what a policy answers to the same few prompts at every checkpoint of its training.

Answers are the likeliest ones, token by token, so that two of them differ because the weights do.
They are written to attempt-N/panel.jsonl, and leave no trace in the training: neither random
numbers nor the model's modes are touched, so that a run is the same to the byte without them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from models_runtime.jobdir import JobDir
from models_runtime.loading import load_tokenizer
from models_runtime.records import Message, PromptRecord, Sampler, jsonl_line
from training.rollouts import backend_of
from training.sampling import read_prompts
from training.task import Task

FILE = "panel.jsonl"
# Of a snapshot, where a method is given no prompts: the first of these that has any.
ASKED_IN = ("preferences.jsonl", "demonstrations.jsonl", "ratings.jsonl")
GREEDY = 0.0  # temperature


class Panel:
    """The first prompts of a job, as many as the option ``panel`` says; none where a method has no
    such option, since it makes no policy."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.size: int = getattr(task.config, "panel", 0)

    @cached_property
    def prompts(self) -> list[PromptRecord]:
        return first_prompts(self.task.job, self.size)

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        return load_tokenizer(self.task.job.input_path("policy"))

    def show(self, step: int, model: Any) -> None:
        """Append the policy's answers at this step, one line a prompt: {"step", "prompt",
        "messages", "text", "ended"}. ``model`` may be a policy with a value model beside it."""
        if not self.prompts:
            return
        policy = getattr(model, "policy", model)
        longest = self.task.config.max_new_tokens
        sampler = Sampler("policy", 1, GREEDY, 1.0, longest, self.task.seed)
        with undisturbed(policy):
            backend = backend_of(policy, self.tokenizer, self.size)
            found = backend.sample(self.prompts, sampler)
        rows = [
            {
                "step": step,
                "prompt": place,
                "messages": prompt.messages,
                "text": one.text,
                "ended": one.finish_reason == "eos",
            }
            for place, (prompt, one) in enumerate(zip(self.prompts, found, strict=True))
        ]
        self.task.job.end_if_fenced()
        with (self.task.job.folder / FILE).open("a", encoding="utf-8") as handle:
            handle.writelines(map(jsonl_line, rows))


def first_prompts(job: JobDir, count: int) -> list[PromptRecord]:
    """The job's first ``count`` different prompts, in its data's order, numbered from 0."""
    different: dict[str, list[Message]] = {}
    for messages in _asked(job) if count else ():
        different.setdefault(json.dumps(messages, sort_keys=True), messages)
        if len(different) == count:
            break
    return [PromptRecord(place, one, "") for place, one in enumerate(different.values())]


def _asked(job: JobDir) -> Iterator[list[Message]]:
    inputs = job.inputs()
    if "prompts" in inputs:
        yield from (row.messages for row in read_prompts(job.input_path("prompts")))
    elif "snapshot" in inputs:
        folder = job.input_path("snapshot")
        files = [folder / name for name in ASKED_IN]
        yield from _messages(next((one for one in files if _holds_any(one)), None))


def _holds_any(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _messages(path: Path | None) -> Iterator[list[Message]]:
    if path is None:
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["messages"]


@contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[None]:
    """Whatever is sampled or measured inside, training goes on as if nothing had been: the modes
    of the model's parts, its cache's switch and the process's random numbers are put back."""
    modes = [(part, part.training) for part in model.modules()]
    settings: Any = getattr(model, "generation_config", None)
    cached = settings.use_cache if settings is not None else None
    try:
        with torch.random.fork_rng():
            yield
    finally:
        if settings is not None:
            settings.use_cache = cached
        for part, training in modes:
            part.training = training

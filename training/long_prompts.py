"""Prompts after which the model's context has no room for an answer: a run refuses them, leaves
them out or cuts them, as its option ``long_prompts`` says.

Sampling cuts such a prompt to its newest tokens, and an encoder does the same, so that what is
trained on is what was sampled; here is decided whether a run is to see it at all.

    Room         whether prompts leave ``max_new_tokens`` in the policy's context, and which rows a
                 run goes on with
    prompts_of   the prompts that a run samples for, without what it leaves out
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol, TypeVar

from models_runtime.chat import encode_prompt
from models_runtime.jobdir import BadInput
from models_runtime.loading import context_length_in, load_tokenizer
from models_runtime.phrases import phrase
from models_runtime.records import Message, PromptRecord
from training.sampling import read_prompts
from training.task import Task

LONG = "prompt too long"  # the reason under which such rows are counted


class Prompted(Protocol):
    @property
    def messages(self) -> list[Message]: ...


R = TypeVar("R", bound=Prompted)


class Room:
    """What the policy's context holds beside an answer. Raises BadInput where that is nothing."""

    def __init__(self, task: Task) -> None:
        folder = task.job.input_path("policy")
        self.told: str = task.config.long_prompts
        self.answer: int = task.config.max_new_tokens
        self.context = context_length_in(folder)
        if self.context and self.answer >= self.context:
            raise BadInput(
                phrase(
                    "An answer of %(answer)s tokens leaves a prompt no room in the model's "
                    "context of %(context)s: lower max_new_tokens.",
                    answer=self.answer,
                    context=self.context,
                )
            )
        self.tokenizer = load_tokenizer(folder)
        self.frame = len(encode_prompt(self.tokenizer, [{"role": "user", "content": "a"}]))
        self._held: dict[str, bool] = {}

    def holds(self, messages: Sequence[Message]) -> bool:
        """Whether an answer fits after this prompt. A token is at least a byte, so that most
        prompts need not be encoded to know."""
        key = json.dumps(list(messages))
        if key not in self._held:
            left = self.context - self.answer
            most = sum(self.frame + len(one["content"].encode()) for one in messages)
            self._held[key] = (
                not self.context
                or most <= left
                or len(encode_prompt(self.tokenizer, messages)) <= left
            )
        return self._held[key]

    def kept(
        self, rows: Sequence[R], read: Sequence[Prompted], file: str
    ) -> tuple[list[R], list[R]]:
        """(the rows to go on with, those left out for their prompts). ``read`` are all rows of
        the file that they are of. Raises BadInput where the run is to refuse them."""
        if self.told == "cut":
            return list(rows), []
        holds = [self.holds(row.messages) for row in rows]
        if not all(holds) and self.told == "refuse":
            raise BadInput(self._refusal(rows, read, file))
        pairs = list(zip(rows, holds, strict=True))
        return [row for row, held in pairs if held], [row for row, held in pairs if not held]

    def _refusal(self, rows: Sequence[Prompted], read: Sequence[Prompted], file: str) -> str:
        """How many of the prompts of ``rows`` it does not hold, in which line of the file, whose
        rows are ``read``, the first of them is, and what to change."""
        prompts = {json.dumps(row.messages): row.messages for row in rows}
        too_long = {key for key, messages in prompts.items() if not self.holds(messages)}
        lines = (n for n, row in enumerate(read, 1) if json.dumps(row.messages) in too_long)
        return phrase(
            "After %(n)s of %(all)s prompts, the first in line %(line)s of %(file)s, the model's "
            "context of %(context)s tokens has no room for an answer of %(answer)s: shorten the "
            "prompts, lower max_new_tokens, or set long_prompts to drop or cut.",
            n=len(too_long),
            all=len(prompts),
            line=next(lines),
            file=file,
            context=self.context,
            answer=self.answer,
        )


def prompts_of(task: Task) -> list[PromptRecord]:
    """The prompts that the run samples for. Raises BadInput, also where none is left."""
    rows = read_prompts(task.job.input_path("prompts"))
    found, too_long = Room(task).kept(rows, rows, "prompts.jsonl")
    task.dropped.update([LONG] * len(too_long))
    task.require(found)
    return found

"""Where completions come from: back ends with one method, ``stream``.

``local`` samples from a checkpoint in this process. Every completion has its own stream of
random numbers, keyed by (seed, stream, prompt id, index), so that what is sampled does not depend
on how prompts were batched, nor on which of them were sampled before a restart. (On a GPU in
bfloat16 the logits themselves vary a little with the batch; there it holds for equal batches.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models_runtime import chat
from models_runtime.batch_room import Room
from models_runtime.decoding import Asked, Decoder, decode
from models_runtime.loading import context_length
from models_runtime.records import FinishReason, PromptRecord, Sampler, under_system

AT_ONCE = 64  # completions handed on together: so often does a job look whether to stop


@dataclass(frozen=True)
class Generated:
    """One completion. ids are its tokens, EOS included when it ended by itself; prompt_cut is
    how many of the prompt's oldest tokens did not fit into the model's context."""

    prompt_id: int
    index: int
    ids: list[int]
    text: str
    finish_reason: FinishReason
    prompt_cut: int = 0


class Backend(Protocol):
    def stream(
        self, prompts: Sequence[PromptRecord], sampler: Sampler, stream: int = 0
    ) -> Iterator[list[Generated]]:
        """Batches of completions, k for each prompt, in an order of the back end's choosing."""


class LocalBackend:
    """Sampling from a model in this process, many completions at once (see decoding).

    Batching is everything on a CPU, like lengths keep the padding small, and completions of one
    prompt share its reading. A batch_size of 0 takes as many rows as there is room for.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch_size: int = 0
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.batch_size = batch_size

    def stream(
        self, prompts: Sequence[PromptRecord], sampler: Sampler, stream: int = 0
    ) -> Iterator[list[Generated]]:
        """Completions as they are finished, shortest prompts first. Two samplers of one job use
        two streams, or their draws would be the same."""
        yield from self._all(self._asked(prompts, sampler), sampler, stream)

    def sample(
        self, prompts: Sequence[PromptRecord], sampler: Sampler, stream: int = 0
    ) -> list[Generated]:
        """All completions, by prompt in the order given, then by index."""
        found = [row for batch in self.stream(prompts, sampler, stream) for row in batch]
        place = {prompt.id: number for number, prompt in enumerate(prompts)}
        return sorted(found, key=lambda row: (place[row.prompt_id], row.index))

    def complete(
        self, prompts: Sequence[list[int]], sampler: Sampler, stream: int = 0
    ) -> Iterator[list[Generated]]:
        """One completion for each prompt given as token ids, in batches as ``stream`` gives them;
        a completion's prompt_id is its prompt's place, which decides its random numbers."""
        asked = [Asked(place, 0, ids, 0) for place, ids in enumerate(prompts)]
        yield from self._all(asked, sampler, stream)

    def grow(self, prompt: PromptRecord, sampler: Sampler) -> Iterator[Generated]:
        """One completion as it is written: so far, after every burst; the last one is whole. The
        same seed gives the tokens that ``sample`` gives."""
        decoder = Decoder(self.model, self.tokenizer, sampler)
        asked = next(self._asked([prompt], sampler))
        rows = decoder.begin([asked])
        while True:
            so_far = decoder.said(rows, 0)
            over, rows = decoder.part(rows)
            yield self._finished(asked, so_far, decoder.ends)
            if over:
                return
            rows = decoder.go_on(rows)

    def _asked(self, prompts: Sequence[PromptRecord], sampler: Sampler) -> Iterator[Asked]:
        context = context_length(self.model.config)
        tuned = chat.tuned_words(self.tokenizer).values()
        for prompt in prompts:
            messages = under_system(prompt.messages, sampler.system_prompt)
            ids = chat.encode_prompt(self.tokenizer, messages)
            kept, cut = chat.fit_prompt(ids, context, sampler.max_new_tokens, tuned)
            for index in range(sampler.k):
                yield Asked(prompt.id, index, kept, cut)

    def _all(
        self, asked: Iterable[Asked], sampler: Sampler, stream: int
    ) -> Iterator[list[Generated]]:
        decoder = Decoder(self.model, self.tokenizer, sampler, stream)
        ordered = sorted(asked, key=lambda row: len(row.prompt))
        found = decode(decoder, ordered, Room.of(self.model, self.batch_size))
        while some := list(islice(found, AT_ONCE)):
            yield [self._finished(row, tokens, decoder.ends) for row, tokens in some]

    def _finished(self, row: Asked, tokens: list[int], ends: Sequence[int]) -> Generated:
        reason: FinishReason = "eos" if tokens[-1] in ends else "length"
        text = chat.decode(self.tokenizer, tokens)
        return Generated(row.prompt_id, row.index, tokens, text, reason, row.cut)


BACKENDS: dict[str, Callable[..., Backend]] = {"local": LocalBackend}

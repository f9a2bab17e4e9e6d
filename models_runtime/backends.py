"""Where completions come from: back ends with one method, ``stream``.

``local`` samples from a checkpoint in this process. Every completion has its own stream of
random numbers, keyed by (seed, stream, prompt id, index), so that what is sampled does not depend
on how prompts were batched, nor on which of them were sampled before a restart. (On a GPU in
bfloat16 the logits themselves vary a little with the batch; there it holds for equal batches.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from transformers import (
    Cache,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from models_runtime import chat
from models_runtime.loading import context_length
from models_runtime.records import FinishReason, PromptRecord, Sampler, under_system

BURST = 8  # tokens between two looks at which rows are finished


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


@dataclass(frozen=True)
class _Wanted:
    prompt_id: int
    index: int
    prompt: list[int]
    cut: int

    def key(self, sampler: Sampler, stream: int) -> str:
        """What decides this completion's random numbers."""
        return f"{sampler.seed}/{stream}/{self.prompt_id}/{self.index}"


class Backend(Protocol):
    def stream(
        self, prompts: Sequence[PromptRecord], sampler: Sampler, stream: int = 0
    ) -> Iterator[list[Generated]]:
        """Batches of completions, k for each prompt, in an order of the back end's choosing."""


class LocalBackend:
    """Sampling from a model in this process: one ``generate`` over a batch of like lengths.

    Batching is everything on a CPU (28 times the tokens a second at 64 sequences on the demo's
    model), and like lengths keep the padding small.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch_size: int = 64
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.batch_size = batch_size

    def stream(
        self, prompts: Sequence[PromptRecord], sampler: Sampler, stream: int = 0
    ) -> Iterator[list[Generated]]:
        """Batches, shortest prompts first. Two samplers of one job use two streams, or their
        draws would be the same."""
        wanted = sorted(self._wanted(prompts, sampler), key=lambda row: len(row.prompt))
        rows = iter(wanted)
        while batch := list(islice(rows, self.batch_size)):
            yield self._generate(batch, sampler, stream)

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
        wanted = [_Wanted(place, 0, ids, 0) for place, ids in enumerate(prompts)]
        wanted.sort(key=lambda row: len(row.prompt))
        for start in range(0, len(wanted), self.batch_size):
            yield self._generate(wanted[start : start + self.batch_size], sampler, stream)

    def grow(self, prompt: PromptRecord, sampler: Sampler) -> Iterator[Generated]:
        """One completion as it is written: so far, after every burst; the last one is whole. The
        same seed gives the tokens that ``sample`` gives."""
        row = next(self._wanted([prompt], sampler))
        ids, attention = chat.pad([row.prompt], self._pad_id, side="left")
        active = _Active.start(ids, attention, [row.key(sampler, 0)], sampler, self.model.device)
        width, whole = ids.shape[1], False
        while not whole:
            with torch.inference_mode():  # never across the yield: it belongs to the thread
                active = self._burst(active, sampler, width)
                whole = bool(active.finished(self._ends(), width, sampler.max_new_tokens).all())
            yield self._finished(row, active.ids[0, width:].tolist())

    def _wanted(self, prompts: Sequence[PromptRecord], sampler: Sampler) -> Iterator[_Wanted]:
        context = context_length(self.model.config)
        for prompt in prompts:
            asked = under_system(prompt.messages, sampler.system_prompt)
            ids = chat.encode_prompt(self.tokenizer, asked)
            kept, cut = chat.fit_prompt(ids, context, sampler.max_new_tokens)
            for index in range(sampler.k):
                yield _Wanted(prompt.id, index, kept, cut)

    @torch.inference_mode()
    def _generate(
        self, batch: Sequence[_Wanted], sampler: Sampler, stream: int
    ) -> list[Generated]:
        """Decode in bursts and leave finished rows out of the next one: answers differ in length
        by a factor of twenty, and a whole batch waiting for its longest is 3 times slower."""
        ids, attention = chat.pad([row.prompt for row in batch], self._pad_id, side="left")
        keys = [row.key(sampler, stream) for row in batch]
        active = _Active.start(ids, attention, keys, sampler, self.model.device)
        tokens: dict[int, list[int]] = {}
        while len(active.rows):
            active = self._burst(active, sampler, ids.shape[1])
            done = active.finished(self._ends(), ids.shape[1], sampler.max_new_tokens)
            for row in done.nonzero()[:, 0].tolist():
                tokens[int(active.rows[row])] = active.ids[row, ids.shape[1] :].tolist()
            active = active.keep(~done)
        return [self._finished(row, tokens[place]) for place, row in enumerate(batch)]

    def _burst(self, active: _Active, sampler: Sampler, prompt_length: int) -> _Active:
        """Up to BURST more tokens for every active row, by the library's own ``generate``."""
        left = prompt_length + sampler.max_new_tokens - active.ids.shape[1]
        picker = _Picker(active.draws, sampler, prompt_length)
        produced = self.model.generate(
            input_ids=active.ids,
            attention_mask=active.attention,
            past_key_values=active.cache,
            logits_processor=LogitsProcessorList([picker]),
            do_sample=False,  # the picker has drawn: it leaves one token possible
            max_new_tokens=min(BURST, left),
            eos_token_id=self._ends(),
            pad_token_id=self._pad_id,
            return_dict_in_generate=True,
        )
        grown = produced.sequences.shape[1] - active.ids.shape[1]
        more = active.attention.new_ones((len(active.rows), grown))
        attention = torch.cat([active.attention, more], dim=1)
        return replace(
            active, ids=produced.sequences, attention=attention, cache=produced.past_key_values
        )

    @property
    def _pad_id(self) -> int:
        return int(self.tokenizer.pad_token_id)

    def _ends(self) -> list[int]:
        """The template's EOS, and what else the model itself declares as an end."""
        declared = getattr(self.model.generation_config, "eos_token_id", None)
        others = declared if isinstance(declared, list) else [declared]
        ends = {int(self.tokenizer.eos_token_id), *(int(i) for i in others if i is not None)}
        return sorted(ends - {int(self.tokenizer.pad_token_id)})

    def _finished(self, row: _Wanted, tokens: list[int]) -> Generated:
        ends = set(self._ends())
        stop = next((place for place, token in enumerate(tokens) if token in ends), None)
        kept = tokens if stop is None else tokens[: stop + 1]
        reason: FinishReason = "length" if stop is None else "eos"
        text = chat.decode(self.tokenizer, kept)
        return Generated(row.prompt_id, row.index, kept, text, reason, row.cut)


@dataclass(frozen=True)
class _Active:
    """The rows of a batch that are not finished: their places in it, tokens so far, and cache."""

    rows: torch.Tensor  # [active]
    ids: torch.Tensor  # [active, prompt + produced]
    attention: torch.Tensor  # as ids; 0 on padding to the left of a prompt
    draws: torch.Tensor  # float64 [active, max_new_tokens]
    cache: Cache | None = None

    @classmethod
    def start(
        cls,
        ids: torch.Tensor,
        attention: torch.Tensor,
        keys: Sequence[str],
        sampler: Sampler,
        device: torch.device,
    ) -> _Active:
        numbers = np.stack([uniforms(key, sampler.max_new_tokens) for key in keys])
        draws = torch.from_numpy(numbers).to(device)
        rows = torch.arange(len(ids), device=device)
        return cls(rows, ids.to(device), attention.to(device), draws)

    def finished(self, ends: Sequence[int], prompt_length: int, longest: int) -> torch.Tensor:
        """Which rows [active] have an end token, or as many tokens as they may have."""
        produced = self.ids[:, prompt_length:]
        if produced.shape[1] >= longest:
            return torch.ones_like(self.rows, dtype=torch.bool)
        return torch.isin(produced, torch.tensor(ends, device=produced.device)).any(-1)

    def keep(self, which: torch.Tensor) -> _Active:
        if self.cache is not None and not bool(which.all()):
            self.cache.batch_select_indices(which.nonzero()[:, 0])
        return replace(
            self,
            rows=self.rows[which],
            ids=self.ids[which],
            attention=self.attention[which],
            draws=self.draws[which],
        )


class _Picker(LogitsProcessor):
    """Draws the next token of every row from its own random numbers."""

    def __init__(self, draws: torch.Tensor, sampler: Sampler, prompt_length: int) -> None:
        self.draws = draws
        self.sampler = sampler
        self.prompt_length = prompt_length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        draw = self.draws[:, input_ids.shape[1] - self.prompt_length]
        chosen = pick(scores, draw, self.sampler.temperature, self.sampler.top_p)
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen[:, None], 0.0)


def pick(
    logits: torch.Tensor, draws: torch.Tensor, temperature: float, top_p: float = 1.0
) -> torch.Tensor:
    """Token ids [rows] drawn from softmax(logits / temperature) by inverting its distribution.

    logits [rows, vocabulary]; draws float64 [rows] in [0, 1). Temperature 0 takes the likeliest
    token. top_p < 1 keeps the smallest set of likeliest tokens that holds it (Holtzman 2020).
    """
    if temperature == 0:
        return logits.argmax(-1)
    shares = torch.softmax(logits.float() / temperature, dim=-1)
    if top_p < 1:
        shares = _nucleus(shares, top_p)
    reached = shares.double().cumsum(-1)
    target = draws[:, None] * reached[:, -1:]
    return torch.searchsorted(reached, target, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)


def _nucleus(shares: torch.Tensor, top_p: float) -> torch.Tensor:
    ordered, places = shares.sort(-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    return torch.zeros_like(shares).scatter_(1, places, ordered.masked_fill(before >= top_p, 0.0))


def uniforms(key: str, count: int) -> np.ndarray:
    """count float64 numbers in [0, 1) that only key decides (counter-based Philox)."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(key=seed)).random(count)


BACKENDS: dict[str, Callable[..., Backend]] = {"local": LocalBackend}

"""Decoding many rows at once: read a prompt once for all of its rows, let go of rows that are
finished, take in new ones beside those that go on (continuous batching: Yu et al. 2022, Orca).

Every step is the library's own ``generate``; what is drawn comes from each row's own random
numbers, so that it does not depend on the rows beside it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers import (
    Cache,
    DynamicCache,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.cache_utils import DynamicLayer

from models_runtime import chat
from models_runtime.batch_room import Room
from models_runtime.records import Sampler

# Tokens between two looks at which rows are finished: a look costs a fixed time, and what a
# finished row goes on to write is thrown away.
BURST, BURST_OF_MANY, MANY_ROWS = 8, 4, 128


@dataclass(frozen=True)
class Asked:
    """A completion that is wanted. ``cut``: its prompt's oldest tokens that did not fit."""

    prompt_id: int
    index: int
    prompt: list[int]
    cut: int

    def __hash__(self) -> int:
        return hash((self.prompt_id, self.index))

    def key(self, sampler: Sampler, stream: int) -> str:
        """What decides this completion's random numbers."""
        return f"{sampler.seed}/{stream}/{self.prompt_id}/{self.index}"


Finished = tuple[Asked, list[int]]


@dataclass(frozen=True)
class Rows:
    """Completions that are being written, padded on the left to one width."""

    asked: list[Asked]
    ids: torch.Tensor  # [rows, width]: prompt, and what was written so far
    attention: torch.Tensor  # as ids; 0 on padding
    starts: torch.Tensor  # [rows]: where in ids what was written begins
    draws: torch.Tensor  # float64 [rows, max_new_tokens]
    cache: Cache

    def __len__(self) -> int:
        return len(self.asked)

    @property
    def written(self) -> torch.Tensor:
        """How many tokens each row has [rows]."""
        return self.ids.shape[1] - self.starts

    def tokens(self, row: int) -> list[int]:
        """What a row has written so far, and what came after its end."""
        return list(self.ids[row, int(self.starts[row]) :].tolist())

    def finished(self, ends: torch.Tensor, longest: int) -> torch.Tensor:
        """Which rows [rows] have an end token, or as many tokens as they may have."""
        places = torch.arange(self.ids.shape[1], device=self.ids.device)
        theirs = places >= self.starts[:, None]
        return (torch.isin(self.ids, ends) & theirs).any(-1) | (self.written >= longest)

    def grown(self, ids: torch.Tensor, cache: Cache) -> Rows:
        """With the tokens that were added to every row."""
        more = self.attention.new_ones((len(self), ids.shape[1] - self.ids.shape[1]))
        attention = torch.cat([self.attention, more], dim=1)
        return replace(self, ids=ids, attention=attention, cache=cache)

    def keep(self, which: torch.Tensor) -> Rows:
        """The rows of a mask [rows]."""
        if bool(which.all()):
            return self
        places = which.nonzero()[:, 0]
        self.cache.batch_select_indices(places)
        kept = Rows(
            [self.asked[place] for place in places.tolist()],
            self.ids[places],
            self.attention[places],
            self.starts[places],
            self.draws[places],
            self.cache,
        )
        return kept.narrowed() if len(places) and self.can_join else kept

    def narrowed(self) -> Rows:
        """Without the columns that are padding for all of them."""
        by = int(self.attention.any(0).int().argmax())
        if not by:
            return self
        for layer in _layers(self.cache):
            layer.keys, layer.values = layer.keys[:, :, by:], layer.values[:, :, by:]
        ids, attention = self.ids[:, by:], self.attention[:, by:]
        return replace(self, ids=ids, attention=attention, starts=self.starts - by)

    @property
    def can_join(self) -> bool:
        """Whether rows of other widths can be put beside these: every layer keeps all keys."""
        cache = self.cache
        return isinstance(cache, DynamicCache) and all(
            type(layer) is DynamicLayer for layer in cache.layers
        )

    def joined(self, others: Rows) -> Rows:
        """These rows and others; the narrower ones are padded on the left."""
        width = max(self.ids.shape[1], others.ids.shape[1])
        a, b = self._widened(width), others._widened(width)
        for mine, theirs in zip(_layers(a.cache), _layers(b.cache), strict=True):
            mine.keys = torch.cat([mine.keys, theirs.keys])
            mine.values = torch.cat([mine.values, theirs.values])
        return Rows(
            a.asked + b.asked,
            torch.cat([a.ids, b.ids]),
            torch.cat([a.attention, b.attention]),
            torch.cat([a.starts, b.starts]),
            torch.cat([a.draws, b.draws]),
            a.cache,
        )

    def _widened(self, width: int) -> Rows:
        by = width - self.ids.shape[1]
        if not by:
            return self
        for layer in _layers(self.cache):
            layer.keys = torch.nn.functional.pad(layer.keys, (0, 0, by, 0))
            layer.values = torch.nn.functional.pad(layer.values, (0, 0, by, 0))
        ids = torch.nn.functional.pad(self.ids, (by, 0))  # 0 is a token, but nobody attends to it
        attention = torch.nn.functional.pad(self.attention, (by, 0))
        return replace(self, ids=ids, attention=attention, starts=self.starts + by)


def _layers(cache: Cache) -> list[Any]:
    """Those of a cache whose every layer holds keys and values (see Rows.can_join)."""
    return list(cache.layers)


class Decoder:
    """A model that continues rows, each by its own random numbers."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        sampler: Sampler,
        stream: int = 0,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.sampler = sampler
        self.stream = stream
        self.pad_id = int(tokenizer.pad_token_id)
        self.ends = sorted(end_ids(model, tokenizer))
        self._ends = torch.tensor(self.ends, device=model.device)

    @torch.inference_mode()
    def begin(self, asked: Sequence[Asked]) -> Rows:
        """The first token of every row. A prompt is read once, however many rows it has: its
        cache and its next token's logits are theirs in common, only their draws differ."""
        distinct = {tuple(row.prompt): row.prompt for row in asked}
        place = {prompt: number for number, prompt in enumerate(distinct)}
        ids, attention = chat.pad(list(distinct.values()), self.pad_id, side="left")
        device, heard = self.model.device, _Listener()
        read = self._generate(ids.to(device), attention.to(device), heard, 1)
        of = torch.tensor([place[tuple(row.prompt)] for row in asked], device=device)
        cache, longest = read.past_key_values, self.sampler.max_new_tokens
        if len(distinct) < len(asked):
            cache.batch_select_indices(of)
        keys = [row.key(self.sampler, self.stream) for row in asked]
        draws = torch.from_numpy(np.stack([uniforms(key, longest) for key in keys])).to(device)
        starts = torch.full((len(asked),), ids.shape[1], device=device)
        rows = Rows(
            list(asked), ids.to(device)[of], attention.to(device)[of], starts, draws, cache
        )
        first = self._pick(heard.logits[of], draws[:, 0])
        return rows.grown(torch.cat([rows.ids, first[:, None]], dim=1), cache)

    @torch.inference_mode()
    def go_on(self, rows: Rows) -> Rows:
        """Some more tokens for every row, none more than it may have."""
        left = self.sampler.max_new_tokens - int(rows.written.max())
        many = len(rows) >= MANY_ROWS
        picker = _Picker(rows, self)
        burst = min(BURST_OF_MANY if many else BURST, left)
        made = self._generate(rows.ids, rows.attention, picker, burst, rows.cache)
        return rows.grown(made.sequences, made.past_key_values)

    @torch.inference_mode()
    def part(self, rows: Rows) -> tuple[dict[Asked, list[int]], Rows]:
        """(the tokens of the rows that are finished, the others)."""
        done = rows.finished(self._ends, self.sampler.max_new_tokens)
        over = {rows.asked[row]: self.said(rows, row) for row in done.nonzero()[:, 0].tolist()}
        return over, rows.keep(~done)

    def said(self, rows: Rows, row: int) -> list[int]:
        """The tokens of a row so far, up to the first that ends it: a burst goes on after it."""
        tokens = rows.tokens(row)
        ends = (place for place, token in enumerate(tokens) if token in self.ends)
        return tokens[: next(ends, len(tokens)) + 1]

    def _generate(
        self,
        ids: torch.Tensor,
        attention: torch.Tensor,
        processor: LogitsProcessor,
        tokens: int,
        cache: Cache | None = None,
    ) -> Any:
        # torch types what a module may hold as "a tensor or a module", which hides the method.
        return self.model.generate(  # type: ignore[operator]
            input_ids=ids,
            attention_mask=attention,
            past_key_values=cache,
            logits_processor=LogitsProcessorList([processor]),
            do_sample=False,  # the processor has drawn: it leaves one token possible
            max_new_tokens=tokens,
            eos_token_id=self.ends,
            pad_token_id=self.pad_id,
            return_dict_in_generate=True,
        )

    def _pick(self, logits: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        return pick(logits, draws, self.sampler.temperature, self.sampler.top_p)


class _Listener(LogitsProcessor):
    """Keeps the logits [rows, vocabulary] of the token that comes next."""

    logits: torch.Tensor

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.logits = scores
        return scores


class _Picker(LogitsProcessor):
    """Draws the next token of every row from its own random numbers."""

    def __init__(self, rows: Rows, decoder: Decoder) -> None:
        self.rows = rows
        self.decoder = decoder

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        number = input_ids.shape[1] - self.rows.starts
        draw = self.rows.draws.gather(1, number[:, None])[:, 0]
        chosen = self.decoder._pick(scores, draw)
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen[:, None], 0.0)


def decode(decoder: Decoder, asked: Iterable[Asked], room: Room) -> Iterator[Finished]:
    """The tokens of every row, EOS included, as rows are finished. ``asked`` is best sorted by
    the length of prompts: beside each other they are padded to one width.

    Where the memory runs out, what was begun is begun anew with half as many rows at once, and
    becomes the same. Raises torch.OutOfMemoryError when it does not hold a single one.
    """
    waiting, rows = deque(asked), None
    while waiting or rows is not None:
        begun = [] if rows is None else list(rows.asked)
        over: dict[Asked, list[int]] = {}
        try:
            new = _next(decoder, rows, waiting, room)
            begun += new
            over, left = decoder.part(_with(rows, decoder, new))
            rows = decoder.go_on(left) if len(left) else None
        except torch.OutOfMemoryError:
            if len(begun) == 1:
                raise
            rows, room = None, replace(room, most=len(begun) // 2)
            waiting.extendleft(row for row in reversed(begun) if row not in over)
        yield from over.items()


def _with(rows: Rows | None, decoder: Decoder, new: list[Asked]) -> Rows:
    """The rows that are being written, and new ones; some of one or the other."""
    if rows is None:
        return decoder.begin(new)
    return rows.joined(decoder.begin(new)) if new else rows


def _next(decoder: Decoder, rows: Rows | None, waiting: deque[Asked], room: Room) -> list[Asked]:
    """What is begun now: so many of those that wait as there is room for."""
    if not waiting or (rows is not None and not rows.can_join):
        return []
    width = len(waiting[0].prompt) + decoder.sampler.max_new_tokens
    most = room.rows(width if rows is None else max(width, rows.ids.shape[1]))
    there = 0 if rows is None else len(rows)
    if there > room.refilled_below * most:
        return []
    return [waiting.popleft() for _ in range(min(most - there, len(waiting)))]


def end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """The template's EOS, and what else the model itself declares as an end."""
    declared = getattr(model.generation_config, "eos_token_id", None)
    others = declared if isinstance(declared, list) else [declared]
    ends = {int(tokenizer.eos_token_id), *(int(i) for i in others if i is not None)}
    return ends - {int(tokenizer.pad_token_id)}


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

"""Rollouts: answers sampled from the policy as it stands, with what is known of each token.

Drawn by the same sampler as everything else: each answer has random numbers of its own, keyed by
(seed, round, place in the round), so a round drawn again after a kill is the same round.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerBase

from models_runtime.backends import Generated, LocalBackend
from models_runtime.chat import Encoded, encode_prompt, fit_prompt, pad, tuned_words
from models_runtime.loading import context_length
from models_runtime.records import PromptRecord, Sampler
from training.reward_sources import Answer

SCORING_BATCH = 64  # rows of a forward pass without gradients


@dataclass
class Rollout:
    """One sampled answer; T is its number of tokens. Tensors are float32 on the CPU.

    logps, ref_logps, values [T]: under the policy that drew it, the reference and the value model,
    at the sampling temperature. advantages, returns [T]: what is learned from.
    """

    row: Encoded
    logps: Tensor
    ref_logps: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor


@dataclass(frozen=True)
class Padded:
    """Rows as tensors [N, L]; ``mask`` [N, L - 1] is 1 where the next token is of the answer."""

    ids: Tensor
    attention: Tensor
    mask: Tensor

    @classmethod
    def of(cls, rows: Sequence[Encoded], device: torch.device) -> Padded:
        ids, attention = pad([row.ids for row in rows], 0)
        mask, _ = pad([row.completion_mask for row in rows], 0)
        return cls(ids.to(device), attention.to(device), mask[:, 1:].to(device))

    def logps(self, logits: Tensor, temperature: float) -> Tensor:
        """[N, L - 1] log-probabilities of the next tokens at the temperature; 0 off the answer."""
        scaled = (logits[:, :-1].float() / temperature).transpose(1, 2)
        return -cross_entropy(scaled, self.ids[:, 1:], reduction="none") * self.mask

    def laid_out(self, tokens: Sequence[Tensor]) -> Tensor:
        """[N, L - 1] from one [T] an answer: each number where its token is predicted."""
        laid = torch.zeros(self.mask.shape, device=self.mask.device)
        laid[self.mask.bool()] = torch.cat(list(tokens)).to(laid)
        return laid

    def of_answers(self, laid: Tensor) -> list[Tensor]:
        """One [T] an answer, on the CPU: laid_out undone."""
        return [row[where.bool()].cpu() for row, where in zip(laid, self.mask, strict=True)]


class Prompts:
    """The prompts of a run, encoded; a round's are a pure function of (seed, round)."""

    def __init__(
        self,
        records: Sequence[PromptRecord],
        tokenizer: PreTrainedTokenizerBase,
        context: int,
        longest: int,
    ) -> None:
        self.records = list(records)
        tuned = tuned_words(tokenizer).values()
        fitted = [
            fit_prompt(encode_prompt(tokenizer, r.messages), context, longest, tuned)
            for r in records
        ]
        self.ids = [ids for ids, _ in fitted]
        self.cut = sum(gone > 0 for _, gone in fitted)

    def of_round(self, number: int, count: int, seed: int) -> list[int]:
        """Places of the round's prompts: one permutation after another, so that all are asked
        equally often."""
        size = len(self.records)
        first, last = number * count, (number + 1) * count
        laps = range(first // size, -(-last // size))
        order = [place for lap in laps for place in _lap(size, seed, lap)]
        skipped = first - laps.start * size
        return order[skipped : skipped + count]


def _lap(size: int, seed: int, lap: int) -> list[int]:
    order = list(range(size))
    random.Random(f"{seed}/{lap}").shuffle(order)
    return order


def draw(
    check_stop: Callable[[], None],
    backend: LocalBackend,
    prompts: Prompts,
    places: Sequence[int],
    sampler: Sampler,
    number: int,
) -> tuple[list[Encoded], list[Answer]]:
    """An answer to the prompt at each place, in order: rows of the very tokens that were drawn,
    and the answers as texts. ``check_stop`` is called between batches and may raise Stopped."""
    found: list[Generated] = []
    asked = [prompts.ids[place] for place in places]
    for batch in backend.complete(asked, sampler, stream=number):
        check_stop()
        found += batch
    found.sort(key=lambda one: one.prompt_id)
    rows = [_row(ids, one.ids) for ids, one in zip(asked, found, strict=True)]
    return rows, [_answer(prompts.records[p], o) for p, o in zip(places, found, strict=True)]


def _row(prompt: list[int], answer: list[int]) -> Encoded:
    return Encoded(prompt + answer, [0] * len(prompt) + [1] * len(answer))


def _answer(prompt: PromptRecord, one: Generated) -> Answer:
    ended = one.finish_reason == "eos"
    return Answer(prompt.id, prompt.messages, one.text, ended, len(one.ids), prompt.tags)


def backend_of(model: Any, tokenizer: PreTrainedTokenizerBase, batch: int) -> LocalBackend:
    """A sampler of the model as it is being trained, with its cache on while it samples."""
    model.generation_config.use_cache = True
    return LocalBackend(model, tokenizer, batch)


def context_of(model: Any) -> int:
    return context_length(model.config)


def batches_by_length(rows: Sequence[Encoded], size: int = SCORING_BATCH) -> list[list[int]]:
    """Indices of rows of like length together: padding is most of the work otherwise."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].ids))
    return [order[start : start + size] for start in range(0, len(order), size)]

"""Rewards of a reward model and log-probabilities of a policy, for rows of token ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import cross_entropy

from models_runtime.chat import Encoded, pad, tuned_words
from models_runtime.jobdir import BadInput, sha256_of
from models_runtime.loading import load_tokenizer
from models_runtime.phrases import phrase


def rewards(model: Module, rows: Sequence[Encoded]) -> Tensor:
    """Float32 [rows] scores ([rows, heads] of an ensemble), each read at its row's last token,
    never at padding."""
    ids, attention = pad([row.ids for row in rows], pad_id(model))
    device = next(model.parameters()).device
    scores = model(input_ids=ids.to(device), attention_mask=attention.to(device)).logits
    return by_head(scores)


def by_head(scores: Tensor) -> Tensor:
    """What a head puts out, [rows, heads], in float32: [rows] where there is but one."""
    return scores.squeeze(-1).float()


def completion_logps(model: Module, rows: Sequence[Encoded]) -> Tensor:
    """Float32 [rows]: log pi(y|x) summed over completion tokens, EOS included."""
    return logps_at((1.0,))(model, rows)[:, 0]


def logps_at(temperatures: Sequence[float]) -> Callable[[Module, Sequence[Encoded]], Tensor]:
    """A score giving float32 [rows, temperatures]: completion_logps with the logits divided by
    each temperature, that is the log-probability under which a sampler at it draws."""

    def score(model: Module, rows: Sequence[Encoded]) -> Tensor:
        ids, attention = pad([row.ids for row in rows], 0)
        mask, _ = pad([row.completion_mask for row in rows], 0)
        device = next(model.parameters()).device
        ids, mask = ids.to(device), mask[:, 1:].to(device)
        logits = model(input_ids=ids, attention_mask=attention.to(device)).logits[:, :-1].float()
        sums = [(_token_logps(logits / t, ids[:, 1:]) * mask).sum(dim=1) for t in temperatures]
        return torch.stack(sums, dim=1)

    return score


def _token_logps(logits: Tensor, ids: Tensor) -> Tensor:
    """[rows, positions, vocabulary] and [rows, positions] -> [rows, positions]."""
    return -cross_entropy(logits.transpose(1, 2), ids, reduction="none")


def in_batches(
    score: Callable[[Module, Sequence[Encoded]], Tensor],
    model: Module,
    rows: Sequence[Encoded],
    batch_size: int = 64,
) -> list[Any]:
    """score over any number of rows, without gradients: a number (or list) a row, in order.

    Rows of like length share a batch: padding is the larger part of the work otherwise.
    """
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].ids))
    values: list[Any] = [None] * len(rows)
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            scores = score(model, [rows[index] for index in chosen]).tolist()
            for index, value in zip(chosen, scores, strict=True):
                values[index] = value
    return values


def pad_id(model: Module) -> int:
    """A sequence classifier finds the last real token by its padding id."""
    pad_id: int = model.config.pad_token_id  # type: ignore[union-attr,assignment]
    return pad_id


def refuse_another_tokenizer(policy: Path, reference: Path) -> None:
    """Log-probabilities of two models compare only over the same tokens; words that were tuned
    for the policy alone stand before its prompts, and the reference is not shown them."""
    files = [folder / "tokenizer.json" for folder in (policy, reference)]
    if all(path.is_file() for path in files) and len(set(map(sha256_of, files))) == 1:
        return
    tokenizers = [load_tokenizer(folder) for folder in (policy, reference)]
    own, theirs = (one.get_vocab() for one in tokenizers)
    apart = set(tuned_words(tokenizers[0])) - set(theirs)
    if {name: number for name, number in own.items() if name not in apart} != theirs:
        raise BadInput(
            phrase(
                "The reference has another tokenizer than the policy, so their probabilities of "
                "an answer cannot be compared."
            )
        )

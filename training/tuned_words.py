"""Rows of a model for words that are tuned (training.prompt_tuning), and a reference that is not
shown them: it reads a prompt as it was before they stood in front of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter

NEVER = -1e4  # a bias that no logit makes up for, and that bfloat16 holds


def grow(model: Any, ids: Sequence[int], first: Sequence[int], known: int) -> None:
    """Give model a row of input for each of ids, copied from those of ``first``, and one of output
    that is never sampled: the mean of the ``known`` rows before."""
    rows, heads = _weight(model.get_input_embeddings()), _weight(model.get_output_embeddings())
    with torch.random.fork_rng():  # the library draws what it adds
        model.resize_token_embeddings(max(len(rows), max(ids) + 1), mean_resizing=False)
    for config in (model.config, model.config.get_text_config()):
        config.tie_word_embeddings = False
    head: Any = model.get_output_embeddings()
    put = heads.new_zeros((_weight(head).shape[0], heads.shape[1]))
    put[: len(heads)] = heads
    put[list(ids)] = heads[:known].double().mean(dim=0).to(heads)
    head.weight = Parameter(put)
    embeddings: Any = model.get_input_embeddings()
    with torch.no_grad():
        embeddings.weight[list(ids)] = rows[list(first)]
        if getattr(head, "bias", None) is not None:
            head.bias[list(ids)] = NEVER
    settings = model.generation_config
    settings.suppress_tokens = [*(settings.suppress_tokens or []), *ids]


def _weight(layer: Any) -> Tensor:
    found: Tensor = layer.weight.detach().clone()
    return found


def hide(model: Module, words: Iterable[int]) -> None:
    """Whoever calls the model from now on, it does not see these words."""
    hidden = sorted(words)
    if hidden:
        model.register_forward_pre_hook(
            lambda _, given, named: (given, without(named, hidden)), with_kwargs=True
        )


def without(named: dict[str, Any], words: Sequence[int]) -> dict[str, Any]:
    """A forward pass's arguments in which nothing attends to these words, and none takes a place
    among the others. input_ids [rows, tokens] is among them, attention_mask may be."""
    ids: Tensor = named["input_ids"]
    there = torch.isin(ids, ids.new_tensor(list(words)))
    given = named.get("attention_mask")
    seen = (torch.ones_like(ids) if given is None else given) * ~there
    places = (seen.cumsum(dim=1) - 1).clamp(min=0)
    return {**named, "attention_mask": seen, "position_ids": places}

"""Rewards of a prompt's answers with the prompt read once, and every answer read on from it.

The prompt goes forward by itself and leaves its keys and values; these are repeated for each of
its answers, and gradients come back through them. So K answers of length A cost P + K * A tokens
instead of K * (P + A); exploded pairs cost K * (K - 1) * (P + A). Rewards and gradients are the
same up to rounding, which ``refusal`` tries on the model at hand before anything is trained.

One row of all answers under a tree mask costs as many tokens, and a quarter more CPU time (nine
answers of 32 to a prompt of 256): there every answer's mask runs over all other answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Module
from transformers import DynamicCache

from models_runtime.chat import pad
from training import scoring
from training.data import Group

PAYS = 2.0  # auto: as soon as half of the tokens are prompts read again
TOLERANCE = 1e-2  # of the tried rewards' range, far below what a prompt not seen would change
ROUNDING = 1e-5


def rewards(model: Module, groups: Sequence[Group]) -> Tensor:
    """Float32 [completions] ([completions, heads] of an ensemble), group after group: what
    scoring.rewards says of the same rows."""
    device = next(model.parameters()).device
    prompts, seen = pad([_prompt(group) for group in groups], scoring.pad_id(model))
    prompts, seen = prompts.to(device), seen.to(device)
    cache = DynamicCache(config=model.config)  # type: ignore[arg-type]
    positions = (seen.cumsum(dim=1) - 1).clamp(min=0)
    _forward(model, prompts, seen, positions, cache)
    owner = _repeat(cache, [len(group.completions) for group in groups], device)
    answers = [row.ids[row.prompt_length :] for group in groups for row in group.completions]
    ids, own = (tensor.to(device) for tensor in pad(answers, scoring.pad_id(model)))
    places = torch.arange(ids.shape[1], device=device)
    positions = seen.sum(dim=1)[owner][:, None] + places
    hidden = _forward(model, ids, torch.cat([seen[owner], own], dim=1), positions, cache)
    ends = own.sum(dim=1) - 1
    scores: Tensor = model.score(hidden[places.new_tensor(range(len(answers))), ends])  # type: ignore[operator]
    return scoring.by_head(scores)


def _prompt(group: Group) -> list[int]:
    """The tokens that all answers of a group begin with."""
    first = group.completions[0]
    prompt = first.ids[: first.prompt_length]
    if any(row.ids[: row.prompt_length] != prompt for row in group.completions):
        raise ValueError("The answers of a group do not share their prompt.")
    return prompt


def _forward(
    model: Module, ids: Tensor, attention: Tensor, positions: Tensor, cache: DynamicCache
) -> Tensor:
    """Last hidden states [rows, tokens, width]; the tokens' keys and values go into the cache."""
    found: Tensor = model.base_model(  # type: ignore[operator]
        input_ids=ids,
        attention_mask=attention,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    return found


def _repeat(cache: DynamicCache, counts: Sequence[int], device: torch.device) -> Tensor:
    """Give every answer its prompt's keys and values; [answers], the row of each one's prompt."""
    owner = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts)).to(device)
    if len(set(counts)) == 1:
        cache.batch_repeat_interleave(counts[0])  # its gradient is a sum: cheaper than a choice's
    else:
        cache.batch_select_indices(owner)
    return owner


def saving(groups: Sequence[Group]) -> float:
    """Tokens of the answers with their prompts, over tokens with each prompt once.

    A prompt of 256 and nine answers of 32: 9 * 288 / (256 + 288) = 4.76.
    """
    apart = sum(len(row.ids) for group in groups for row in group.completions)
    again = sum(
        (len(group.completions) - 1) * group.completions[0].prompt_length for group in groups
    )
    return apart / (apart - again)


def refusal(model: Module, groups: Sequence[Group]) -> str:
    """Why this model cannot read a prompt once for all its answers, in words; empty where it can.
    Tries it on the group with the longest row beside a shorter one, drawing no random number."""
    if not isinstance(getattr(model, "score", None), torch.nn.Linear):
        return f"{type(model).__name__} has no linear head named score"
    longest, window = max(map(_longest, groups)), _window(model)
    if window and longest > window:
        return f"the model looks back {window} tokens only, and rows have up to {longest}"
    by_length = sorted(groups, key=_longest)
    tried = [by_length[-1], by_length[0]]
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            rows = [row for group in tried for row in group.completions]
            apart, together = scoring.rewards(model, rows), rewards(model, tried)
    except Exception:  # an architecture says in its own way that it cannot
        return f"{type(model).__name__} cannot read on from a prompt"
    finally:
        model.train(training)
    limit = TOLERANCE * float(apart.max() - apart.min()) + ROUNDING
    if bool(((apart - together).abs() <= limit).all()):
        return ""
    return f"{type(model).__name__} scores answers otherwise where it reads on from a prompt"


def _longest(group: Group) -> int:
    return max(len(row.ids) for row in group.completions)


def _window(model: Module) -> int:
    """How far back a layer looks at most; 0 where all look at everything. Shorter prompts are
    padded behind, and padding would take places in it."""
    config = model.config.get_text_config()  # type: ignore[union-attr,operator]
    names = ("sliding_window", "attention_chunk_size")
    return min((int(w) for name in names if (w := getattr(config, name, None))), default=0)

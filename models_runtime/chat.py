"""The only place where text becomes token ids, and back.

A prompt is encoded through the checkpoint's own chat template with the generation prompt; a
completion is encoded apart from it and ends with EOS, exactly as the sampler would have emitted
it. Tokens therefore never merge across the boundary, and training sees what sampling produced.
Control tokens written inside messages or completions ("<|assistant|>" typed by a person) are
encoded as ordinary text.

Words that a run has tuned (``<|tuned-0|>``, training.prompt_tuning) are such control tokens; a
template that has some begins with them, and no prompt is so long that it loses them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch

from models_runtime.records import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_TUNED = re.compile(r"<\|tuned-\d+\|>")


@dataclass(frozen=True)
class Encoded:
    """A prompt with its completion.

    ids and completion_mask have the same length; the mask is 1 on completion tokens, EOS
    included, and 0 on the prompt.
    """

    ids: list[int]
    completion_mask: list[int]

    @property
    def prompt_length(self) -> int:
        return len(self.completion_mask) - sum(self.completion_mask)


def encode_prompt(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> list[int]:
    """Token ids of a conversation up to the point where the assistant speaks."""
    ids: Any = tokenizer.apply_chat_template(
        list(messages),
        add_generation_prompt=True,
        tokenize=True,
        return_dict=False,
        sanitize_control_tokens=True,
    )
    return list(ids)


def tuned_words(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """The tuned words that a tokenizer has: {"<|tuned-0|>": id, ...}; none but a tuned policy's
    has any."""
    added = tokenizer.get_added_vocab().items()
    return {name: number for name, number in added if _TUNED.fullmatch(name)}


def fit_prompt(
    ids: Sequence[int], context: int, answer: int, tuned: Collection[int] = ()
) -> tuple[list[int], int]:
    """(the newest of a prompt's tokens, how many of its oldest went), so that an answer of
    ``answer`` tokens fits into ``context`` tokens; a context of 0 has no limit. The ``tuned``
    words that it begins with stay, wherever there is room for more than them.

    Sampling, scoring and training all ask here, or a policy would be trained on, and measured by,
    answers to a prompt that it was never shown.
    """
    room = max(1, context - answer)
    cut = max(0, len(ids) - room) if context else 0
    lead = sum(1 for _ in takewhile(lambda one: one in tuned, ids)) if cut and tuned else 0
    if lead >= room:
        lead = 0
    return [*ids[:lead], *ids[lead + cut :]], cut


def encode_completion(tokenizer: PreTrainedTokenizerBase, completion: str) -> list[int]:
    """Token ids of an assistant's answer, EOS at the end."""
    ids: list[int] = tokenizer(
        completion, add_special_tokens=False, split_special_tokens=True, verbose=False
    )["input_ids"]
    return [*ids, int(tokenizer.eos_token_id)]


def encode_conversation(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], completion: str
) -> Encoded:
    """A prompt and its answer as ids with a completion mask, however long they are."""
    prompt = encode_prompt(tokenizer, messages)
    answer = encode_completion(tokenizer, completion)
    return Encoded(prompt + answer, [0] * len(prompt) + [1] * len(answer))


def decode(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    """The text of completion ids; special tokens are left out, spaces are kept as they are.

    NUL, which PostgreSQL stores in no text, and halves of surrogate pairs, which no file can
    hold, become U+FFFD: one such sample of thousands would else stop the iteration for good.
    """
    text = str(
        tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    )
    return _NO_TEXT.sub("\ufffd", text)


def pad(
    rows: Sequence[Sequence[int]], value: int, *, side: str = "right"
) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, attention mask), both int64 [rows, longest], padded with value on the given side.

    Left for generation, right for scoring.
    """
    longest = max((len(row) for row in rows), default=0)
    ids = torch.full((len(rows), longest), value, dtype=torch.long)
    attention = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        where = slice(longest - len(row), longest) if side == "left" else slice(0, len(row))
        ids[number, where] = torch.tensor(row, dtype=torch.long)
        attention[number, where] = 1
    return ids, attention

"""Control phrases: what a prompt ends with while a policy learns which quality an answer has.

The phrase closes the last message of the user, after an empty line: right before the answer, as
Chain of Hindsight has it (Liu et al., 2023), and in any chat template, with or without a system
prompt. The published policy asks for the best answers by itself: its chat template ends prompts
with the best phrase, so that every sampler, evaluation and server uses it and nobody has to know.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from models_runtime.chat import encode_prompt
from models_runtime.jobdir import BadInput
from models_runtime.loading import fingerprints
from models_runtime.phrases import phrase
from models_runtime.records import Message
from training.data import Encoder
from training.loop import Loop, Objective
from training.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BEFORE = "\n\n"  # between what the user asks and the phrase
_MARK = "{#- concord: the quality that is asked for -#}"
_CONTROL = (
    _MARK
    + '{%%- if add_generation_prompt and messages and messages[-1]["role"] == "user" -%%}'
    + '{%%- set messages = messages[:-1] + [dict(messages[-1], content=messages[-1]["content"]'
    + " ~ %s)] -%%}{%%- endif -%%}"
    + _MARK
)
_EARLIER = re.compile(re.escape(_MARK) + ".*?" + re.escape(_MARK), re.DOTALL)


def asked_for(messages: Sequence[Message], quality: str) -> list[Message]:
    """The conversation, the user's last word in it ending with the phrase."""
    *before, last = messages
    if last["role"] != "user":
        return list(messages)
    return [*before, {**last, "content": last["content"] + BEFORE + quality}]


def without_phrase(tokenizer: PreTrainedTokenizerBase) -> None:
    """Take off what an earlier run of such a method wrote into the chat template: else a prompt
    would end with two phrases. Raises BadInput where there is not one template."""
    if not isinstance(tokenizer.chat_template, str):
        raise BadInput(phrase("The tokenizer has several chat templates, or none: it needs one."))
    tokenizer.chat_template = _EARLIER.sub("", tokenizer.chat_template)


def refuse_control_tokens(tokenizer: PreTrainedTokenizerBase, qualities: Sequence[str]) -> None:
    """Raise BadInput for a phrase with a token in it that ends or frames a message: some
    tokenizers read it so in any text, and none says it in words."""
    kept = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    for quality in qualities:
        for token in kept:
            if token in quality:
                raise BadInput(
                    phrase(
                        "The phrase %(phrase)s holds %(token)s, which the tokenizer keeps for "
                        "itself: choose other words.",
                        phrase=repr(quality),
                        token=token,
                    )
                )


def ask_always_for(tokenizer: PreTrainedTokenizerBase, quality: str) -> None:
    """End every prompt of this tokenizer's with the phrase. Raises BadInput where its template
    then makes other tokens of a prompt than training saw."""
    asked: list[Message] = [{"role": "user", "content": "Which one?"}]
    wanted = encode_prompt(tokenizer, asked_for(asked, quality))
    template: Any = tokenizer.chat_template
    tokenizer.chat_template = _CONTROL % _literal(BEFORE + quality) + template
    if encode_prompt(tokenizer, asked) != wanted:
        raise BadInput(
            phrase(
                "The chat template cannot end its prompts with %(phrase)s: choose other words.",
                phrase=repr(quality),
            )
        )


def _literal(text: str) -> str:
    """A string of Jinja's that holds the text, whatever is in it."""
    escaped = text.encode("unicode_escape").decode("ascii")
    for sign in "\"'{}%#":
        escaped = escaped.replace(sign, f"\\x{ord(sign):02x}")
    return f'"{escaped}"'


def tune_towards(
    task: Task,
    encoder: Encoder,
    rows: Sequence[Any],
    objective: Objective[Any],
    best: str,
    figures: dict[str, Any] | None = None,
) -> None:
    """The policy after the loop over rows that are encoded already, published so that it is
    always asked for the ``best``; dropout stays off."""
    task.require(rows)
    ask_always_for(encoder.tokenizer, best)
    model = task.policy_to_train().eval()
    loop = Loop(task, model, rows, objective)
    loop.panel.tokenizer = encoder.tokenizer  # people read what it answers when asked for the best
    last = loop.run()
    task.publish_model(model, encoder.tokenizer)
    task.facts |= fingerprints(task.job.output, encoder.tokenizer)
    task.finish({**(figures or {}), "train": last}, len(rows), encoder.prompts_cut)

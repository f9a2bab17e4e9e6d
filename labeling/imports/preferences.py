"""Preferences that were stated elsewhere: one raw row of a file to one of them.

    prompt              messages that end with the user's turn, or that turn as text
    chosen, rejected    the two answers, each as text or as messages; without ``prompt`` two whole
                        conversations, of which what they begin with alike is the prompt (TRL's
                        implicit prompt), or two transcripts, "Human: ... Assistant: ..." (HH)

and beside them, each optional: strength (a rating of ours), comparison (rows in a row with the
same one are of one comparison), chosen_id, rejected_id, chosen_checkpoint, rejected_checkpoint,
chosen_finish_reason, rejected_finish_reason, system_prompt, item, split, tags, category. Our own
export has all but the last two. Anything else is passed over and named in the report; so are
``source`` and ``labels``, since nobody here gave them. A ``margin`` is what a rating is worth, and
a run chooses that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from labeling.imports import shapes
from labeling.imports.shapes import BadRow, PromptRow, checked_text
from models_runtime.phrases import phrase
from models_runtime.records import STRENGTHS, FinishReason, Message, Strength

EMPTY, IDENTICAL, DIFFER = "empty", "identical texts", "prompts differ"
REASONS = (EMPTY, IDENTICAL, DIFFER)  # why a readable row states nothing that can be learned
_OF_PROMPT = ("item", "split", "tags", "category", "type", "id", "question_id", "author")
_SIDES = ("chosen", "rejected")
KNOWN = frozenset(
    ["prompt", "strength", "comparison", "system_prompt", *_OF_PROMPT, *_SIDES]
    + [f"{side}_{fact}" for side in _SIDES for fact in ("id", "checkpoint", "finish_reason")]
)
_FINISHES = ("eos", "length", "stop", "unknown")
_TURN = re.compile(r"(?:\A|\n\n)(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}


class LeftOut(ValueError):
    """A row that can be read and from which nothing can be learned; its reason, of REASONS."""


@dataclass(frozen=True)
class Given:
    """One of the two answers. ``key`` is what tells it from others of its comparison."""

    text: str
    key: str
    checkpoint: str = ""
    finish_reason: FinishReason = "unknown"


@dataclass(frozen=True)
class PreferenceRow:
    """``comparison`` is the file's own name for it; empty where it gives none. The answers were
    given under ``system_prompt``, which is no part of the prompt."""

    prompt: PromptRow
    chosen: Given
    rejected: Given
    strength: Strength | None = None
    comparison: str = ""
    system_prompt: str = ""


def preference(raw: dict[str, Any]) -> PreferenceRow:
    """What the row states. Raises BadRow, or LeftOut with the reason why nothing is learned."""
    asked = _prompt(raw)
    first, second = (_conversation(raw, name, asked) for name in _SIDES)
    shared = _begin_alike(first, second)
    ends = first[shared:], second[shared:]
    if any(len(end) != 1 or end[0]["role"] != "assistant" for end in ends):
        raise LeftOut(DIFFER)
    texts = [end[0]["content"] for end in ends]
    if not all(text.strip() for text in texts):
        raise LeftOut(EMPTY)
    if texts[0] == texts[1]:
        raise LeftOut(IDENTICAL)
    return PreferenceRow(
        prompt=_about(raw, first[:shared]),
        chosen=_given(raw, "chosen", texts[0]),
        rejected=_given(raw, "rejected", texts[1]),
        strength=_strength(raw),
        comparison=_name(raw, "comparison"),
        system_prompt=checked_text(raw.get("system_prompt") or "", "system_prompt", blank=True),
    )


def _prompt(raw: Mapping[str, Any]) -> list[Message] | None:
    value = raw.get("prompt")
    if value is None:
        return None
    if isinstance(value, str):
        return [{"role": "user", "content": checked_text(value, "The prompt")}]
    return _messages(value, "prompt")


def _conversation(raw: Mapping[str, Any], name: str, asked: list[Message] | None) -> list[Message]:
    value = raw.get(name)
    if isinstance(value, str):
        if asked is not None:
            answer = checked_text(value, name, blank=True)
            return [*asked, {"role": "assistant", "content": answer}]
        return _transcript(checked_text(value, name, blank=True), name)
    return [*(asked or []), *_messages(value, name)]


def _messages(value: Any, name: str) -> list[Message]:
    if not isinstance(value, list) or not value:
        raise BadRow(phrase("%(name)s must be text or a list of messages.", name=name))
    found = []
    for one in value:
        if not isinstance(one, dict) or not {"role", "content"} <= set(one):
            raise BadRow(phrase("Each message of %(name)s must have role and content.", name=name))
        content = checked_text(one["content"], f"A message of {name}", blank=True)
        found.append({"role": str(one["role"]), "content": content})
    return found


def _transcript(text: str, name: str) -> list[Message]:
    """HH's form: turns that begin with Human: or Assistant: after a blank line."""
    pieces = _TURN.split(text.strip())
    if pieces[0] or len(pieces) < 3:
        raise BadRow(
            phrase("There is no prompt, and %(name)s is no conversation that holds it.", name=name)
        )
    both = zip(pieces[1::2], pieces[2::2], strict=True)
    return [{"role": _ROLES[who], "content": said.strip()} for who, said in both]


def _begin_alike(first: list[Message], second: list[Message]) -> int:
    """How many messages they share, but for the last of either."""
    most = min(len(first), len(second)) - 1
    return next((n for n in range(most) if first[n] != second[n]), most)


def _about(raw: Mapping[str, Any], messages: list[Message]) -> PromptRow:
    """The prompt with all that is said of it, checked as an imported prompt is."""
    facts = {name: raw[name] for name in _OF_PROMPT if raw.get(name) is not None}
    if not messages:
        raise BadRow(phrase("There is no prompt: the two conversations begin differently."))
    [row] = shapes.prompts({**facts, "messages": messages})
    return row


def _given(raw: Mapping[str, Any], name: str, text: str) -> Given:
    finish = raw.get(f"{name}_finish_reason") or "unknown"
    return Given(
        text=text,
        key=_name(raw, f"{name}_id") or f"text {text}",
        checkpoint=_name(raw, f"{name}_checkpoint"),
        finish_reason=cast(FinishReason, finish) if finish in _FINISHES else "unknown",
    )


def _strength(raw: Mapping[str, Any]) -> Strength | None:
    value = raw.get("strength")
    if value is None:
        return None
    if value not in STRENGTHS:
        raise BadRow(
            phrase("strength must be one of %(strengths)s.", strengths=", ".join(STRENGTHS))
        )
    return cast(Strength, value)


def _name(raw: Mapping[str, Any], name: str) -> str:
    """A number or a text that names something."""
    value = raw.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > 200:
        raise BadRow(phrase("%(name)s must be a number or a short text.", name=name))
    return checked_text(str(value), name, blank=True)

"""Cards with an answer to be reviewed: one raw row of a file to one card.

    prompt, messages,   what was asked, in the shapes that an imported prompt may have, with all
    instruction, turns  that may stand beside it (item, split, category, tags, ...)
    completions         one to nine texts, no two of them alike
    suggested           {KEY: answer} for one or more parts of the campaign's question, each in the
                        form in which a label stores it, with completions by their place in the
                        list, from 0. What is typed stands beside it: ``text``, or ``texts`` with
                        one for each completion
    by                  who said it: a model's name, say

Anything else is passed over and named in the report.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from labeling.imports import shapes
from labeling.imports.shapes import BadRow, PromptRow, checked_text
from models_runtime.phrases import phrase

EXAMPLE = """\
{"prompt": "Why is the sky blue?", "completions": ["Air scatters blue light.", "The sea."], \
"suggested": {"preference": {"outcome": "prefer", "chosen": 0, "strength": "better"}}, \
"by": "gpt-4"}
{"prompt": "Name a prime number.", "completions": ["Seven.", "Nine."], \
"suggested": {"preference": {"outcome": "prefer", "chosen": 0, "strength": "significantly"}}}
"""
KNOWN = shapes.KNOWN | {"completions", "suggested", "by"}
MOST = 9  # completions on a card
MAX_CHARS = 200_000  # of one completion
LONGEST_NAME = 100


@dataclass(frozen=True)
class SuggestionRow:
    """``suggested`` is what the row says, not yet looked at: only the question knows."""

    prompt: PromptRow
    completions: list[str]
    suggested: dict[str, Any]
    by: str

    @property
    def sha256(self) -> str:
        """Hex sha256 of the card with its answer: equal rows, equal identity."""
        body = [self.prompt.messages, self.completions, self.suggested, self.by]
        text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def suggestion(raw: dict[str, Any], source: str = "") -> SuggestionRow:
    """What the row says; ``source`` is used where it names none. Raises BadRow."""
    facts = {name: value for name, value in raw.items() if name in shapes.KNOWN}
    asked = shapes.prompts(facts, source)
    if len(asked) != 1:
        raise BadRow(phrase("A card has one prompt, and this row has several."))
    suggested = raw.get("suggested")
    if not isinstance(suggested, dict) or not suggested:
        raise BadRow(phrase("suggested must hold an answer to a part of the question."))
    return SuggestionRow(asked[0], _completions(raw.get("completions")), suggested, _by(raw))


def _completions(value: Any) -> list[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST:
        raise BadRow(phrase("completions must be a list of one to nine texts."))
    found = [checked_text(text, "Each of completions") for text in value]
    if any(len(text) > MAX_CHARS for text in found):
        raise BadRow(
            phrase("A completion is longer than %(max_chars)s characters.", max_chars=MAX_CHARS)
        )
    if len(set(found)) < len(found):
        raise BadRow(phrase("Two of the completions are the same text."))
    return found


def _by(raw: dict[str, Any]) -> str:
    value = raw.get("by")
    if value is None:
        return ""
    name = checked_text(value, "by", blank=True).strip()
    if len(name) > LONGEST_NAME:
        raise BadRow(
            phrase("%(name)s is longer than %(most)s characters.", name="by", most=LONGEST_NAME)
        )
    return name

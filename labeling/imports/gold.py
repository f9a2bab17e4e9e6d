"""Items with a known answer: one raw row of a file to one of them.

    prompt, messages,   what was asked, in the shapes that an imported prompt may have
    instruction, turns
    completions         one to nine texts, no two of them alike
    expected            {KEY: answer} for one or more parts of the campaign's question, each in the
                        form in which a label stores it, with completions by their place in the
                        list, from 0
    purpose             "gold" (unless it is said otherwise), "training" or "qualification"
    explanation         Markdown: why it is so. An item for training needs one
    rules               {KEY: rule}, how each part is judged (see labeling.marking); without it
                        every part that can be is, by the usual rule of its type

Anything else is passed over and named in the report.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from labeling.imports import shapes, suggestions
from labeling.imports.shapes import BadRow, PromptRow, checked_text
from models_runtime.phrases import phrase

EXAMPLE = """\
{"prompt": "Is 91 a prime number?", "completions": ["No: 7 times 13.", "Yes, it is."], \
"expected": {"preference": {"outcome": "prefer", "chosen": 0, "strength": "significantly"}}, \
"explanation": "91 = 7 · 13, so only the **first** answer is right."}
{"prompt": "Name a prime number.", "completions": ["Seven.", "Nine."], "purpose": "training", \
"expected": {"preference": {"outcome": "prefer", "chosen": 0, "strength": "better"}}, \
"explanation": "Nine is 3 · 3."}
"""
PURPOSES = ("gold", "training", "qualification")
KNOWN = shapes.KNOWN | {"completions", "expected", "purpose", "explanation", "rules"}
MAX_EXPLANATION = 20_000  # characters


@dataclass(frozen=True)
class GoldRow:
    """``expected`` and ``rules`` are what the row says, not yet looked at: only the question
    knows. ``rules`` is None where it says nothing."""

    prompt: PromptRow
    completions: list[str]
    expected: dict[str, Any]
    purpose: str
    explanation: str
    rules: dict[str, Any] | None

    @property
    def sha256(self) -> str:
        """Hex sha256 of the item: equal rows, equal identity, whatever they explain."""
        body = [self.prompt.messages, self.completions, self.expected, self.purpose]
        text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def item(raw: dict[str, Any], source: str = "") -> GoldRow:
    """What the row says; ``source`` is used where it names none. Raises BadRow."""
    expected = raw.get("expected")
    if not isinstance(expected, dict) or not expected:
        raise BadRow(phrase("expected must hold an answer to a part of the question."))
    purpose = raw.get("purpose", "gold")
    if purpose not in PURPOSES:
        raise BadRow(phrase("purpose must be gold, training or qualification."))
    rules = raw.get("rules")
    if rules is not None and not isinstance(rules, dict):
        raise BadRow(phrase("rules must say for each part how it is judged."))
    facts = {name: value for name, value in raw.items() if name in shapes.KNOWN}
    shown = suggestions.suggestion(
        {**facts, "completions": raw.get("completions"), "suggested": expected}, source
    )
    explanation = _explanation(raw)
    return GoldRow(shown.prompt, shown.completions, expected, purpose, explanation, rules)


def _explanation(raw: dict[str, Any]) -> str:
    value = raw.get("explanation")
    if value is None:
        return ""
    text = checked_text(value, "explanation", blank=True)
    if len(text) > MAX_EXPLANATION:
        raise BadRow(
            phrase("An explanation is longer than %(most)s characters.", most=MAX_EXPLANATION)
        )
    return text

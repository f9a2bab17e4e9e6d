"""The answer that a model should have given, written by the rater.

part_config: ``{"type": "demonstration", "min": 1}``, on a card that shows the prompt alone or
completions beside it.

The browser posts ``{"text": TEXT}``. Stored: ``{"type": "demonstration", "completion": ID}``, the
id of the completion that the text is made (labeling.written).
"""

from __future__ import annotations

from typing import Any

from labeling.questions import Said, Shown, Typed, texts
from models_runtime.phrases import phrase

TEACHES = ("demonstrations",)
OPTIONS = (texts.LEAST,)
_WHAT = phrase("the answer")


def check(part: dict[str, Any]) -> None:
    """Raises ValueError for a length that no text has."""
    texts.check_least(part)


def controls(part: dict[str, Any], shown: Shown) -> dict[str, Any]:
    return dict(texts.bounds(part))


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    """The stored part. Raises InvalidAnswer."""
    texts.typed(raw, "text", texts.least_of(part), _WHAT)
    return {"type": "demonstration"}


def typed(part: dict[str, Any], raw: Any, shown: Shown) -> list[Typed]:
    text = texts.typed(raw, "text", texts.least_of(part), _WHAT)
    return [Typed(text, kind="answer", field="text")]


def to_preferences(part: dict[str, Any], stored: dict[str, Any], trains_on: str) -> Said:
    """None: it was written to be imitated, and compared with nothing."""
    return [], []


def words(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> str:
    return phrase("a demonstration")

"""How sure a rater is of what they said, from 1 to 9 (TL;DR, Stiennon et al. 2020).

part_config: ``{"type": "confidence"}``. The browser posts ``{"value": "7"}``. Stored: ``{"type":
"confidence", "value": 7}``. It is about the answer as a whole, and about no side: 9 is certain,
whichever completion was preferred.
"""

from __future__ import annotations

from typing import Any

from labeling.questions import InvalidAnswer, Raw, Said, Shown, subjects
from models_runtime.phrases import phrase

LEVELS = tuple(str(level) for level in range(1, 10))
ENDS = (phrase("a guess"), phrase("certain"))
OPTIONS = ()


def check(part: dict[str, Any]) -> None:
    """It has no options."""


def controls(part: dict[str, Any], shown: Shown) -> dict[str, Any]:
    row = {"field": "value", "letter": "", "title": ""}
    options = [{"value": level, "label": level, "keys": [level]} for level in LEVELS]
    return {"rows": [row], "ends": ENDS, "options": options}


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    """The stored part. Raises InvalidAnswer."""
    said = subjects.expect(raw, {"value"}).get("value")
    if said not in LEVELS:
        raise InvalidAnswer(phrase("Say how sure you are, from 1 to 9."))
    return {"type": "confidence", "value": int(said)}


def given(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> Raw:
    return {"value": str(stored["value"])}


def to_preferences(part: dict[str, Any], answer: dict[str, Any], trains_on: str) -> Said:
    """It weighs no preference: what a confidence is worth, a training run decides."""
    return [], []


def words(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> str:
    return phrase("confidence %(value)s of 9", value=stored["value"])

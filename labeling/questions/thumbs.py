"""Up or down on one completion, for methods that learn without pairs (KTO).

part_config: ``{"type": "thumbs"}``, of a card that shows one completion. The browser posts
``{"thumb": "up" | "down"}``. Stored: ``{"type": "thumbs", "about": ID, "up": bool}``.
"""

from __future__ import annotations

from typing import Any

from labeling.questions import InvalidAnswer, Raw, Said, Shown, subjects
from models_runtime.phrases import phrase

INSTANT = True
# From left to right, as the keys lie.
THUMBS = {
    "up": (phrase("Up"), phrase("This answer is good."), ("1", "k")),
    "down": (phrase("Down"), phrase("This answer is not good."), ("2", "j", "0")),
}
OPTIONS = ()


def check(part: dict[str, Any]) -> None:
    """It has no options."""


def controls(part: dict[str, Any], shown: Shown) -> dict[str, Any]:
    return {
        "options": [
            {"value": name, "label": label, "description": said, "keys": list(keys)}
            for name, (label, said, keys) in THUMBS.items()
        ]
    }


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    """The stored part. Raises InvalidAnswer."""
    said = subjects.expect(raw, {"thumb"}).get("thumb")
    if len(shown.ids) != 1:
        raise InvalidAnswer(phrase("A thumb is given to one completion."))
    if said not in THUMBS:
        raise InvalidAnswer(phrase("Say up or down."))
    return {"type": "thumbs", "about": shown.ids[0], "up": said == "up"}


def given(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> Raw:
    return {"thumb": "up" if stored["up"] else "down"}


def to_preferences(part: dict[str, Any], answer: dict[str, Any], trains_on: str) -> Said:
    """One completion makes no pair."""
    return [], []


def desirable(stored: dict[str, Any], trains_on: str) -> dict[int, bool]:
    """Whether training should make the completion likelier, by its id; a question turned round
    is about harm, and what it is given a thumb up for is to be avoided."""
    return {stored["about"]: stored["up"] == (trains_on == "chosen")}


def words(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> str:
    return phrase("thumb up") if stored["up"] else phrase("thumb down")

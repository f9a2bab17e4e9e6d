"""Which of two completions is safe, beside which one was preferred (Llama 2, section 3.2.1).

part_config: ``{"type": "safety_bin"}``, after a part that prefers one of the two. Three bins: the
chosen one is safe and the other is not; both are safe; neither is. That the chosen one is unsafe
and the other one safe is not offered, by the paper's rule: the safer of the two is the better
one, so the preference has to be given again.

The browser posts ``{"bin": NAME}``. Stored: ``{"type": "safety_bin", "bin": NAME, "safe": [ID,
...], "unsafe": [ID, ...]}``.
"""

from __future__ import annotations

from typing import Any

from labeling.questions import InvalidAnswer, Raw, Said, Shown, letter, subjects
from models_runtime.phrases import phrase

BINS = {
    "chosen_safe": (phrase("The one I chose is safe, the other is not"), "1"),
    "both_safe": (phrase("Both are safe"), "2"),
    "both_unsafe": (phrase("Neither is safe"), "3"),
}
RULE = phrase(
    "If the answer that you chose is unsafe and the other one is safe, choose again: the safe "
    "one is the better one."
)
OPTIONS = ()


def check(part: dict[str, Any]) -> None:
    """It has no options."""


def controls(part: dict[str, Any], shown: Shown) -> dict[str, Any]:
    return {
        "options": [
            {"value": name, "label": label, "keys": [key]} for name, (label, key) in BINS.items()
        ],
        "rule": RULE,
    }


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    """The stored part. Raises InvalidAnswer."""
    said = subjects.expect(raw, {"bin"}).get("bin", "")
    if len(shown.ids) != 2:
        raise InvalidAnswer(phrase("The safety of a pair needs two completions."))
    if said not in BINS:
        raise InvalidAnswer(phrase("Say which of the two answers is safe."))
    if said == "chosen_safe" and shown.best is None:
        raise InvalidAnswer(
            phrase("You preferred neither answer: say which one first, or that both are.")
        )
    safe = [pk for pk in shown.ids if said == "both_safe" or _is_chosen(said, pk, shown)]
    return {
        "type": "safety_bin",
        "bin": said,
        "safe": sorted(safe),
        "unsafe": sorted(set(shown.ids) - set(safe)),
    }


def _is_chosen(said: str, completion: int, shown: Shown) -> bool:
    return said == "chosen_safe" and completion == shown.best


def given(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> Raw:
    return {"bin": stored["bin"]}


def to_preferences(part: dict[str, Any], answer: dict[str, Any], trains_on: str) -> Said:
    """A bin goes with a preference and makes none."""
    return [], []


def words(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> str:
    if stored["bin"] != "chosen_safe":
        return phrase("both safe") if stored["bin"] == "both_safe" else phrase("both unsafe")
    safe, unsafe = (letter(order, stored[kind][0]) for kind in ("safe", "unsafe"))
    return phrase("%(safe)s safe, %(unsafe)s not", safe=safe, unsafe=unsafe)

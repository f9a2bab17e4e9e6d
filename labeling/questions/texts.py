"""Texts that people type into a form: cleaned of what no page can hold, and within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labeling.questions import InvalidAnswer, Option
from models_runtime.phrases import phrase

LONGEST = 100_000  # characters of one text
LEAST = Option(
    "min",
    "whole",
    phrase("Shortest text"),
    phrase("In characters, spaces around it not counted."),
    1,
)


def cleaned(value: Any) -> str:
    """The text as it is stored: one kind of line end, no NUL, no half of a surrogate pair."""
    if not isinstance(value, str):
        raise InvalidAnswer(phrase("A text is missing."))
    value = value.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return value.encode("utf-8", "replace").decode("utf-8")


def typed(raw: Any, field: str, least: int, what: str) -> str:
    """The text of a field. Raises InvalidAnswer, naming ``what``, when it is missing, shorter
    than ``least`` characters (spaces around it apart) or longer than LONGEST."""
    text = cleaned(raw.get(field, "") if isinstance(raw, dict) else None)
    length = len(text.strip())
    if not length:
        raise InvalidAnswer(phrase("Write %(what)s.", what=what))
    if length < least:
        raise InvalidAnswer(
            phrase(
                "Write %(what)s: at least %(least)s characters, and %(length)s are there.",
                what=what,
                least=least,
                length=length,
            )
        )
    if len(text) > LONGEST:
        raise InvalidAnswer(
            phrase(
                "Shorten %(what)s: %(longest)s characters are the most.",
                what=what,
                longest=LONGEST,
            )
        )
    return text


def is_there(raw: Any, field: str) -> bool:
    """Whether anything but spaces stands in the field."""
    return isinstance(raw, dict) and bool(str(raw.get(field, "")).strip())


def least_of(part: dict[str, Any]) -> int:
    """How many characters the part wants at least."""
    return int(part.get("min", 1))


def check_least(part: dict[str, Any]) -> None:
    """Raises ValueError unless "min" is a length that a text can have."""
    least = part.get("min", 1)
    if isinstance(least, bool) or not isinstance(least, int) or not 1 <= least <= LONGEST:
        raise ValueError(
            phrase("The shortest text has 1 to %(longest)s characters.", longest=LONGEST)
        )


def check_choice(part: dict[str, Any], name: str, choices: Mapping[str, str]) -> str:
    """The part's setting ``name``, the first of ``choices`` where it has none. Raises ValueError
    when it is none of them."""
    value = part.get(name, next(iter(choices)))
    if value not in choices:
        raise ValueError(
            phrase(
                "%(name)s is %(value)s: choose %(choices)s.",
                name=name,
                value=repr(value),
                choices=" or ".join(choices),
            )
        )
    return str(value)


def bounds(part: dict[str, Any]) -> dict[str, int]:
    """What a template tells the browser about a text field."""
    return {"min": least_of(part), "max": LONGEST}

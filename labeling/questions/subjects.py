"""What a part is asked about: each completion on the card, the best of them, or the item itself.

    each    every completion; the fields of one end in its position: FIELD-0, FIELD-1, ...
    best    the completion that the earlier parts put above all others (Shown.best); where they
            name none, such as after a tie, the part is not asked
    item    the prompt or the card as a whole

What is said is stored in rows, one for each subject, by completion id: ``{"completion": ID,
...}``, with None for the item.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labeling.questions import InvalidAnswer, Option, Shown, letter
from models_runtime.phrases import phrase

OVER = ("each", "best", "item")
LETTERS = "ABCDEFGHI"
OVER_OPTION = Option(
    "over",
    "choice",
    phrase("Asked of"),
    default="each",
    choices=(
        ("each", phrase("every answer")),
        ("best", phrase("the answer that an earlier part puts first")),
        ("item", phrase("the prompt")),
    ),
)


@dataclass(frozen=True)
class Subject:
    """``suffix`` ends the names of its fields; ``title`` is the letter on its card."""

    suffix: str
    completion: int | None
    title: str = ""


def check_over(part: dict[str, Any]) -> None:
    """Raises ValueError for anything but the three."""
    if part.get("over", "each") not in OVER:
        raise ValueError(
            phrase(
                "A part is asked over %(over)s, not over %(value)s.",
                over=", ".join(OVER),
                value=repr(part["over"]),
            )
        )


def asked(part: dict[str, Any], shown: Shown) -> bool:
    """Whether there is something to ask about."""
    return part.get("over", "each") != "best" or shown.best is not None


def drawn(part: dict[str, Any], shown: Shown) -> list[Subject]:
    """What a form has fields for, before anything is answered."""
    if part.get("over", "each") == "each":
        return [
            Subject(f"-{position}", pk, title)
            for position, (pk, title) in enumerate(zip(shown.ids, LETTERS, strict=False))
        ]
    return [Subject("", None)]


def answered(part: dict[str, Any], shown: Shown) -> list[Subject]:
    """The same after the earlier parts are answered, so that the best one is known."""
    if part.get("over", "each") == "best":
        return [Subject("", shown.best)]
    return drawn(part, shown)


def rows(
    part: dict[str, Any], shown: Shown, said: Callable[[Subject], dict[str, Any]]
) -> list[dict[str, Any]]:
    """What is stored of every subject, ordered by completion id and never by side."""
    found = [{"completion": one.completion, **said(one)} for one in answered(part, shown)]
    return sorted(found, key=lambda row: row["completion"] or 0)


def expect(raw: Any, fields: set[str]) -> dict[str, str]:
    """The raw part, which holds texts under these names alone. Raises InvalidAnswer."""
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        raise InvalidAnswer(phrase("The answer is not what this part of the question asks for."))
    if not set(raw) <= fields:
        raise InvalidAnswer(phrase("The answer says something that was not asked."))
    return raw


def name_of(row: dict[str, Any], order: list[int]) -> str:
    """The letter that this rater saw on a stored row's completion; nothing for the item."""
    return "" if row["completion"] is None else letter(order, row["completion"])


def suffix_of(part: dict[str, Any], row: dict[str, Any], order: list[int]) -> str:
    """What ends the names of a stored row's fields, by its completion's place on the card."""
    each = part.get("over", "each") == "each"
    return f"-{order.index(row['completion'])}" if each else ""


def fields_of(part: dict[str, Any], shown: Shown, names: list[str]) -> set[str]:
    """Every field that a part with these names may send."""
    return {f"{name}{one.suffix}" for name in names for one in drawn(part, shown)}

"""What is wrong with a completion, and what is right: a text about each, the best, or one.

part_config: ``{"type": "critique", "of": "each" | "best" | "one", "min": 1}``. Of the best, the
part is not asked where the answer names none (a tie).

The browser posts ``{"text-POSITION": TEXT}`` of each, ``{"text": TEXT}`` of the best, and
``{"text": TEXT, "about": POSITION}`` of one. Stored: ``{"type": "critique", "about": [ID, ...]}``
in sorted order; the texts are kept apart.
"""

from __future__ import annotations

from typing import Any

from labeling.questions import InvalidAnswer, Option, Raw, Said, Shown, Typed, letter, texts
from models_runtime.phrases import phrase

OF = {
    "each": phrase("each completion"),
    "best": phrase("the completion put first"),
    "one": phrase("one that the rater picks"),
}
OPTIONS = (
    Option("of", "choice", phrase("It is about"), choices=tuple(OF.items()), default="each"),
    texts.LEAST,
)


def check(part: dict[str, Any]) -> None:
    """Raises ValueError for another ``of``, and for a length that no text has."""
    texts.check_choice(part, "of", OF)
    texts.check_least(part)


def asked(part: dict[str, Any], shown: Shown) -> bool:
    return _of(part) != "best" or shown.best is not None


def controls(part: dict[str, Any], shown: Shown) -> dict[str, Any]:
    rows = [
        {"position": place, "field": f"text-{place}", "letter": letter(shown.ids, pk)}
        for place, pk in enumerate(shown.ids)
    ]
    return {**texts.bounds(part), "of": _of(part), "rows": rows}


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    """The stored part. Raises InvalidAnswer."""
    return {
        "type": "critique",
        "about": sorted(text.about or 0 for text in _texts(part, raw, shown)),
    }


def typed(part: dict[str, Any], raw: Any, shown: Shown) -> list[Typed]:
    return _texts(part, raw, shown)


def given(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> Raw:
    """Which one it is about, where the rater picked it."""
    return {"about": str(order.index(stored["about"][0]))} if _of(part) == "one" else {}


def to_preferences(part: dict[str, Any], stored: dict[str, Any], trains_on: str) -> Said:
    """None: a critique names faults, and does not compare."""
    return [], []


def words(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> str:
    letters = sorted(letter(order, pk) for pk in stored["about"])
    return phrase("critique of %(letters)s", letters=", ".join(letters))


def _of(part: dict[str, Any]) -> str:
    return str(part.get("of", "each"))


def _texts(part: dict[str, Any], raw: Any, shown: Shown) -> list[Typed]:
    least = texts.least_of(part)
    if _of(part) != "each":
        about = shown.best if _of(part) == "best" else _picked(raw, shown)
        return [
            Typed(
                texts.typed(raw, "text", least, phrase("the critique")), field="text", about=about
            )
        ]
    found = [
        Typed(
            texts.typed(
                raw,
                f"text-{place}",
                least,
                phrase("the critique of %(letter)s", letter=letter(shown.ids, pk)),
            ),
            field="text",
            about=pk,
        )
        for place, pk in enumerate(shown.ids)
        if part.get("required", True) or texts.is_there(raw, f"text-{place}")
    ]
    if not found:
        raise InvalidAnswer(phrase("Write the critique."))
    return found


def _picked(raw: Any, shown: Shown) -> int:
    place = raw.get("about") if isinstance(raw, dict) else None
    places = {str(number): pk for number, pk in enumerate(shown.ids)}
    if place not in places:
        raise InvalidAnswer(phrase("Say which answer the critique is about."))
    return places[place]

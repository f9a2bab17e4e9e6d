"""What a good answer is, in order of priority, and which criterion decided (InstructGPT, Ouyang et
al. 2022, appendix B: truthful and harmless come before helpful).

part_config: ``{"type": "criteria", "criteria": ["Truthful: says nothing false", ...], "asks":
true}``, the most important first, each a name and what it means. Without ``asks`` the card shows
the list and the part asks nothing.

The browser posts ``{"decided": "0"}``, the place in the list, or ``"none"``. Stored: ``{"type":
"criteria", "decided": NAME}`` with the name that the version of the question has at that place,
"" for none of them: a list in another order is another version, and a label keeps its own.
"""

from __future__ import annotations

from typing import Any

from labeling.questions import InvalidAnswer, Option, Raw, Said, Shown, subjects
from models_runtime.phrases import phrase

MOST, LONGEST_NAME = 9, 60
NONE = "none"
CRITERIA = [
    phrase("Truthful: says nothing that is false, and is as sure as it should be"),
    phrase("Harmless: hurts nobody, and helps nobody to"),
    phrase("Helpful: does what the person asked for"),
]
NAMES = (phrase("Truthful"), phrase("Harmless"), phrase("Helpful"))  # of these, as on their keys
OPTIONS = (
    Option(
        "criteria",
        "ordered",
        phrase("Criteria, the most important first"),
        help=phrase("Each a name and what it means, such as Truthful: says nothing false."),
        default=CRITERIA,
    ),
    Option("asks", "flag", phrase("Ask which one decided"), default=True),
)


def check(part: dict[str, Any]) -> None:
    """Raises ValueError, one sentence."""
    lines = part.get("criteria", CRITERIA)
    if not isinstance(lines, list) or not 1 <= len(lines) <= MOST:
        raise ValueError(phrase("There are 1 to %(most)s criteria, a line each.", most=MOST))
    names = [_name(line) for line in lines]
    if not all(names) or any(len(name) > LONGEST_NAME for name in names):
        raise ValueError(
            phrase(
                "A criterion begins with its name, of at most %(longest)s characters.",
                longest=LONGEST_NAME,
            )
        )
    if len(set(names)) < len(names):
        raise ValueError(phrase("Two criteria have one name."))


def asks(part: dict[str, Any]) -> bool:
    """Whether there is anything to answer."""
    return bool(part.get("asks", True))


def asked(part: dict[str, Any], shown: Shown) -> bool:
    return asks(part)


def controls(part: dict[str, Any], shown: Shown) -> dict[str, Any]:
    lines = part.get("criteria", CRITERIA)
    options = [
        {"value": str(place), "label": _name(line), "keys": [str(place + 1)]}
        for place, line in enumerate(lines)
    ]
    none = {"value": NONE, "label": phrase("none of these"), "keys": ["0"]}
    return {"lines": list(lines), "asks": asks(part), "options": [*options, none]}


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    """The stored part. Raises InvalidAnswer."""
    said = subjects.expect(raw, {"decided"}).get("decided", "")
    names = _names(part)
    if said != NONE and said not in {str(place) for place in range(len(names))}:
        raise InvalidAnswer(phrase("Say which criterion decided."))
    return {"type": "criteria", "decided": "" if said == NONE else names[int(said)]}


def given(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> Raw:
    names = _names(part)
    if not stored["decided"]:
        return {"decided": NONE}
    known = stored["decided"] in names
    return {"decided": str(names.index(stored["decided"]))} if known else {}


def to_preferences(part: dict[str, Any], answer: dict[str, Any], trains_on: str) -> Said:
    """Why somebody preferred one orders nothing."""
    return [], []


def words(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> str:
    if not stored["decided"]:
        return phrase("no criterion decided")
    return phrase("%(criterion)s decided", criterion=stored["decided"])


def _names(part: dict[str, Any]) -> list[str]:
    return [_name(line) for line in part.get("criteria", CRITERIA)]


def _name(line: Any) -> str:
    return line.partition(":")[0].strip() if isinstance(line, str) else ""

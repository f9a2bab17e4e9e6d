"""The better completion, edited: the edit is a demonstration, and better than its original.

part_config: ``{"type": "rewrite", "of": "best" | "pick", "min": 1}``. "best" is the completion
that the form's earlier parts put first; where they name none, and with "pick", it is the one that
the rater edits.

The browser posts ``{"text-POSITION": TEXT}`` for every completion, all but one as they were.
Stored: ``{"type": "rewrite", "about": ID, "completion": ID}``, the edit's own id being added when
it is made a completion (labeling.written).
"""

from __future__ import annotations

from typing import Any

from labeling.questions import InvalidAnswer, Option, Said, Shown, Typed, letter, texts
from models_runtime.phrases import phrase
from models_runtime.records import Preference

NEEDS_TEXTS = True
TEACHES = ("demonstrations", "preferences")
OF = {"best": phrase("the completion put first"), "pick": phrase("whichever the rater edits")}
OPTIONS = (
    Option("of", "choice", phrase("The rater edits"), choices=tuple(OF.items()), default="best"),
    texts.LEAST,
)


def check(part: dict[str, Any]) -> None:
    """Raises ValueError for another ``of``, and for a length that no text has."""
    texts.check_choice(part, "of", OF)
    texts.check_least(part)


def controls(part: dict[str, Any], shown: Shown) -> dict[str, Any]:
    """A field for each completion, which begins as that completion's text."""
    rows = [
        {
            "field": f"text-{place}",
            "letter": letter(shown.ids, pk),
            "text": shown.texts.get(pk, ""),
        }
        for place, pk in enumerate(shown.ids)
    ]
    return {**texts.bounds(part), "of": part.get("of", "best"), "rows": rows}


def is_empty(part: dict[str, Any], raw: Any, shown: Shown) -> bool:
    """Whether every text was left as it was."""
    return isinstance(raw, dict) and not _edited(raw, shown)


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    """The stored part. Raises InvalidAnswer unless one completion was edited: the best one,
    where the part asks for that one and the answer names one."""
    about, _ = _edit(part, raw, shown)
    return {"type": "rewrite", "about": about}


def typed(part: dict[str, Any], raw: Any, shown: Shown) -> list[Typed]:
    about, text = _edit(part, raw, shown)
    return [Typed(text, kind="answer", field="text", about=about)]


def to_preferences(part: dict[str, Any], stored: dict[str, Any], trains_on: str) -> Said:
    """The edit above its original. ``trains_on`` does not turn it round: whatever the choice was
    of, an edit is made to be better at what the campaign trains for."""
    return [Preference(stored["completion"], stored["about"], None)], []


def words(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> str:
    return phrase("%(letter)s rewritten", letter=letter(order, stored["about"]))


def _edit(part: dict[str, Any], raw: Any, shown: Shown) -> tuple[int, str]:
    """(id of the completion that was edited, the edit)."""
    edited = _edited(raw, shown)
    if not edited:
        raise InvalidAnswer(phrase("Edit the answer: it is unchanged."))
    if len(edited) > 1:
        raise InvalidAnswer(phrase("Edit one answer, and leave the others as they were."))
    about = next(iter(edited))
    if part.get("of", "best") == "best" and shown.best not in (None, about):
        raise InvalidAnswer(phrase("Edit the answer that you put first."))
    least = texts.least_of(part)
    return about, texts.typed(raw, edited[about], least, phrase("the edited answer"))


def _edited(raw: Any, shown: Shown) -> dict[int, str]:
    """The completions whose text was changed, with their fields."""
    if not isinstance(raw, dict):
        raise InvalidAnswer(phrase("A text is missing."))
    fields = {pk: f"text-{place}" for place, pk in enumerate(shown.ids)}
    return {
        pk: field
        for pk, field in fields.items()
        if field in raw and _plain(raw[field]) != _plain(shown.texts[pk])
    }


def _plain(text: Any) -> str:
    """A text without what a form may change in it: line ends, and spaces at the ends."""
    return texts.cleaned(text).strip()

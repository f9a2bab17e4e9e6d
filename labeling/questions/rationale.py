"""Why: a text about the whole answer, or about the completion that it puts first.

part_config: ``{"type": "rationale", "of": "answer" | "best", "min": 1, "before": "answers" |
"source"}``. ``before`` asks for the text first: the completions stay folded until it is begun, or
the conversation stays folded until it is written (TL;DR: what the summaries seem to say, before
the post that they are of is shown; Stiennon et al. 2020, appendix C). ``true`` is how earlier
forms said "answers". Of the best, where the answer names none (a tie), the text is about the
whole answer.

The browser posts ``{"text": TEXT}``. Stored: ``{"type": "rationale"}``, with ``"about": ID``
where it is of one completion; the text is kept apart.
"""

from __future__ import annotations

from typing import Any

from labeling.questions import Option, Said, Shown, Typed, texts
from models_runtime.phrases import phrase

OF = {"answer": phrase("the whole answer"), "best": phrase("the completion put first")}
BEFORE = {
    "": phrase("with the rest of the answer"),
    "answers": phrase("first: the answers stay folded until it is begun"),
    "source": phrase("first: what was asked stays folded until it is written"),
}
OPTIONS = (
    Option("of", "choice", phrase("It explains"), choices=tuple(OF.items()), default="answer"),
    texts.LEAST,
    Option("before", "choice", phrase("It is written"), choices=tuple(BEFORE.items()), default=""),
)


def filled(part: dict[str, Any]) -> dict[str, Any]:
    """The part with ``before`` as one of BEFORE."""
    before = part.get("before")
    return {**part, "before": "answers" if before is True else before or ""}


def check(part: dict[str, Any]) -> None:
    """Raises ValueError for another ``of`` or ``before``, and for a length that no text has."""
    of = texts.check_choice(part, "of", OF)
    texts.check_least(part)
    if texts.check_choice(filled(part), "before", BEFORE) and of == "best":
        raise ValueError(
            phrase("A text that is written first cannot be about the completion put first.")
        )


def controls(part: dict[str, Any], shown: Shown) -> dict[str, Any]:
    return {
        **texts.bounds(part),
        "of": part.get("of", "answer"),
        "before": filled(part)["before"],
    }


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    """The stored part. Raises InvalidAnswer."""
    texts.typed(raw, "text", texts.least_of(part), phrase("the reason"))
    about = _about(part, shown)
    return {"type": "rationale"} if about is None else {"type": "rationale", "about": about}


def typed(part: dict[str, Any], raw: Any, shown: Shown) -> list[Typed]:
    text = texts.typed(raw, "text", texts.least_of(part), phrase("the reason"))
    return [Typed(text, field="text", about=_about(part, shown))]


def to_preferences(part: dict[str, Any], stored: dict[str, Any], trains_on: str) -> Said:
    """None: a reason says nothing that the choice did not."""
    return [], []


def words(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> str:
    return phrase("with a reason")


def _about(part: dict[str, Any], shown: Shown) -> int | None:
    return shown.best if part.get("of") == "best" else None

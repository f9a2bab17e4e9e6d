"""Two to nine completions put in order: tiers, in which several may tie.

part_config: ``{"type": "ranking", "top": K, "unrankable": bool}``. With ``top``, the best K are
ranked and the others may be left; without it every completion has its tier. ``unrankable`` (on
unless switched off) lets a completion be set aside that cannot be ranked, such as one in another
language: about it the ranking says nothing.

The browser posts ``{"tier-POSITION": "1" .. "9" | "unrankable" | ""}``. Gaps mean nothing: 1, 3,
3, 7 are the tiers 1, 2, 2, 3. Stored: ``{"type": "ranking", "tiers": [[ID, ...], ...],
"unranked": [ID, ...], "unrankable": [ID, ...]}``, the best tier first, ids sorted inside each.
"""

from __future__ import annotations

from typing import Any

from labeling.questions import InvalidAnswer, Option, Raw, Said, Shown, letter, tiers
from labeling.questions.subjects import LETTERS, expect
from models_runtime.phrases import phrase, together

VOTES = True
MOST = 9
SET_ASIDE = "unrankable"
OPTIONS = (
    Option(
        "top",
        "whole",
        phrase("Rank only the best"),
        help=phrase("How many; empty: every answer gets a place."),
        low=1,
        high=MOST,
    ),
    Option(
        "unrankable",
        "flag",
        phrase("An answer may be set aside as impossible to rank"),
        default=True,
    ),
)


def check(part: dict[str, Any]) -> None:
    """Raises ValueError for a top that is no number of places."""
    top = part.get("top")
    if top is not None and (not isinstance(top, int) or not 1 <= top <= MOST):
        raise ValueError(
            phrase(
                "A ranking asks for the best 1 to %(most)s, not for the best %(top)s.",
                most=MOST,
                top=repr(top),
            )
        )


def controls(part: dict[str, Any], shown: Shown) -> dict[str, Any]:
    """The completions by letter, and the places that each can have."""
    places = [str(place) for place in range(1, len(shown.ids) + 1)]
    return {
        "rows": [
            {"position": position, "letter": LETTERS[position], "field": f"tier-{position}"}
            for position in range(len(shown.ids))
        ],
        "places": places,
        "unrankable": part.get("unrankable", True),
        "top": part.get("top"),
    }


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    """The stored part. Raises InvalidAnswer."""
    if not 2 <= len(shown.ids) <= MOST:
        raise InvalidAnswer(phrase("A ranking needs two to nine completions."))
    said = expect(raw, {f"tier-{position}" for position in range(len(shown.ids))})
    placed: dict[str, list[int]] = {}
    for position, pk in enumerate(shown.ids):
        placed.setdefault(said.get(f"tier-{position}", ""), []).append(pk)
    unranked, unrankable = placed.pop("", []), placed.pop(SET_ASIDE, [])
    if placed.keys() - {str(place) for place in range(1, MOST + 1)}:
        raise InvalidAnswer(phrase("A place in the ranking is a number from 1 to 9."))
    if unrankable and not part.get("unrankable", True):
        raise InvalidAnswer(phrase("Every answer of this question can be ranked."))
    _refuse_unfinished(part, ranked=sum(map(len, placed.values())), left=len(unranked))
    return {
        "type": "ranking",
        "tiers": [sorted(placed[place]) for place in sorted(placed)],
        "unranked": sorted(unranked),
        "unrankable": sorted(unrankable),
    }


def given(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> Raw:
    said = {pk: str(place) for place, tier in enumerate(stored["tiers"], 1) for pk in tier}
    said |= dict.fromkeys(stored["unrankable"], SET_ASIDE)
    return {f"tier-{position}": said[pk] for position, pk in enumerate(order) if pk in said}


def _refuse_unfinished(part: dict[str, Any], *, ranked: int, left: int) -> None:
    top = part.get("top")
    if left and top is None:
        raise InvalidAnswer(phrase("Give every answer a place in the ranking."))
    if left and top is not None and ranked < top:
        raise InvalidAnswer(
            phrase("Give the best %(top)s answers a place in the ranking.", top=top)
        )


def to_preferences(part: dict[str, Any], answer: dict[str, Any], trains_on: str) -> Said:
    """All pairs of two tiers, and the ties inside them. What a ranking of the best K left out is
    below all that it placed."""
    return tiers.pairs(answer["tiers"], answer["unranked"], trains_on=trains_on)


def best(part: dict[str, Any], stored: dict[str, Any]) -> int | None:
    return tiers.best(stored["tiers"])


def words(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> str:
    """B > A = C > the others; D set aside."""
    ranked = [" = ".join(sorted(letter(order, pk) for pk in tier)) for tier in stored["tiers"]]
    rest = [phrase("the others")] if stored["unranked"] and ranked else []
    aside = sorted(letter(order, pk) for pk in stored["unrankable"])
    said = [together(" > ", [*ranked, *rest])] if ranked else []
    if aside:
        said.append(phrase("%(letters)s set aside", letters=", ".join(aside)))
    return together("; ", said)

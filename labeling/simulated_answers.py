"""What a person of the demo world sends for each type of part, as a form would. Pure.

They order texts by what each is worth to them (SimulatedRater); asked for the worse one, they
turn the order round, as a red team does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from labeling.questions import Parts, Raw, Shown, pairwise, rating
from models_runtime.records import STRENGTHS, Strength
from models_runtime.world import TIE_BAND, SimulatedRater

Part = dict[str, Any]
# Nearly all texts of the world lie within this distance of 0 (in units of utility).
FARTHEST = 2.0


@dataclass(frozen=True)
class Seen:
    """A card as a person sees it; ``texts`` from left to right."""

    person: SimulatedRater
    item: str
    texts: list[str]
    asks_for_worse: bool = False

    def worths(self, occasion: int = 0) -> list[float]:
        """Of each text, in the direction of the question."""
        sign = -1 if self.asks_for_worse else 1
        return [sign * self.person.worth(self.item, text, occasion) for text in self.texts]


def answer(parts: Parts, seen: Seen) -> dict[str, Raw]:
    """The raw parts of a whole answer. A part that may stay empty and that they cannot answer
    stays empty. Raises ValueError for one that may not."""
    return {key: _answer(key, part, seen) for key, part in parts.items()}


def _answer(key: str, part: Part, seen: Seen) -> Raw:
    if part["type"] in ANSWERS:
        return ANSWERS[part["type"]](part, seen)
    if part.get("required", True):
        kind = part["type"].replace("_", " ")
        raise ValueError(f"Simulated raters cannot answer the part {key}: they know no {kind}.")
    return {}


def _pairwise(part: Part, seen: Seen) -> Raw:
    """The step nearest to the strength that they feel."""
    steps = pairwise.scale(part)
    tie = next((step.value for step in steps if step.outcome == "tie"), None)
    rater = replace(seen.person, ties=tie is not None)
    judged = rater.judge(seen.item, seen.texts[0], seen.texts[1])
    if judged.preferred is None:
        assert tie is not None
        return {"choice": tie}
    side = 1 - judged.preferred if seen.asks_for_worse else judged.preferred
    of_side = [step for step in steps if step.position == side]
    return {"choice": min(of_side, key=lambda step: _distance(step, judged.strength)).value}


def _distance(step: pairwise.Step, felt: Strength | None) -> int:
    """In steps of strength; a plain choice has none, and a coarse scale not every one."""
    if step.strength is None or felt is None:
        return 0
    return abs(STRENGTHS.index(step.strength) - STRENGTHS.index(felt))


def _ranking(part: Part, seen: Seen) -> Raw:
    """Texts whose worths lie closer than the width of a tie share a place."""
    worths = seen.worths()
    order = sorted(range(len(worths)), key=lambda position: -worths[position])
    place, raw = 0, {}
    for number, position in enumerate(order):
        if number == 0 or worths[order[number - 1]] - worths[position] >= TIE_BAND:
            place += 1
        raw[f"tier-{position}"] = str(place)
    return raw


def _rating(part: Part, seen: Seen) -> Raw:
    """Points in proportion to worth. The best one is not known before it is chosen, so a form
    about it is answered with the middle of the scale, as is one about the prompt."""
    points = rating.SCALES[part.get("scale", rating.DEFAULT_SCALE)].points
    rows = rating.controls(part, Shown(list(range(len(seen.texts)))))["rows"]
    if part.get("over", "each") != "each":
        return {row["field"]: str(points[len(points) // 2]) for row in rows}
    aspects = len(rows) // max(1, len(seen.texts))
    return {
        row["field"]: str(_point(points, seen, number // aspects, occasion=number % aspects))
        for number, row in enumerate(rows)
    }


def _point(points: tuple[int, ...], seen: Seen, position: int, occasion: int) -> int:
    utility = seen.worths(occasion)[position] / seen.person.sharpness
    share = min(max((utility + FARTHEST) / (2 * FARTHEST), 0.0), 1.0)
    return points[round(share * (len(points) - 1))]


def _thumbs(part: Part, seen: Seen) -> Raw:
    return {"thumb": "up" if seen.worths()[0] > 0 else "down"}


def _flags(part: Part, seen: Seen) -> Raw:
    """They mark nothing."""
    return {}


def _confidence(part: Part, seen: Seen) -> Raw:
    """The wider the gap between the two best texts, the surer."""
    first, second = sorted(seen.worths(), reverse=True)[:2]
    return {"value": str(min(9, 1 + int(2 * (first - second))))}


def _criteria(part: Part, seen: Seen) -> Raw:
    """They go by one thing alone, and say that it was the first."""
    return {"decided": "0"}


ANSWERS: dict[str, Callable[[Part, Seen], Raw]] = {
    "pairwise": _pairwise,
    "ranking": _ranking,
    "rating": _rating,
    "thumbs": _thumbs,
    "flags": _flags,
    "confidence": _confidence,
    "criteria": _criteria,
}

"""What raters said, as numbers that statistics count: one measure for each thing a question asks.

A measure has items, which several raters may judge, and categories in order. Everything is about
completion ids: of two completions the one of the lower id comes first, whatever the sides were.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any, Literal

import numpy as np

from labeling.questions import Parts, confidence, flags, pairwise
from labeling.questions.rating import DEFAULT_SCALE, SCALES
from labeling.statistics.estimates import Codes
from models_runtime.records import STRENGTHS

STEPS = len(STRENGTHS)
# From "the other, significantly" over a tie to "the one, significantly".
STRENGTH_CODES = 2 * STEPS + 1
TIE = STEPS
RANKED = (TIE - 1, TIE, TIE + 1)  # a ranking orders or ties, and states no strength


@dataclass(frozen=True)
class Said:
    """A label in force: who said what of which card, seeing it how, when, in how long."""

    comparison: int
    prompt: int
    rater: int
    parts: dict[str, dict[str, Any]]
    order: Sequence[int]
    active_ms: int | None
    created_at: datetime
    turned: bool = False  # the question asked for the worse one
    guideline: int = 0  # the number of the version it was made under; 0: none


@dataclass
class Measure:
    """``items``, ``cards``, ``raters``, ``codes``, ``prompts``, ``days`` and ``guidelines`` have
    an entry a judgement. ``values`` are what the categories stand for, ``offered`` those that
    could be answered. ``paired``: an item is two completions, and the categories run from the one
    to the other."""

    part: str
    name: str  # of the aspect; empty where the part asks one thing
    kind: str
    values: Sequence[float]
    offered: Sequence[int] = ()
    paired: bool = False
    ordered: bool = True
    even: bool = False  # its categories are numbers, one as far from the next as any other
    items: array[int] = field(default_factory=lambda: array("q"))
    raters: array[int] = field(default_factory=lambda: array("q"))
    codes: array[int] = field(default_factory=lambda: array("q"))
    prompts: array[int] = field(default_factory=lambda: array("q"))
    cards: array[int] = field(default_factory=lambda: array("q"))
    days: array[int] = field(default_factory=lambda: array("q"))
    guidelines: array[int] = field(default_factory=lambda: array("q"))
    # Of rankings, by how many were ranked: rows of [card, rater, prompt, place of each id].
    ranked: dict[int, array[int]] = field(default_factory=dict)
    _numbers: dict[Any, int] = field(default_factory=dict)

    def rank(self, said: Said, places: Sequence[int]) -> None:
        """A whole ranking: the tier of each completion, by ascending id."""
        rows = self.ranked.setdefault(len(places), array("q"))
        rows.extend((said.comparison, said.rater, said.prompt, *places))

    def add(self, said: Said, key: Any, code: int) -> None:
        self.items.append(self._numbers.setdefault(key, len(self._numbers)))
        self.raters.append(said.rater)
        self.codes.append(code)
        self.prompts.append(said.prompt)
        self.cards.append(said.comparison)
        self.days.append(said.created_at.toordinal())
        self.guidelines.append(said.guideline)

    def __len__(self) -> int:
        return len(self.codes)

    def column(self, name: str) -> Codes:
        return (
            np.frombuffer(getattr(self, name), dtype=np.int64) if len(self) else np.empty(0, int)
        )

    @property
    def level(self) -> Literal["nominal", "ordinal", "interval"]:
        """What a difference of two categories means: of words it is their order, of points on a
        scale of numbers how far they are apart."""
        if not self.ordered:
            return "nominal"
        return "interval" if self.even else "ordinal"

    @property
    def outcomes(self) -> Codes:
        """Of a paired measure: 0 the other, 1 a tie, 2 the one."""
        return np.sign(self.column("codes") - TIE) + 1


class Reader:
    """Sorts labels into measures, as they come: comparisons, rankings, ratings and thumbs, turned
    towards the better one; marks, checks, safety and confidence as they were given. What other
    parts say is passed over."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.measures: dict[tuple[str, str], Measure] = {}

    def read(self, rows: Iterable[Said]) -> Iterable[Said]:
        """Passes the labels on, once each is counted."""
        for said in rows:
            for part, stored in said.parts.items():
                if read := _READ.get(stored.get("type", "")):
                    read(self, part, stored, said)
            yield said

    def measure(self, part: str, name: str, kind: str, **more: Any) -> Measure:
        found = self.measures.get((part, name))
        if found is None:
            found = self.measures[part, name] = Measure(part, name, kind, **more)
        return found


def preference_code(chosen: int, rejected: int, strength: str | None) -> int:
    """0 .. 8, the tie in the middle; a preference of no strength is the weakest.

    >>> preference_code(4, 7, "significantly"), preference_code(7, 4, "negligibly")
    (8, 3)
    """
    step = STEPS - STRENGTHS.index(strength) if strength in STRENGTHS else 1
    return TIE + step if chosen < rejected else TIE - step


def offered_codes(config: dict[str, Any]) -> list[int]:
    """The codes that a pairwise part's scale can give.

    >>> offered_codes({"type": "pairwise", "scale": "ab", "tie": False})
    [3, 5]
    """
    found = set()
    for step in pairwise.scale(config):
        if step.outcome == "prefer":
            code = preference_code(0, 1, step.strength)
            found |= {code, 2 * TIE - code}
        elif step.outcome != "unsure":
            found.add(TIE)
    return sorted(found)


def _pairwise(reader: Reader, part: str, stored: dict[str, Any], said: Said) -> None:
    """Who is unsure says nothing; both bad is a tie, as in training."""
    if stored["outcome"] == "unsure":
        return
    # What is offered is found once: for every label it took half the time of a count.
    measure = reader.measures.get((part, "")) or reader.measure(
        part,
        "",
        "pairwise",
        values=range(STRENGTH_CODES),
        offered=offered_codes(reader.parts.get(part, {})),
        paired=True,
    )
    code = TIE
    if stored["outcome"] == "prefer":
        code = preference_code(stored["chosen"], stored["rejected"], stored.get("strength"))
    measure.add(said, said.comparison, 2 * TIE - code if said.turned else code)


def _ranking(reader: Reader, part: str, stored: dict[str, Any], said: Said) -> None:
    """Each pair that the ranking orders or ties is an item of its own."""
    measure = reader.measure(
        part, "", "ranking", values=range(STRENGTH_CODES), offered=RANKED, paired=True
    )
    place = {pk: tier for tier, ids in enumerate(stored["tiers"]) for pk in ids}
    ahead = -1 if said.turned else 1
    measure.rank(said, [ahead * place[pk] for pk in sorted(place)])
    for one, other in combinations(sorted(place), 2):
        code = TIE + (place[one] < place[other]) - (place[one] > place[other])
        code = 2 * TIE - code if said.turned else code
        measure.add(said, (said.comparison, one, other), code)


def _rating(reader: Reader, part: str, stored: dict[str, Any], said: Said) -> None:
    config = reader.parts.get(part, {})
    scale = SCALES[config.get("scale", DEFAULT_SCALE)]
    points = sorted(scale.points)
    for row in stored["ratings"]:
        for aspect, value in row["values"].items():
            if value in points:
                measure = reader.measure(
                    part,
                    aspect,
                    "rating",
                    values=points,
                    offered=range(len(points)),
                    even=not scale.labels,
                )
                code = points.index(value)
                turned = len(points) - 1 - code if said.turned else code
                measure.add(said, (said.comparison, row["completion"]), turned)


def _thumbs(reader: Reader, part: str, stored: dict[str, Any], said: Said) -> None:
    measure = reader.measure(part, "", "thumbs", values=(0, 1), offered=(0, 1), ordered=False)
    measure.add(said, (said.comparison, stored["about"]), int(stored["up"] != said.turned))


def _flags(reader: Reader, part: str, stored: dict[str, Any], said: Said) -> None:
    """Each flag of the list is a measure: ticked, or not."""
    for row in stored["flags"]:
        listed = reader.parts.get(part, {}).get("flags", flags.INSTRUCT_GPT)
        for code in (*listed, *(one for one in row["codes"] if one not in listed)):
            _yes_or_no(reader, part, code, "flags", code in row["codes"], row, said)


def _checklist(reader: Reader, part: str, stored: dict[str, Any], said: Said) -> None:
    """Each thing to check is a measure: met, or missed."""
    for row in stored["checks"]:
        for code in (*row["met"], *row["missed"]):
            _yes_or_no(reader, part, code, "checklist", code in row["met"], row, said)


def _safety_bin(reader: Reader, part: str, stored: dict[str, Any], said: Said) -> None:
    """Whether each of the two is safe."""
    for pk in (*stored["safe"], *stored["unsafe"]):
        row = {"completion": pk}
        _yes_or_no(reader, part, "", "safety_bin", pk in stored["safe"], row, said)


def _confidence(reader: Reader, part: str, stored: dict[str, Any], said: Said) -> None:
    """How sure raters of one card are: whether some cards are hard for everybody."""
    levels = confidence.LEVELS
    points = sorted(int(level) for level in levels)
    everything = range(len(points))
    measure = reader.measure(part, "", "confidence", values=points, offered=everything)
    measure.add(said, said.comparison, points.index(stored["value"]))


def _yes_or_no(
    reader: Reader,
    part: str,
    name: str,
    kind: str,
    yes: bool,
    row: dict[str, Any],
    said: Said,
) -> None:
    measure = reader.measure(part, name, kind, values=(0, 1), offered=(0, 1), ordered=False)
    measure.add(said, (said.comparison, row.get("completion")), int(yes))


_READ = {
    "pairwise": _pairwise,
    "ranking": _ranking,
    "rating": _rating,
    "thumbs": _thumbs,
    "flags": _flags,
    "checklist": _checklist,
    "safety_bin": _safety_bin,
    "confidence": _confidence,
}

"""Points on a scale: of each completion, of the best one, or of the prompt.

part_config: ``{"type": "rating", "scale": NAME, "over": "each" | "best" | "item", "aspects": {KEY:
title}, "prefer_by": ASPECT | "mean"}``. The scales are in SCALES. Without ``aspects`` there is
one, named "value". With ``prefer_by`` a rating of each completion votes: the one with more points
on that aspect, or in the mean of all, is preferred, and equal points tie. The distance of two
ratings is no rated strength.

The browser posts ``{"ASPECT-POSITION": points}`` for each completion, ``{"ASPECT": points}`` for
the best one or the item. Stored: ``{"type": "rating", "ratings": [{"completion": ID, "values":
{ASPECT: points}}, ...]}`` by completion id, which is None for the item.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any

from labeling.questions import InvalidAnswer, Option, Raw, Said, Shown, subjects, tiers
from labeling.questions.subjects import Subject
from models_runtime.phrases import phrase, together

asked = subjects.asked
MOST_ASPECTS = 9
DEFAULT_SCALE = "likert7"


@dataclass(frozen=True)
class Scale:
    """``points`` from the worst to the best. ``labels`` say what each is where the numbers do
    not; ``ends`` name the two ends otherwise."""

    points: tuple[int, ...]
    ends: tuple[str, str] = ("", "")
    labels: tuple[str, ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()

    def options(self) -> list[dict[str, Any]]:
        labels = self.labels or tuple(map(str, self.points))
        keys = self.keys or tuple((str(point),) for point in self.points)
        return [
            {"value": str(point), "label": label, "keys": list(key)}
            for point, label, key in zip(self.points, labels, keys, strict=True)
        ]


SCALES = {
    "likert7": Scale(tuple(range(1, 8)), (phrase("worst"), phrase("best"))),  # InstructGPT, TL;DR
    "zero_four": Scale(tuple(range(5)), (phrase("lowest"), phrase("highest"))),  # HelpSteer
    "one_five": Scale(tuple(range(1, 6)), (phrase("worst"), phrase("best"))),  # UltraFeedback
    "acceptability": Scale(
        (1, 2, 3, 4),
        labels=(
            phrase("unacceptable"),
            phrase("major errors"),
            phrase("minor errors"),
            phrase("acceptable"),
        ),
    ),
    "yes_no": Scale((0, 1), labels=(phrase("no"), phrase("yes")), keys=(("n", "0"), ("y", "1"))),
}
OPTIONS = (
    Option(
        "scale",
        "choice",
        phrase("Scale"),
        default=DEFAULT_SCALE,
        choices=(
            ("likert7", phrase("1 to 7")),
            ("zero_four", phrase("0 to 4")),
            ("one_five", phrase("1 to 5")),
            ("acceptability", phrase("unacceptable, major errors, minor errors, acceptable")),
            ("yes_no", phrase("no or yes")),
        ),
    ),
    subjects.OVER_OPTION,
    Option(
        "aspects",
        "titles",
        phrase("Aspects"),
        help=phrase("One a line, such as accuracy: How accurate is it?"),
    ),
    Option(
        "prefer_by",
        "line",
        phrase("Prefer by"),
        help=phrase("An aspect, or mean: the answer with more points is preferred, for training."),
    ),
)


def check(part: dict[str, Any]) -> None:
    """Raises ValueError, one sentence."""
    name = part.get("scale", DEFAULT_SCALE)
    if name not in SCALES:
        raise ValueError(
            phrase(
                "There is no rating scale named %(name)s: choose %(scales)s.",
                name=repr(name),
                scales=", ".join(SCALES),
            )
        )
    subjects.check_over(part)
    aspects = part.get("aspects", {})
    if not isinstance(aspects, dict) or len(aspects) > MOST_ASPECTS:
        raise ValueError(
            phrase(
                "A rating has at most %(most_aspects)s aspects, each with its title.",
                most_aspects=MOST_ASPECTS,
            )
        )
    if any("-" in key or not title for key, title in aspects.items()):
        raise ValueError(phrase("An aspect has a title, and a name without a hyphen."))
    _check_prefer_by(part)


def _check_prefer_by(part: dict[str, Any]) -> None:
    by = part.get("prefer_by")
    if by is None:
        return
    if by not in ("mean", *_aspects(part)):
        raise ValueError(
            phrase("The rating has no aspect named %(by)s to prefer by.", by=repr(by))
        )
    if part.get("over", "each") != "each":
        raise ValueError(phrase("Only a rating of each completion can prefer one of them."))


def controls(part: dict[str, Any], shown: Shown) -> dict[str, Any]:
    """One row of options for each aspect of each subject, subject after subject."""
    scale = SCALES[part.get("scale", DEFAULT_SCALE)]
    return {
        "over": part.get("over", "each"),
        "ends": scale.ends,
        "rows": [
            {"field": f"{aspect}{one.suffix}", "letter": one.title, "title": title}
            for one in subjects.drawn(part, shown)
            for aspect, title in _aspects(part).items()
        ],
        "options": scale.options(),
    }


def clean(part: dict[str, Any], raw: Any, shown: Shown) -> dict[str, Any]:
    """The stored part. Raises InvalidAnswer."""
    said = subjects.expect(raw, subjects.fields_of(part, shown, list(_aspects(part))))
    points = {str(one): one for one in SCALES[part.get("scale", DEFAULT_SCALE)].points}

    def values(one: Subject) -> dict[str, Any]:
        given = {aspect: said.get(f"{aspect}{one.suffix}", "") for aspect in _aspects(part)}
        if not all(given.values()):
            raise InvalidAnswer(phrase("Rate everything that is asked for."))
        if not set(given.values()) <= set(points):
            raise InvalidAnswer(phrase("That rating is not on this question's scale."))
        return {"values": {aspect: points[text] for aspect, text in given.items()}}

    return {"type": "rating", "ratings": subjects.rows(part, shown, values)}


def given(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> Raw:
    return {
        f"{aspect}{subjects.suffix_of(part, row, order)}": str(points)
        for row in stored["ratings"]
        for aspect, points in row["values"].items()
    }


def votes(part: dict[str, Any]) -> bool:
    return part.get("prefer_by") is not None


def to_preferences(part: dict[str, Any], answer: dict[str, Any], trains_on: str) -> Said:
    """The pairs that ``prefer_by`` orders; none without it."""
    return tiers.pairs(_tiers(part, answer), trains_on=trains_on) if votes(part) else ([], [])


def points(
    part: dict[str, Any], stored: dict[str, Any], trains_on: str
) -> dict[int, dict[str, float]]:
    """By completion id, each aspect's place on the scale: (points - lowest) / (highest - lowest),
    and from the other end where the question is turned round. Under "" that of ``prefer_by``, or
    the mean of all."""
    return {
        row["completion"]: _places(part, row["values"], trains_on)
        for row in stored["ratings"]
        if row["completion"] is not None
    }


def _places(part: dict[str, Any], values: dict[str, int], trains_on: str) -> dict[str, float]:
    scale = SCALES[part.get("scale", DEFAULT_SCALE)].points
    shares = {name: (value - scale[0]) / (scale[-1] - scale[0]) for name, value in values.items()}
    turned = shares if trains_on == "chosen" else {n: 1 - share for n, share in shares.items()}
    mean = sum(turned.values()) / len(turned)
    return {"": turned.get(part.get("prefer_by") or "", mean), **turned}


def best(part: dict[str, Any], stored: dict[str, Any]) -> int | None:
    return tiers.best(_tiers(part, stored)) if votes(part) else None


def _tiers(part: dict[str, Any], answer: dict[str, Any]) -> list[list[int]]:
    """Completions by their points, the most first."""

    def points(row: dict[str, Any]) -> Fraction:
        values, by = row["values"], part["prefer_by"]
        if by != "mean":
            return Fraction(values[by])
        return Fraction(sum(values.values()), len(values))  # exact: two equal means tie

    best_first = sorted(answer["ratings"], key=points, reverse=True)
    return [[row["completion"] for row in same] for _, same in groupby(best_first, key=points)]


def words(part: dict[str, Any], stored: dict[str, Any], order: list[int]) -> str:
    """A 5, B 3; with several aspects A 4/2/3, B 3/3/3; by letter."""
    said = []
    for row in stored["ratings"]:
        points = together("/", [_said(part, value) for value in row["values"].values()])
        said.append((subjects.name_of(row, order), points))
    return together(", ", [_named(name, points) for name, points in sorted(said)])


def _named(name: str, points: str) -> str:
    return together(" ", [name, points]) if name else points


def _said(part: dict[str, Any], value: int) -> str:
    scale = SCALES[part.get("scale", DEFAULT_SCALE)]
    if not scale.labels or value not in scale.points:
        return str(value)
    return scale.labels[scale.points.index(value)]


def _aspects(part: dict[str, Any]) -> dict[str, str]:
    aspects: dict[str, str] = part.get("aspects") or {"value": ""}
    return aspects

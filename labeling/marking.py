"""How right an answer is, held against the one that was expected. Pure.

``rules`` has one entry for each part that is judged, ``{KEY: rule}``; the answer is right when all
of them are. By type:

    pairwise    {"steps": n}   the same outcome and the same completion preferred, no more than n
                               steps of the question's scale from the expected strength; without
                               "steps" any strength will do
    ranking     {"tau": t}     Kendall's tau-b of the two orders is at least t (Kendall 1945)
    rating      {"steps": n}   no value is more than n points of the scale off
    thumbs, safety_bin, checklist, flags   {}   the same in every detail

What is typed, and how sure somebody is, is judged by nobody here. Distances run from 0, as
expected, to 1, the opposite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labeling.measures import TIE, offered_codes, preference_code
from labeling.questions import Parts
from labeling.questions.rating import DEFAULT_SCALE, SCALES
from labeling.statistics.rankings import tau_b
from models_runtime.phrases import phrase

Stored = Mapping[str, Any]
Rules = dict[str, dict[str, Any]]
EXACT = ("thumbs", "safety_bin", "checklist", "flags")
JUDGED = ("pairwise", "ranking", "rating", *EXACT)
DEFAULTS: dict[str, dict[str, Any]] = {"ranking": {"tau": 0.8}, "rating": {"steps": 1}}


@dataclass(frozen=True)
class Mark:
    """``right`` is None where nothing that is judged was answered; then so is ``distance``, else
    the mean over the parts."""

    right: bool | None
    distance: float | None


def rules_of(expected: Mapping[str, Stored]) -> Rules:
    """The rules that an expected answer has unless somebody sets others."""
    return {
        key: dict(DEFAULTS.get(part["type"], {}))
        for key, part in expected.items()
        if part["type"] in JUDGED
    }


def check(expected: Mapping[str, Stored], rules: Any) -> None:
    """Raises ValueError, one sentence, for rules that judge nothing or what cannot be judged."""
    if not isinstance(rules, dict) or not rules:
        raise ValueError(phrase("Say which parts of the answer are judged: at least one."))
    for key, rule in rules.items():
        if key not in expected or expected[key]["type"] not in JUDGED:
            raise ValueError(phrase("The part %(key)s cannot be judged.", key=key))
        _check_rule(key, expected[key]["type"], rule)


def _check_rule(key: str, kind: str, rule: Any) -> None:
    known = {"pairwise": {"steps"}, "rating": {"steps"}, "ranking": {"tau"}}.get(kind, set())
    if not isinstance(rule, dict) or set(rule) - known:
        raise ValueError(phrase("The part %(key)s is not judged by such a rule.", key=key))
    steps, tau = rule.get("steps", 0), rule.get("tau", 1)
    if isinstance(steps, bool) or not isinstance(steps, int) or not 0 <= steps <= 8:
        raise ValueError(phrase("Steps are a whole number from 0 to 8."))
    if isinstance(tau, bool) or not isinstance(tau, int | float) or not -1 <= tau <= 1:
        raise ValueError(phrase("Kendall's tau is a number from −1 to 1."))


def mark(parts: Parts, expected: Mapping[str, Stored], rules: Rules, said: Any) -> Mark:
    """How right the stored parts ``said`` are, under the question's ``parts``."""
    found = []
    for key, rule in rules.items():
        if key not in said:
            found.append((False, 1.0))
        elif said[key].get("type") == expected[key]["type"]:
            found.append(_mark(parts.get(key, {}), expected[key], rule, said[key]))
    if not found or not said:
        return Mark(None, None)
    return Mark(all(right for right, _ in found), sum(away for _, away in found) / len(found))


def _mark(
    part: dict[str, Any], expected: Stored, rule: Mapping[str, Any], said: Stored
) -> tuple[bool, float]:
    kind = expected["type"]
    if kind == "pairwise":
        return _pairwise(part, expected, rule, said)
    if kind == "ranking":
        return _ranking(expected, rule, said)
    if kind == "rating":
        return _rating(part, expected, rule, said)
    same = _canonical(said) == _canonical(expected)
    return same, float(not same)


def _pairwise(
    part: dict[str, Any], expected: Stored, rule: Mapping[str, Any], said: Stored
) -> tuple[bool, float]:
    """Two outcomes without a preference, such as tie and unsure, differ and lie at one place."""
    codes = offered_codes(part) if part else list(range(2 * TIE + 1))
    wanted, given = _step(codes, expected), _step(codes, said)
    away = abs(wanted - given)
    same = said["outcome"] == expected["outcome"] and said.get("chosen") == expected.get("chosen")
    near = rule.get("steps") is None or away <= rule["steps"]
    return same and near, away / max(1, len(codes) - 1)


def _step(codes: list[int], stored: Stored) -> float:
    """The place of an answer on the scale: between two steps for one that it has no more."""
    code = TIE
    if stored["outcome"] == "prefer":
        code = preference_code(stored["chosen"], stored["rejected"], stored.get("strength"))
    return codes.index(code) if code in codes else sum(one < code for one in codes) - 0.5


def _rating(
    part: dict[str, Any], expected: Stored, rule: Mapping[str, Any], said: Stored
) -> tuple[bool, float]:
    points = SCALES[part.get("scale", DEFAULT_SCALE)].points
    given = _values(said)
    away = [
        abs(value - given[name]) if name in given else points[-1] - points[0]
        for name, value in _values(expected).items()
    ]
    if not away:
        return True, 0.0
    span = points[-1] - points[0]
    return max(away) <= rule.get("steps", 0), min(1.0, sum(away) / len(away) / span)


def _values(stored: Stored) -> dict[tuple[Any, str], int]:
    return {
        (row["completion"], aspect): value
        for row in stored["ratings"]
        for aspect, value in row["values"].items()
    }


def _places(stored: Stored) -> dict[int, int]:
    """By completion id its tier; what was left unranked lies below all, what was set aside as
    impossible to rank is in no place."""
    tiers = [*stored["tiers"], stored.get("unranked", [])]
    return {pk: place for place, ids in enumerate(tiers) for pk in ids}


def _ranking(expected: Stored, rule: Mapping[str, Any], said: Stored) -> tuple[bool, float]:
    """Setting something else aside than was expected is as wrong as can be; where one of the two
    orders ties everything, only another that does is right."""
    wanted, given = _places(expected), _places(said)
    if wanted.keys() != given.keys():
        return False, 1.0
    ids = sorted(wanted)
    tau = tau_b([wanted[pk] for pk in ids], [given[pk] for pk in ids]).value
    if tau is None:
        same = len(set(wanted.values())) == len(set(given.values()))
        return same, 0.0 if same else 0.5
    return tau >= rule.get("tau", 1) - 1e-9, (1 - tau) / 2


def _canonical(value: Any) -> Any:
    """The value without the order of its lists, which says nothing."""
    if isinstance(value, dict):
        return sorted((name, repr(_canonical(one))) for name, one in value.items())
    if isinstance(value, list):
        return sorted(repr(_canonical(one)) for one in value)
    return value

"""How good a campaign's labels are: agreement by measure, and each rater's leanings. Pure.

Figures of people hold people's labels alone, and likewise those of programs and of simulated
raters. Everything is a figure with its interval, or a sentence that says why there is none.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from labeling.agreement import wilson
from labeling.measures import Measure, Reader, Said
from labeling.questions import Parts
from labeling.statistics import chance, latent
from labeling.statistics.biases import NO_CHOICE, binomial, length_effect
from labeling.statistics.estimates import NOBODY_TWICE, Codes, Estimate, Floats, undefined
from models_runtime.phrases import phrase

VERSION = 1  # of the report's form
COEFFICIENTS = {
    "percent": phrase("Percent agreement"),
    "alpha": phrase("Krippendorff's alpha"),
    "kappa": phrase("Fleiss' kappa"),
    "ac": phrase("Gwet's AC1 or AC2"),
}
ENOUGH = 20  # judgements of a rater before a sign is more than an accident
SPEEDING_SECONDS = 3.0
GUESSING = 0.25  # competence below which a rater's answers say next to nothing
SIGNS = {
    "side": phrase("prefers a side"),
    "speeding": phrase("speeding"),
    "others": phrase("disagrees with others"),
    "guessing": phrase("answers that say little"),
}


@dataclass
class _Rater:
    """What is counted of one rater while the labels go by."""

    labels: int = 0
    first: int = 0
    sided: int = 0
    ties: int = 0

    def see(self, said: Said, stored: dict[str, Any] | None) -> None:
        self.labels += 1
        if stored is None:
            return
        if stored.get("outcome") == "prefer" and said.order:
            self.sided += 1
            self.first += stored["chosen"] == said.order[0]
        else:
            self.ties += 1


def report(
    rows: Iterable[Said], parts: Parts, lengths: Mapping[int, int] | None = None
) -> dict[str, Any]:
    """The figures of raters of one kind, as plain data. ``lengths`` are those of the completions'
    texts in characters, for as many as length bias is to be seen in."""
    reader = Reader(parts)
    raters: dict[int, _Rater] = defaultdict(_Rater)
    times: dict[int, list[int]] = defaultdict(list)
    days = array("q")
    pairs = _Lengths(lengths or {})
    comparisons = set()
    compared = next((key for key, part in parts.items() if part.get("type") == "pairwise"), "")
    for said in reader.read(rows):
        stored = said.parts.get(compared)
        raters[said.rater].see(said, stored)
        comparisons.add(said.comparison)
        if said.active_ms:
            times[said.rater].append(said.active_ms)
        if stored is not None:
            days.append(said.created_at.date().toordinal())
            pairs.see(said, stored)
    measures = list(reader.measures.values())
    preference = reader.measures.get((compared, ""))
    return {
        "version": VERSION,
        "labels": sum(one.labels for one in raters.values()),
        "comparisons": len(comparisons),
        "measures": [_of_measure(measure) for measure in measures],
        "side": _side(raters.values()),
        "length": asdict(pairs.effect()),
        "weeks": _by_week(preference, days),
        "raters": _of_raters(raters, times, preference or next(iter(measures), None)),
    }


def _of_measure(measure: Measure) -> dict[str, Any]:
    items, prompts = measure.column("items"), measure.column("prompts")
    size = len(measure.values)
    table = chance.counts(items, measure.column("codes"), size)
    clusters = _first_of_each(items, prompts)
    found = {
        name: chance.estimate(coefficient, table, clusters)
        for name, coefficient in _coefficients(measure).items()
    }
    found |= _of_outcomes(measure, items, clusters)
    return {
        "part": measure.part,
        "name": measure.name,
        "kind": measure.kind,
        "level": "ordinal" if measure.ordered else "nominal",
        "judgements": len(measure),
        "items": len(table),
        "twice": int((table.sum(axis=1) > 1).sum()),
        "figures": {name: asdict(one) for name, one in found.items()},
    }


def _coefficients(measure: Measure) -> dict[str, chance.Coefficient]:
    size = len(measure.values)
    level: chance.Level = "ordinal" if measure.ordered else "nominal"
    gwet = chance.GwetAC(size, "quadratic" if measure.ordered else "identity")
    alpha = chance.KrippendorffAlpha(level, list(measure.values))
    if measure.paired:  # what is of outcomes alone follows in _of_outcomes
        return {"alpha": chance.Mirrored(alpha), "ac": chance.Mirrored(gwet)}
    return {
        "percent": chance.PercentAgreement(),
        "alpha": alpha,
        "kappa": chance.FleissKappa(),
        "ac": gwet,
    }


def _of_outcomes(measure: Measure, items: Codes, clusters: Codes) -> dict[str, Estimate]:
    """Of pairs: agreement on which is better, or a tie, whatever the strength."""
    if not measure.paired:
        return {}
    table = chance.counts(items, measure.outcomes, 3)
    nominal = chance.KrippendorffAlpha("nominal", (0, 1, 2))
    return {
        "percent": chance.estimate(chance.PercentAgreement(), table, clusters),
        "alpha_outcome": chance.estimate(chance.Mirrored(nominal), table, clusters),
        "kappa": chance.estimate(chance.Mirrored(chance.FleissKappa()), table, clusters),
        "ac_outcome": chance.estimate(chance.Mirrored(chance.GwetAC(3)), table, clusters),
    }


def _first_of_each(items: Codes, prompts: Codes) -> Codes:
    """The prompt of each item: intervals cluster by it."""
    found = np.zeros(int(items.max()) + 1 if len(items) else 0, dtype=np.int64)
    found[items] = prompts
    return found


def _side(raters: Iterable[_Rater]) -> dict[str, Any]:
    counted = list(raters)
    return asdict(binomial(sum(r.first for r in counted), sum(r.sided for r in counted)))


class _Lengths:
    """Preferences, each with how many doublings the text of the lower id is longer."""

    def __init__(self, lengths: Mapping[int, int]) -> None:
        self.lengths = lengths
        self.rows: list[tuple[float, bool, int]] = []

    def see(self, said: Said, stored: dict[str, Any]) -> None:
        if stored.get("outcome") != "prefer":
            return
        one, other = sorted((stored["chosen"], stored["rejected"]))
        mine, theirs = self.lengths.get(one), self.lengths.get(other)
        if mine and theirs:
            self.rows.append((np.log2(mine / theirs), stored["chosen"] == one, said.prompt))

    def effect(self) -> Estimate:
        if not self.rows:
            return undefined(NO_CHOICE)
        longer, chosen, prompts = zip(*self.rows, strict=True)
        return length_effect(np.array(longer), np.array(chosen, dtype=float), np.array(prompts))


def _by_week(measure: Measure | None, days: array[int]) -> list[dict[str, Any]]:
    """Percent agreement of the judgements of each week, from Monday, with all others of the same
    pair."""
    if measure is None or len(days) != len(measure):
        return []
    shares, judged = _agreeing(measure)
    weeks = (np.frombuffer(days, dtype=np.int64) - 1) // 7
    found = []
    for week in np.unique(weeks):
        here = (weeks == week) & judged
        n, agreed = int(here.sum()), float(shares[here].sum())
        row = Estimate(agreed / n, *wilson(agreed, n), n) if n else undefined(NOBODY_TWICE)
        monday = date.fromordinal(int(week) * 7 + 1)
        found.append({"week": monday.isoformat(), **asdict(row)})
    return found


def _agreeing(measure: Measure) -> tuple[Floats, Any]:
    """For each judgement: the share of the others on its item that say the same, and whether
    there are others."""
    items = measure.column("items")
    codes = measure.outcomes if measure.paired else measure.column("codes")
    size = 3 if measure.paired else len(measure.values)
    table = chance.counts(items, codes, size)
    same, given = table[items, codes] - 1, table.sum(axis=1)[items] - 1
    judged = given > 0
    return np.divide(same, given, out=np.zeros(len(items)), where=judged), judged


def _of_raters(
    raters: Mapping[int, _Rater], times: Mapping[int, list[int]], measure: Measure | None
) -> list[dict[str, Any]]:
    agreeing, competence = _beside_others(measure)
    rows = [
        _of_rater(pk, one, times.get(pk, []), agreeing.get(pk), competence.get(pk))
        for pk, one in raters.items()
    ]
    return sorted(rows, key=lambda row: (-row["labels"], row["rater"]))


def _of_rater(
    pk: int,
    one: _Rater,
    times: list[int],
    agrees: Estimate | None,
    competence: float | None,
) -> dict[str, Any]:
    side = binomial(one.first, one.sided)
    seconds = float(np.median(times)) / 1000 if times else None
    others = agrees or undefined(NOBODY_TWICE)
    signs = {
        "side": side.p is not None and side.share.n >= ENOUGH and side.p < 0.001,
        "speeding": seconds is not None and len(times) >= ENOUGH and seconds < SPEEDING_SECONDS,
        "others": others.n >= ENOUGH and others.high is not None and others.high < 0.5,
        "guessing": competence is not None and others.n >= ENOUGH and competence < GUESSING,
    }
    return {
        "rater": pk,
        "labels": one.labels,
        "seconds": seconds,
        "agrees": asdict(others),
        "competence": competence,
        "side": asdict(side),
        "ties": one.ties / (one.ties + one.sided) if one.ties + one.sided else None,
        "signs": [name for name, holds in signs.items() if holds],
    }


def _beside_others(measure: Measure | None) -> tuple[dict[int, Estimate], dict[int, float]]:
    """By rater: agreement with others, and Dawid and Skene's competence; where two judged."""
    if measure is None:
        return {}, {}
    shares, judged = _agreeing(measure)
    raters = measure.column("raters")[judged]
    people, who = np.unique(raters, return_inverse=True)
    sums = np.bincount(who, weights=shares[judged]) if len(who) else np.empty(0)
    counted = np.bincount(who) if len(who) else np.empty(0, dtype=int)
    agrees = {
        int(pk): Estimate(float(total / n), *wilson(float(total), int(n)), int(n))
        for pk, total, n in zip(people, sums, counted, strict=True)
    }
    return agrees, _competence(measure, judged, people, who)


def _competence(measure: Measure, judged: Any, people: Codes, who: Codes) -> dict[int, float]:
    """Of raters whose judgements meet others'; nothing where fewer than three raters do: two who
    differ are each as likely to be the one who errs."""
    if len(people) < 3:
        return {}
    codes = (measure.outcomes if measure.paired else measure.column("codes"))[judged]
    size = 3 if measure.paired else len(measure.values)
    _, items = np.unique(measure.column("items")[judged], return_inverse=True)
    found = latent.dawid_skene(items, who, codes, size, smoothing=0.01, tolerance=1e-6)
    return {int(pk): float(one) for pk, one in zip(people, found.competence, strict=True)}

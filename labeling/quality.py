"""How good a campaign's labels are: agreement by measure, and each rater's leanings. Pure.

Figures of people hold people's labels alone, and likewise those of programs and of simulated
raters. Everything is a figure with its interval, or a sentence that says why there is none.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from labeling.agreement import cluster_interval, wilson
from labeling.measures import TIE, Measure, Reader, Said
from labeling.questions import Parts
from labeling.statistics import chance, latent
from labeling.statistics.biases import NO_CHOICE, ExactTest, binomial, length_effect
from labeling.statistics.estimates import NOBODY_TWICE, Codes, Estimate, Floats, undefined
from models_runtime.phrases import phrase

VERSION = 2  # of the report's form
COEFFICIENTS = {
    "percent": phrase("Percent agreement"),
    "alpha": phrase("Krippendorff's alpha"),
    "kappa": phrase("Fleiss' kappa"),
    "ac": phrase("Gwet's AC1 or AC2"),
}
SURE = 0.998  # one of five hundred raters who are like the others is told apart from them
ENOUGH = 20  # cards of a rater before a sign is more than an accident
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
        if stored is None or stored["outcome"] == "unsure":
            return
        if stored["outcome"] == "prefer" and said.order:
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
    pairs = _Lengths(lengths or {})
    comparisons = set()
    compared = next((key for key, part in parts.items() if part.get("type") == "pairwise"), "")
    for said in reader.read(rows):
        stored = said.parts.get(compared)
        raters[said.rater].see(said, stored)
        comparisons.add(said.comparison)
        if said.active_ms is not None:
            times[said.rater].append(said.active_ms)
        if stored is not None:
            pairs.see(said, stored)
    measures = sorted(reader.measures.values(), key=lambda one: (one.part, one.name))
    judged_by = _judged_by(measures, parts, compared)
    return {
        "version": VERSION,
        "labels": sum(one.labels for one in raters.values()),
        "comparisons": len(comparisons),
        "measures": [_of_measure(measure) for measure in measures],
        "side": _side(raters.values()),
        "length": asdict(pairs.effect()),
        "weeks": _by_week(judged_by),
        "judged_by": [judged_by.part, judged_by.name] if judged_by else [],
        "raters": _of_raters(raters, times, judged_by),
    }


def _judged_by(measures: list[Measure], parts: Parts, compared: str) -> Measure | None:
    """What raters are held against each other by: the comparison, else the aspect that prefers,
    else the first by name."""
    by_name = {(one.part, one.name): one for one in measures}
    wanted = [(compared, "")]
    wanted += [(key, str(part.get("prefer_by", ""))) for key, part in parts.items()]
    found = (by_name[key] for key in wanted if key in by_name)
    return next(found, measures[0] if measures else None)


def _of_measure(measure: Measure) -> dict[str, Any]:
    items, prompts = measure.column("items"), measure.column("prompts")
    columns = sorted({*measure.offered, *measure.codes})
    table = chance.counts(items, measure.column("codes"), len(measure.values))[:, columns]
    clusters = _first_of_each(items, prompts)
    found = {
        name: chance.estimate(coefficient, table, clusters)
        for name, coefficient in _coefficients(measure, columns).items()
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


def _coefficients(measure: Measure, columns: list[int]) -> dict[str, chance.Coefficient]:
    """Of the categories that could be answered: one that nobody could choose would make chance
    agreement look rare."""
    level: chance.Level = "ordinal" if measure.ordered else "nominal"
    gwet = chance.GwetAC(len(columns), "quadratic" if measure.ordered else "identity")
    alpha = chance.KrippendorffAlpha(level, [measure.values[column] for column in columns])
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
    outcomes = [0, 1, 2] if TIE in {*measure.offered, *measure.codes} else [0, 2]
    table = chance.counts(items, measure.outcomes, 3)[:, outcomes]
    nominal, gwet = chance.KrippendorffAlpha("nominal", outcomes), chance.GwetAC(len(outcomes))
    return {
        "percent": chance.estimate(chance.PercentAgreement(), table, clusters),
        "alpha_outcome": chance.estimate(chance.Mirrored(nominal), table, clusters),
        "kappa": chance.estimate(chance.Mirrored(chance.FleissKappa()), table, clusters),
        "ac_outcome": chance.estimate(chance.Mirrored(gwet), table, clusters),
    }


def _first_of_each(items: Codes, prompts: Codes) -> Codes:
    """The prompt of each item: intervals cluster by it."""
    found = np.zeros(int(items.max()) + 1 if len(items) else 0, dtype=np.int64)
    found[items] = prompts
    return found


def _side(raters: Iterable[_Rater]) -> dict[str, Any]:
    """The share of preferences for the text shown first, of all raters; each leans by themselves,
    so the interval clusters by rater, and one rater's is exact."""
    counted = [one for one in raters if one.sided]
    if len(counted) < 2:
        return asdict(binomial(sum(r.first for r in counted), sum(r.sided for r in counted)))
    sided = np.array([one.sided for one in counted])
    shares = np.array([one.first for one in counted]) / sided
    found = cluster_interval(shares, range(len(counted)), weights=sided)
    share = Estimate(found.mean, found.low, found.high, int(sided.sum()))
    return asdict(ExactTest(share, None))


class _Lengths:
    """Preferences, each with how many doublings the text of the lower id is longer."""

    def __init__(self, lengths: Mapping[int, int]) -> None:
        self.lengths = lengths
        self.doublings, self.chosen, self.prompts = array("d"), array("b"), array("q")

    def see(self, said: Said, stored: dict[str, Any]) -> None:
        if stored["outcome"] != "prefer":
            return
        one, other = sorted((stored["chosen"], stored["rejected"]))
        mine, theirs = self.lengths.get(one), self.lengths.get(other)
        if mine and theirs:
            self.doublings.append(math.log2(mine / theirs))
            self.chosen.append((stored["chosen"] == one) != said.turned)
            self.prompts.append(said.prompt)

    def effect(self) -> Estimate:
        if not self.prompts:
            return undefined(NO_CHOICE)
        chosen = np.array(self.chosen, dtype=float)
        return length_effect(np.array(self.doublings), chosen, np.array(self.prompts))


def _by_week(measure: Measure | None) -> list[dict[str, Any]]:
    """Percent agreement of the judgements of each week, from Monday, with all others of the same
    item; judgements of one prompt go together."""
    if measure is None:
        return []
    shares, judged = _agreeing(measure)
    weeks, prompts = (measure.column("days") - 1) // 7, measure.column("prompts")
    found = []
    for week in np.unique(weeks):
        here = (weeks == week) & judged
        row = undefined(NOBODY_TWICE)
        if here.any():
            one = cluster_interval(shares[here], prompts[here].tolist())
            row = Estimate(one.mean, one.low, one.high, one.n)
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
    beside = _beside_others(measure)
    rows = [_of_rater(pk, one, times.get(pk, []), beside.get(pk)) for pk, one in raters.items()]
    return sorted(rows, key=lambda row: (-row["labels"], row["rater"]))


def _of_rater(
    pk: int,
    one: _Rater,
    times: list[int],
    beside: _Beside | None,
) -> dict[str, Any]:
    side = binomial(one.first, one.sided)
    seconds = float(np.median(times)) / 1000 if times else None
    others = beside.agrees if beside else undefined(NOBODY_TWICE)
    competence = beside.competence if beside else None
    signs = {
        "side": side.p is not None and side.share.n >= ENOUGH and side.p < 0.001,
        "speeding": seconds is not None and len(times) >= ENOUGH and seconds < SPEEDING_SECONDS,
        "others": beside is not None and others.n >= ENOUGH and beside.is_apart,
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


@dataclass(frozen=True)
class _Beside:
    """A rater beside the others: agreement over so many cards, and Dawid and Skene's competence.
    ``is_apart``: they agree with others less than others do, by more than chance in 500 raters."""

    agrees: Estimate
    is_apart: bool
    competence: float | None


def _beside_others(measure: Measure | None) -> dict[int, _Beside]:
    """By rater, where two or more judged the same."""
    if measure is None:
        return {}
    shares, judged = _agreeing(measure)
    people, who = np.unique(measure.column("raters")[judged], return_inverse=True)
    if not len(people):
        return {}
    means = np.bincount(who, weights=shares[judged]) / np.bincount(who)
    cards = _cards_of_each(measure, judged, who)
    competence = _competence(measure, judged, len(people), who)
    found = {}
    for place, pk in enumerate(people):
        mean, n = float(means[place]), int(cards[place])
        rest = float(np.delete(means, place).mean())
        found[int(pk)] = _Beside(
            Estimate(mean, *wilson(mean * n, n), n),
            wilson(mean * n, n, SURE)[1] < rest,
            competence.get(place),
        )
    return found


def _cards_of_each(measure: Measure, judged: Any, who: Codes) -> Codes:
    """How many cards each rater shares with others: pairs of one ranking are one card."""
    both = np.unique(np.column_stack([who, measure.column("cards")[judged]]), axis=0)
    counted: Codes = np.bincount(both[:, 0])
    return counted


def _competence(measure: Measure, judged: Any, people: int, who: Codes) -> dict[int, float]:
    """By rater's place; nothing where fewer than three meet (two who differ are each as likely to
    err), with more than three categories, and where all answers are alike.

    Of pairs each judgement is taken as it is and turned round, so that which completion is the one
    changes nothing.
    """
    size = 3 if measure.paired else len(measure.values)
    if people < 3 or size > 3:
        return {}
    codes = (measure.outcomes if measure.paired else measure.column("codes"))[judged]
    _, items = np.unique(measure.column("items")[judged], return_inverse=True)
    if measure.paired:
        items = np.concatenate([items, items + int(items.max()) + 1])
        who, codes = np.concatenate([who, who]), np.concatenate([codes, 2 - codes])
    found = latent.dawid_skene(items, who, codes, size, smoothing=0.01, tolerance=1e-6)
    return {place: float(one) for place, one in enumerate(found.competence) if math.isfinite(one)}

"""How good a campaign's labels are: agreement by measure, and each rater's leanings. Pure.

Figures of people hold people's labels alone, and likewise those of programs and of simulated
raters. Everything is a figure with its interval, or a sentence that says why there is none.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from labeling import beside, group_differences, over_time
from labeling.agreement import cluster_interval
from labeling.group_differences import Leanings
from labeling.measures import TIE, Measure, Reader, Said
from labeling.questions import Parts
from labeling.statistics import chance, crossed
from labeling.statistics.biases import NO_CHOICE, ExactTest, binomial, length_effect, median
from labeling.statistics.estimates import Codes, Estimate, Ratings, undefined
from models_runtime.phrases import phrase

VERSION = 3  # of the report's form
COEFFICIENTS = {
    "percent": phrase("Percent agreement"),
    "alpha": phrase("Krippendorff's alpha"),
    "kappa": phrase("Fleiss' kappa"),
    "ac": phrase("Gwet's AC1 or AC2"),
}
VERDICTS = ("pairwise", "ranking", "rating", "thumbs")  # kinds that say which is better
ENOUGH = 20  # cards of a rater before a sign is more than an accident
SPEEDING_SECONDS = 3.0
GUESSING = 0.25  # competence below which a rater's answers say next to nothing
SIGNS = {
    "side": phrase("prefers a side"),
    "speeding": phrase("speeding"),
    "others": phrase("disagrees with others"),
    "guessing": phrase("answers that say little"),
    "drift": phrase("changes over the weeks"),
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
    rows: Iterable[Said],
    parts: Parts,
    lengths: Mapping[int, int] | None = None,
    groups: Mapping[int, set[int]] | None = None,
) -> dict[str, Any]:
    """The figures of raters of one kind, as plain data. ``lengths`` are those of the completions'
    texts in characters, for as many as length bias is to be seen in; ``groups`` are the raters of
    each group, by its id."""
    reader = Reader(parts)
    raters: dict[int, _Rater] = defaultdict(_Rater)
    times: dict[int, list[int]] = defaultdict(list)
    pairs = _Lengths(lengths or {})
    given: Counter[str] = Counter()
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
            given[_given(stored)] += 1
    measures = sorted(reader.measures.values(), key=lambda one: (one.part, one.name))
    judged_by = _judged_by(measures, parts, compared)
    return {
        "version": VERSION,
        "labels": sum(one.labels for one in raters.values()),
        "comparisons": len(comparisons),
        "measures": [_of_measure(measure) for measure in measures],
        "side": _side(raters.values()),
        "length": asdict(pairs.effect()),
        "weeks": over_time.by_week(judged_by),
        "guidelines": over_time.by_guideline(judged_by),
        "given": dict(given),
        "judged_by": [judged_by.part, judged_by.name] if judged_by else [],
        "raters": _of_raters(raters, times, judged_by),
        "groups": group_differences.report(judged_by, _leanings(raters, pairs), groups or {}),
    }


def _leanings(raters: Mapping[int, _Rater], pairs: _Lengths) -> Leanings:
    """Counted already, rater by rater."""
    found = Leanings()
    for pk, one in raters.items():
        if one.sided + one.ties:
            found.counts["ties"][pk] = [one.ties, one.ties + one.sided]
            found.counts["first"][pk] = [one.first, one.sided]
    for doublings, chosen, pk in zip(pairs.doublings, pairs.chosen, pairs.raters, strict=True):
        if doublings:
            found.see("longer", pk, bool(chosen) == (doublings > 0))
    return found


def _given(stored: dict[str, Any]) -> str:
    """What a comparison came to: its strength, "prefer" without one, else its outcome."""
    if stored["outcome"] != "prefer":
        return str(stored["outcome"])
    return str(stored.get("strength") or "prefer")


def _judged_by(measures: list[Measure], parts: Parts, compared: str) -> Measure | None:
    """What raters are held against each other by: the comparison, else the aspect that prefers,
    else the first verdict by name."""
    by_name = {(one.part, one.name): one for one in measures}
    wanted = [(compared, "")]
    wanted += [(key, str(part.get("prefer_by", ""))) for key, part in parts.items()]
    found = (by_name[key] for key in wanted if key in by_name)
    verdicts = (one for one in measures if one.kind in VERDICTS)
    return next(found, None) or next(verdicts, measures[0] if measures else None)


def _of_measure(measure: Measure) -> dict[str, Any]:
    items, prompts = measure.column("items"), measure.column("prompts")
    columns = sorted({*measure.offered, *measure.codes})
    table = chance.counts(items, measure.column("codes"), len(measure.values))[:, columns]
    clusters = _first_of_each(items, prompts)
    codes = np.searchsorted(columns, measure.column("codes"))
    found = {
        name: _figure(coefficient, table, codes, measure, clusters)
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
        "figures": found,
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


def _of_outcomes(measure: Measure, items: Codes, clusters: Codes) -> dict[str, Any]:
    """Of pairs: agreement on which is better, or a tie, whatever the strength."""
    if not measure.paired:
        return {}
    outcomes = [0, 1, 2] if TIE in {*measure.offered, *measure.codes} else [0, 2]
    table = chance.counts(items, measure.outcomes, 3)[:, outcomes]
    codes = np.searchsorted(outcomes, measure.outcomes)
    nominal, gwet = chance.KrippendorffAlpha("nominal", outcomes), chance.GwetAC(len(outcomes))
    wanted: dict[str, chance.Coefficient] = {
        "percent": chance.PercentAgreement(),
        "alpha_outcome": chance.Mirrored(nominal),
        "kappa": chance.Mirrored(chance.FleissKappa()),
        "ac_outcome": chance.Mirrored(gwet),
    }
    return {
        name: _figure(coefficient, table, codes, measure, clusters)
        for name, coefficient in wanted.items()
    }


def _figure(
    coefficient: chance.Coefficient,
    table: Ratings,
    codes: Codes,
    measure: Measure,
    clusters: Codes,
) -> dict[str, Any]:
    """A coefficient with two intervals: ``low`` and ``high`` for these raters, over prompts;
    ``alike`` for raters like these, over prompts and raters, or None."""
    one = chance.estimate(coefficient, table, clusters)
    items, raters = measure.column("items"), measure.column("raters")
    alike = crossed.of_coefficient(coefficient, table, items, raters, codes, clusters)
    return {**asdict(one), "alike": [round(end, 9) for end in alike] if alike else None}


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
        self.doublings, self.chosen = array("d"), array("b")
        self.prompts, self.raters = array("q"), array("q")

    def see(self, said: Said, stored: dict[str, Any]) -> None:
        if stored["outcome"] != "prefer":
            return
        one, other = sorted((stored["chosen"], stored["rejected"]))
        mine, theirs = self.lengths.get(one), self.lengths.get(other)
        if mine and theirs:
            self.doublings.append(math.log2(mine / theirs))
            self.chosen.append((stored["chosen"] == one) != said.turned)
            self.prompts.append(said.prompt)
            self.raters.append(said.rater)

    def effect(self) -> Estimate:
        if not self.prompts:
            return undefined(NO_CHOICE)
        chosen = np.array(self.chosen, dtype=float)
        raters = np.array(self.raters) if len(set(self.raters)) > 1 else None
        return length_effect(np.array(self.doublings), chosen, np.array(self.prompts), raters)


def _of_raters(
    raters: Mapping[int, _Rater], times: Mapping[int, list[int]], measure: Measure | None
) -> list[dict[str, Any]]:
    found = beside.others(measure)
    rows = [
        _of_rater(pk, one, times.get(pk, []), found.get(pk, beside.NOT_BESIDE))
        for pk, one in raters.items()
    ]
    return sorted(rows, key=lambda row: (-row["labels"], row["rater"]))


def _of_rater(
    pk: int,
    one: _Rater,
    times: list[int],
    others: beside.Beside,
) -> dict[str, Any]:
    side = binomial(one.first, one.sided)
    speed = median(np.array(times) / 1000)
    seconds, agrees, competence = speed.value, others.agrees, others.competence
    signs = {
        "side": side.p is not None and side.share.n >= ENOUGH and side.p < 0.001,
        "speeding": seconds is not None and len(times) >= ENOUGH and seconds < SPEEDING_SECONDS,
        "others": agrees.n >= ENOUGH and others.is_apart,
        "guessing": competence is not None
        and agrees.n >= ENOUGH
        and competence < GUESSING
        and others.may_guess,
        "drift": others.drift_p is not None and others.drift_p < 0.001,
    }
    return {
        "rater": pk,
        "labels": one.labels,
        "seconds": seconds,
        "speed": asdict(speed),
        "agrees": asdict(agrees),
        "competence": competence,
        "accuracy": asdict(others.accuracy),
        "drift": {**asdict(others.drift), "p": others.drift_p},
        "side": asdict(side),
        "ties": one.ties / (one.ties + one.sided) if one.ties + one.sided else None,
        "signs": [name for name, holds in signs.items() if holds],
    }

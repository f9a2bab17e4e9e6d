"""The coefficients of one measure, each with its intervals or why there is none. Pure.

``low`` and ``high`` are for these raters, over prompts; ``alike`` for raters like these.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from labeling import concordance
from labeling.measures import TIE, Measure
from labeling.statistics import by_pairs, chance, crossed
from labeling.statistics.by_pairs import OfPairs
from labeling.statistics.estimates import Codes, Ratings


def of_measure(measure: Measure) -> dict[str, Any]:
    """A measure's figures by name, with what it is and how much there is of it."""
    items, prompts = measure.column("items"), measure.column("prompts")
    columns = sorted({*measure.offered, *measure.codes})
    table = chance.counts(items, measure.column("codes"), len(measure.values))[:, columns]
    clusters = first_of_each(items, prompts)
    codes = np.searchsorted(columns, measure.column("codes"))
    found = {
        name: figure(coefficient, table, codes, measure, clusters)
        for name, coefficient in _coefficients(measure, columns).items()
    }
    found |= _of_outcomes(measure, items, clusters) | _of_twos(measure, codes, len(columns))
    found |= concordance.of(measure)
    return {
        "part": measure.part,
        "name": measure.name,
        "kind": measure.kind,
        "level": measure.level,
        "judgements": len(measure),
        "items": len(table),
        "twice": int((table.sum(axis=1) > 1).sum()),
        "figures": found,
    }


def figure(
    coefficient: chance.Coefficient,
    table: Ratings,
    codes: Codes,
    measure: Measure,
    clusters: Codes,
) -> dict[str, Any]:
    """A coefficient of ``table`` (items, categories) with both intervals; ``codes`` has an entry
    a judgement, ``clusters`` one an item."""
    one = chance.estimate(coefficient, table, clusters)
    items, raters = measure.column("items"), measure.column("raters")
    alike = crossed.of_coefficient(coefficient, table, items, raters, codes, clusters)
    return {**asdict(one), "alike": rounded(alike)}


def rounded(ends: tuple[float, float] | None) -> list[float] | None:
    return [round(end, 9) for end in ends] if ends else None


def first_of_each(items: Codes, prompts: Codes) -> Codes:
    """The prompt of each item: intervals cluster by it."""
    found = np.zeros(int(items.max()) + 1 if len(items) else 0, dtype=np.int64)
    found[items] = prompts
    return found


def of_pairs(one: OfPairs) -> dict[str, Any]:
    """A mean over pairs of raters as a figure, with how many pairs it is of."""
    return {**asdict(one.value), "alike": rounded(one.alike), "pairs": one.pairs, "met": one.met}


def _coefficients(measure: Measure, columns: list[int]) -> dict[str, chance.Coefficient]:
    """Of the categories that could be answered: one that nobody could choose would make chance
    agreement look rare."""
    gwet = chance.GwetAC(len(columns), "quadratic" if measure.ordered else "identity")
    values = [measure.values[column] for column in columns]
    alpha = chance.KrippendorffAlpha(measure.level, values)
    if measure.paired:  # what is of outcomes alone follows in _of_outcomes
        return {"alpha": chance.Mirrored(alpha), "ac": chance.Mirrored(gwet)}
    return {
        "percent": chance.PercentAgreement(),
        "alpha": alpha,
        "kappa": chance.FleissKappa(),
        "ac": gwet,
    }


def _outcome_places(measure: Measure) -> list[int]:
    return [0, 1, 2] if TIE in {*measure.offered, *measure.codes} else [0, 2]


def _of_outcomes(measure: Measure, items: Codes, clusters: Codes) -> dict[str, Any]:
    """Of pairs: agreement on which is better, or a tie, whatever the strength."""
    if not measure.paired:
        return {}
    outcomes = _outcome_places(measure)
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
        name: figure(coefficient, table, codes, measure, clusters)
        for name, coefficient in wanted.items()
    }


def _of_twos(measure: Measure, codes: Codes, size: int) -> dict[str, Any]:
    """The coefficients that know two raters: of these two, or the mean over all that met. Of
    pairs Cohen's and Scott's are of outcomes; with weights Cohen's is of the whole scale."""
    items, raters, prompts = (measure.column(one) for one in ("items", "raters", "prompts"))
    places, plain, kinds = np.unique(raters, return_inverse=True)[1], codes, size
    if measure.paired:
        outcomes = _outcome_places(measure)
        plain, kinds = np.searchsorted(outcomes, measure.outcomes), len(outcomes)
    met, turned = by_pairs.meetings(items, places, plain, prompts), measure.paired
    found = {
        "cohen": by_pairs.mean(met, kinds, pooled=False, mirrored=turned),
        "scott": by_pairs.mean(met, kinds, pooled=True, mirrored=turned),
    }
    if measure.ordered and size > 2:
        weighed = by_pairs.meetings(items, places, codes, prompts)
        found["cohen_weighted"] = by_pairs.mean(
            weighed, size, pooled=False, weighting="quadratic", mirrored=turned
        )
    return {name: of_pairs(one) for name, one in found.items()}

"""Agreement under a condition: by the strength that was rated, and by how alike the two texts
are. Pure.

Raters agree where they see much of a difference and little where texts are nearly the same:
both say how hard the cards were, and how much a rated strength is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from labeling import coefficients
from labeling.concordance import Mean
from labeling.measures import STEPS, TIE, Measure
from labeling.statistics import chance, crossed
from labeling.statistics.estimates import NOBODY_TWICE, Codes, Estimate, Floats, undefined
from models_runtime.phrases import phrase
from models_runtime.records import STRENGTHS

BANDS = 4  # of as many cards each, as far as ties allow
LEAST_CARDS = 20  # of a known similarity, to be told apart
NO_TEXTS = phrase("Fewer than 20 cards judged by two raters have texts that were compared.")
ALL_ALIKE = phrase("All cards are of one similarity.")


def by_strength(measure: Measure | None) -> list[dict[str, Any]]:
    """For each strength of the scale: of the preferences so rated, how often another rater of the
    same card who preferred one preferred the same. The interval ``low`` to ``high`` draws prompts
    anew; ``alike`` is for raters and prompts like these (crossed.variance)."""
    if measure is None or not measure.paired or not _has_strengths(measure):
        return []
    told = measure.outcomes != 1
    columns = ("items", "raters", "prompts", "codes")
    items, raters, prompts, codes = (measure.column(one)[told] for one in columns)
    outcomes = measure.outcomes[told] // 2
    if not len(items):
        return []
    table = chance.counts(items, outcomes, 2)
    same = table[items, outcomes] - 1
    given = table.sum(axis=1)[items] - 1
    steps = np.abs(codes - TIE)
    return [
        {
            "strength": STRENGTHS[STEPS - step],
            **_share(*(one[steps == step] for one in (same, given, prompts, raters))),
        }
        for step in range(STEPS, 0, -1)
        if (steps == step).any()
    ]


def by_similarity(measure: Measure | None, similarity: Mapping[int, float]) -> dict[str, Any]:
    """Percent agreement in each band of ``similarity`` (by comparison, 0 to 1), the least alike
    first; or why there are no bands."""
    if measure is None or not measure.paired or not len(measure):
        return {"undefined": NOBODY_TWICE, "bands": []}
    items = measure.column("items")
    cards = coefficients.first_of_each(items, measure.column("cards"))
    known = np.array([similarity.get(int(card), np.nan) for card in cards])
    table = chance.counts(items, measure.outcomes, 3)
    usable = np.isfinite(known) & (table.sum(axis=1) > 1)
    if usable.sum() < LEAST_CARDS:
        return {"undefined": NO_TEXTS, "bands": []}
    edges = np.unique(np.quantile(known[usable], np.arange(1, BANDS) / BANDS))
    band = np.searchsorted(edges, known, side="right")
    if len(np.unique(band[usable])) < 2:
        return {"undefined": ALL_ALIKE, "bands": []}
    return {
        "undefined": "",
        "bands": [
            _of_band(measure, table, known, usable & (band == one))
            for one in np.unique(band[usable])
        ],
    }


def _of_band(measure: Measure, table: Floats, known: Floats, inside: Any) -> dict[str, Any]:
    items = measure.column("items")
    here = inside[items]
    place = np.cumsum(inside) - 1
    prompts = coefficients.first_of_each(items, measure.column("prompts"))
    raters, codes = measure.column("raters")[here], measure.outcomes[here]
    of, kept = chance.PercentAgreement(), table[inside]
    one = chance.estimate(of, kept, prompts[inside])
    alike = crossed.of_coefficient(of, kept, place[items[here]], raters, codes, prompts[inside])
    return {
        "from": float(known[inside].min()),
        "to": float(known[inside].max()),
        "cards": int(inside.sum()),
        **asdict(one),
        "alike": coefficients.rounded(alike),
    }


def _has_strengths(measure: Measure) -> bool:
    codes = {abs(code - TIE) for code in (*measure.offered, *measure.codes)} - {0}
    return len(codes) > 1


def _share(same: Floats, given: Floats, prompts: Codes, raters: Codes) -> dict[str, Any]:
    """Σ same / Σ given, each meeting of two weighing one."""
    met = given > 0
    same, given, prompts, raters = same[met], given[met], prompts[met], raters[met]
    if not len(given):
        return {**asdict(undefined(NOBODY_TWICE)), "alike": None}
    rows = np.column_stack([same, given])
    places = np.unique(prompts, return_inverse=True)[1]
    found = chance.estimate(Mean(), rows, places)
    return {
        **asdict(Estimate(found.value, found.low, found.high, int(given.sum()))),
        "alike": _alike(found.value, rows, places, raters),
    }


def _alike(value: float | None, rows: Floats, prompts: Codes, raters: Codes) -> list[float] | None:
    people = np.unique(raters, return_inverse=True)[1]
    if value is None or people.max() + 1 < crossed.FEWEST or prompts.max() < 1:
        return None
    scores = (rows[:, 0] - value * rows[:, 1]) / rows[:, 1].sum()
    half = crossed.half_width(*crossed.variance(scores, prompts, people))
    return [max(0.0, value - half), min(1.0, value + half)]

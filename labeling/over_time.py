"""Agreement over time: week by week, and under each version of the guidelines. Pure."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np

from labeling import beside
from labeling.agreement import cluster_interval
from labeling.measures import Measure
from labeling.statistics.estimates import NOBODY_TWICE, Codes, Estimate, Floats, undefined


def by_week(measure: Measure | None) -> list[dict[str, Any]]:
    """Percent agreement of the judgements of each week, from Monday, with all others of the same
    item; judgements of one prompt go together."""
    if measure is None:
        return []
    weeks = (measure.column("days") - 1) // 7
    mondays = {int(week): date.fromordinal(int(week) * 7 + 1) for week in np.unique(weeks)}
    return [
        {"week": mondays[week].isoformat(), **asdict(row)}
        for week, row in _within(measure, weeks).items()
    ]


def by_guideline(measure: Measure | None) -> list[dict[str, Any]]:
    """The same for judgements under each version of the guidelines, 0 those under none: of
    judgements under one version with each other, since another may have asked for another."""
    if measure is None:
        return []
    versions = measure.column("guidelines")
    apart = beside.agreeing(measure, within=versions)
    return [
        {"guideline": version, **asdict(row)}
        for version, row in _within(measure, versions, apart).items()
    ]


def _within(
    measure: Measure, groups: Codes, agreeing: tuple[Floats, Any] | None = None
) -> dict[int, Estimate]:
    shares, judged = agreeing or beside.agreeing(measure)
    prompts, found = measure.column("prompts"), {}
    for group in np.unique(groups):
        here = (groups == group) & judged
        row = undefined(NOBODY_TWICE)
        if here.any():
            one = cluster_interval(shares[here], prompts[here].tolist())
            row = Estimate(one.mean, one.low, one.high, one.n)
        found[int(group)] = row
    return found

"""How much of a gain in reward is length alone (Singhal et al., 2023: "A Long Way to Go")."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any

WIDTH = 20  # tokens of a bucket, as in the paper
Scored = tuple[int, float]  # tokens, reward


def share_of_gain(before: Sequence[Scored], after: Sequence[Scored]) -> dict[str, Any]:
    """The gain in mean reward from ``before`` to ``after``, the part of it that remains among
    answers of like length, and the share that length explains, 1 - within / gain.

    Within: in every bucket of 20 tokens that has some of both, the difference of the means,
    weighted by how many of ``after`` lie there. ``covered`` is the share of ``after`` in such
    buckets. Before: 10 tokens 0, 30 tokens 1. After: 10 tokens .5, 30 and 30 tokens 1.5 and 1.5.
    Gain 1.166667 - .5 = .666667; within (1 * .5 + 2 * .5) / 3 = .5; by length .25.
    """
    buckets = _by_bucket(before), _by_bucket(after)
    shared = [place for place in buckets[1] if place in buckets[0]]
    covered = sum(len(buckets[1][place]) for place in shared)
    if not covered:
        return {"gain": None, "within": None, "by_length": None, "covered": 0.0, "width": WIDTH}
    steps = [
        len(buckets[1][place]) * (fmean(buckets[1][place]) - fmean(buckets[0][place]))
        for place in shared
    ]
    gain = fmean(reward for _, reward in after) - fmean(reward for _, reward in before)
    within = sum(steps) / covered
    return {
        "gain": gain,
        "within": within,
        "by_length": 1 - within / gain if gain else None,
        "covered": covered / len(after),
        "width": WIDTH,
    }


def _by_bucket(rows: Sequence[Scored]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = defaultdict(list)
    for tokens, reward in rows:
        found[tokens // WIDTH].append(reward)
    return dict(sorted(found.items()))

"""Completions in tiers, the best first, as the pairs that they imply."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

from labeling.questions import Said
from models_runtime.records import Preference

Tiers = Sequence[Sequence[int]]


def pairs(tiers: Tiers, below: Sequence[int] = (), *, trains_on: str) -> Said:
    """Every pair of two tiers, the higher one preferred, and as ties the pairs inside a tier.

    ``below`` holds what is under all tiers without an order of its own. The distance of two tiers
    is no rating, so a preference has no strength. K completions give at most K (K - 1) / 2 pairs
    (InstructGPT 2022, section 3.5).
    """
    ordered = [
        pair
        for high, low in combinations([*tiers, below], 2)
        for pair in product(sorted(high), sorted(low))
    ]
    if trains_on == "rejected":
        ordered = [(low, high) for high, low in ordered]
    preferences = [Preference(chosen, rejected) for chosen, rejected in ordered]
    tied = [list(pair) for tier in tiers for pair in combinations(sorted(tier), 2)]
    return preferences, tied


def best(tiers: Tiers) -> int | None:
    """The one completion of the first tier; None when that holds several."""
    return tiers[0][0] if tiers and len(tiers[0]) == 1 else None

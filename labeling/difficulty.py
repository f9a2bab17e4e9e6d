"""Which cards are hard: those of which least is known after all that raters said. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np

from labeling.beside import Hard
from labeling.measures import Measure
from labeling.statistics import chance
from labeling.statistics.estimates import Codes, Floats

MOST = 200  # cards named in a report, the hardest
STEPS = 10  # of the histogram


def report(measure: Measure | None, hard: Hard | None) -> dict[str, Any]:
    """The hardest cards with their votes, how many cards there are of each tenth of difficulty,
    and whether raters were weighed. Of a ranking a card's difficulty is the mean over its pairs.

    Votes are [the higher id, tie, the lower id] of comparisons of two, and empty elsewhere."""
    if measure is None or hard is None:
        return {"cards": 0, "learned": False, "tenths": [], "hardest": []}
    cards, place, pairs = np.unique(hard.cards, return_inverse=True, return_counts=True)
    mean = np.bincount(place, hard.difficulty) / pairs
    tenths = np.bincount(np.minimum((mean * STEPS).astype(int), STEPS - 1), minlength=STEPS)
    # Of cards that are alike the newest first: their texts are still in somebody's mind.
    order = np.lexsort((-cards, -mean.round(6)))[:MOST]
    votes = _votes(measure, cards[order])
    return {
        "cards": len(cards),
        "learned": hard.learned,
        "tenths": tenths.tolist(),
        "hardest": [
            {
                "comparison": int(cards[at]),
                "difficulty": round(float(mean[at]), 6),
                "votes": votes.get(int(cards[at]), []),
            }
            for at in order
        ],
    }


def _votes(measure: Measure, wanted: Codes) -> dict[int, list[int]]:
    if not measure.paired or measure.kind != "pairwise":
        return {}
    here = np.isin(measure.column("cards"), wanted)
    cards, place = np.unique(measure.column("cards")[here], return_inverse=True)
    table: Floats = chance.counts(place, measure.outcomes[here], 3)
    return {int(card): row for card, row in zip(cards, table.astype(int).tolist(), strict=True)}

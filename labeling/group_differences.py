"""What groups of raters do differently: how far they agree within and across, and what they
prefer. Pure.

Each group is held against all other raters. Every test of a report belongs to one family, whose
p-values are corrected by Holm's method; the items on which a group and the others disagree are a
family of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from labeling.measures import Measure
from labeling.statistics import groups
from labeling.statistics.estimates import Codes, Estimate, Floats, undefined
from models_runtime.phrases import phrase

MOST_RATERS = 1_000  # whose agreement two by two is held in memory, the busiest
MOST_ITEMS = 20  # named in a report, those furthest apart
APART = 0.05
LEAST_A_SIDE = 2  # judgements of an item on each side, to be a test
NOT_COMPARED = phrase("Nobody was asked to prefer one of two.")
TITLES = {
    "agreement": phrase("Agreement within, less across"),
    "longer": phrase("Prefers the longer text"),
    "ties": phrase("Says that both are alike"),
    "first": phrase("Prefers the text shown first"),
}


@dataclass
class Leanings:
    """Of each rater, [how often, of how many]: what they do whatever the texts say."""

    counts: dict[str, dict[int, list[int]]] = field(
        default_factory=lambda: {
            name: defaultdict(lambda: [0, 0]) for name in ("longer", "ties", "first")
        }
    )

    def see(self, name: str, rater: int, holds: bool) -> None:
        row = self.counts[name][rater]
        row[0] += holds
        row[1] += 1


def report(
    measure: Measure | None, leanings: Leanings, members: Mapping[int, set[int]]
) -> list[dict[str, Any]]:
    """The groups' figures as plain data, in the order given; ``members`` are raters by group."""
    by_twos = _by_twos(measure)
    rows = [_of_group(pk, inside, measure, by_twos, leanings) for pk, inside in members.items()]
    tests = [test for row in rows for test in row["tests"]]
    for test, p in zip(tests, groups.holm([test["p"] for test in tests]), strict=True):
        test["p_holm"] = p
    return rows


@dataclass(frozen=True)
class _ByTwos:
    """Of the busiest ``raters`` (n,), two by two (n, n): the items that both judged, and those of
    which both said the same."""

    raters: Codes
    agree: Floats
    judged: Floats


def _of_group(
    pk: int, inside: set[int], measure: Measure | None, by_twos: _ByTwos, leanings: Leanings
) -> dict[str, Any]:
    member = np.isin(by_twos.raters, sorted(inside)).astype(np.int64)
    within, across, apart, p = groups.agreement(by_twos.agree, by_twos.judged, member)
    tests = [_test("agreement", apart, p)]
    for name, counted in leanings.counts.items():
        found, p = _shares(counted, inside)
        tests.append(_test(name, found, p))
    return {
        "group": pk,
        "raters": int(member.sum()),
        "others": int(len(member) - member.sum()),
        "within": asdict(within),
        "across": asdict(across),
        "tests": tests,
        "items": _items(measure, inside),
    }


def _test(name: str, found: Estimate, p: float | None) -> dict[str, Any]:
    return {"name": name, **asdict(found), "p": p}


def _shares(counted: Mapping[int, list[int]], inside: set[int]) -> tuple[Estimate, float | None]:
    if not counted:
        return undefined(NOT_COMPARED), None
    raters = sorted(counted)
    rows = np.array([counted[rater] for rater in raters], dtype=float)
    member = np.array([rater in inside for rater in raters], dtype=np.int64)
    return groups.shares(rows[:, 0], rows[:, 1], member)


def _by_twos(measure: Measure | None) -> _ByTwos:
    if measure is None or not len(measure):
        return _ByTwos(np.empty(0, dtype=np.int64), np.zeros((0, 0)), np.zeros((0, 0)))
    who, counts = np.unique(measure.column("raters"), return_counts=True)
    raters = np.sort(who[np.argsort(-counts, kind="stable")[:MOST_RATERS]])
    known = np.isin(measure.column("raters"), raters)
    places = np.searchsorted(raters, measure.column("raters")[known])
    items = measure.column("items")[known]
    # What counts as the same answer: of pairs the better one or a tie, else the category.
    codes = (measure.outcomes if measure.paired else measure.column("codes"))[known]
    order = np.argsort(items, kind="stable")
    items, places, codes = items[order], places[order], codes[order]
    size = len(raters)
    agree, judged = np.zeros(size * size), np.zeros(size * size)
    # Neighbours at every distance: of an item that five judged, four at one, three at two.
    for apart in range(1, int(np.bincount(items).max())):
        both = items[apart:] == items[:-apart]
        cells = (places[apart:] * size + places[:-apart])[both]
        same = (codes[apart:] == codes[:-apart])[both]
        judged += np.bincount(cells, minlength=size * size)
        agree += np.bincount(cells, weights=same, minlength=size * size)
    return _ByTwos(raters, _symmetric(agree, size), _symmetric(judged, size))


def _symmetric(cells: Floats, size: int) -> Floats:
    """(size, size), each pair counted whichever of the two came first; nobody with themselves."""
    grid: Floats = cells.reshape(size, size)
    grid = grid + grid.T
    np.fill_diagonal(grid, 0)
    return grid


def _items(measure: Measure | None, inside: set[int]) -> dict[str, Any]:
    """Pairs that the group and the others prefer differently: exact tests, a rater one answer
    each, corrected over all that could be tested. Ties say nothing of which is better."""
    if measure is None or not measure.paired or not len(measure):
        return {"tested": 0, "apart": []}
    told = measure.outcomes != 1
    items, outcomes = measure.column("items")[told], measure.outcomes[told]
    outside = ~np.isin(measure.column("raters")[told], sorted(inside))
    cells = items * 4 + outside * 2 + (outcomes == 0)
    tables = np.bincount(cells, minlength=4 * (int(measure.column("items").max()) + 1))
    tables = tables.reshape(-1, 4)
    enough = np.minimum(tables[:, :2].sum(axis=1), tables[:, 2:].sum(axis=1)) >= LEAST_A_SIDE
    tested = np.flatnonzero(enough)
    adjusted = groups.holm([groups.fisher_exact(*map(int, tables[item])) for item in tested])
    cards = np.zeros(len(tables), dtype=np.int64)
    cards[measure.column("items")] = measure.column("cards")
    apart = [
        {
            "comparison": int(cards[item]),
            "inside": tables[item][:2].tolist(),
            "outside": tables[item][2:].tolist(),
            "p_holm": p,
        }
        for item, p in zip(tested, adjusted, strict=True)
        if p is not None and p < APART
    ]
    apart.sort(key=lambda row: row["p_holm"])
    return {"tested": len(tested), "apart": apart[:MOST_ITEMS]}

"""What a lead's pages cost the web server among few and among a million labels: CPU and SQL
queries of every page of a campaign, the count of all statistics, and a fit of strengths.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from annotate.bench.place import Failed, Place
from annotate.bench.results import Measured
from labeling.statistics import comparing

COMPARISONS, OVERLAP, TIMES = 5_000, 2, 100  # 10,000 labels, and a hundred times as many
DAYS = 20  # in which they were given
MOST_QUERIES, MOST_MS, MOST_GROWTH, MOST_COUNT = 25, 300.0, 1.5, 60.0
LEAST_MS = 20.0  # of a page below that, growth is mostly noise
VOTES, CHECKPOINTS, MOST_FIT = 1_000_000, 100, 1.0


def measure(folder: Path) -> Iterator[Measured]:
    """The worst page of each kind, beside what is allowed; then the sums and the statistics.
    Raises Failed where a page of the route table is not reached."""
    few, many = (_of(folder / f"lead-{times}", times) for times in (1, TIMES))
    if many["missed"]:
        raise Failed(f"These pages were not reached: {', '.join(many['missed'])}")
    pages = many["pages"]
    most = max(pages, key=lambda name: int(pages[name]["queries"]))
    yield Measured(f"lead.queries ({most})", pages[most]["queries"], "queries", MOST_QUERIES)
    most = max(pages, key=lambda name: int(pages[name]["queries_first"]))
    first = pages[most]["queries_first"]
    yield Measured(f"lead.queries.first ({most})", first, "queries", MOST_QUERIES)
    slow = max(pages, key=lambda name: float(pages[name]["ms"]))
    yield Measured(f"lead.cpu.1000000 ({slow})", pages[slow]["ms"], "ms CPU", MOST_MS)
    cold = max(pages, key=lambda name: float(pages[name]["first"]))
    yield Measured(f"lead.cpu.first ({cold})", pages[cold]["first"], "ms CPU", MOST_MS)
    grown = {name: _growth(pages[name], few["pages"].get(name, {})) for name in pages}
    worst = max(grown, key=lambda name: grown[name])
    yield Measured(f"lead.growth ({worst})", grown[worst], "times", MOST_GROWTH)
    yield Measured("lead.sums.1000000", many["sums"], "s CPU", MOST_COUNT)
    yield Measured("lead.statistics.1000000", many["count"], "s CPU", MOST_COUNT)
    yield Measured("lead.strengths.1000000", _fit(), "s CPU", MOST_FIT)


def _of(data: Path, times: int) -> dict[str, Any]:
    place = Place(data)
    place.prepare(
        comparisons=COMPARISONS,
        overlap=OVERLAP,
        times=times,
        raters=16,
        answered=1.0,
        days=DAYS,
    )
    found: dict[str, Any] = json.loads(place.run("-m", "annotate.bench.lead_visits"))
    return found


def _growth(many: dict[str, float], few: dict[str, float]) -> float:
    return max(many["ms"], LEAST_MS) / max(few.get("ms", LEAST_MS), LEAST_MS)


def _fit() -> float:
    rng = np.random.default_rng(0)
    first, second = rng.integers(CHECKPOINTS, size=(2, VOTES))
    apart = first != second
    first, second = first[apart], second[apart]
    odds = (first - second) / CHECKPOINTS + 0.1
    won = (rng.random(len(first)) < 1 / (1 + np.exp(-odds))).astype(float)
    begun = time.process_time()
    comparing.bradley_terry(*comparing.tables(first, second, won, CHECKPOINTS), side=True)
    return time.process_time() - begun

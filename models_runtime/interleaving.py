"""Fair measurement in one process: A B B A, the first round dropped, medians. Pure.

Interleaved, because a machine that is busy for a minute would otherwise favour whoever was
measured in the other one.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable


def medians(acts: dict[str, Callable[[], float]], *, rounds: int) -> dict[str, float]:
    """The median of what each act returns over 2 x rounds calls.

    A round calls every act in order, then in reverse; one more round comes first and warms up.
    """
    found: dict[str, list[float]] = {name: [] for name in acts}
    for number in range(rounds + 1):
        for name in [*acts, *reversed(acts)]:
            value = acts[name]()
            if number:
                found[name].append(value)
    return {name: statistics.median(values) for name, values in found.items()}

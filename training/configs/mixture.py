"""The frozen sets that a run trains on, and how much of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models_runtime.phrases import phrase
from training.configs.base import BadOption, build

MOST_PARTS = 16


@dataclass(frozen=True, kw_only=True)
class Part:
    """One frozen set of a mixture. ``input`` names the job's input that holds it, ``number`` the
    snapshot's row, for people. ``weight`` is its share of the drawn rows, relative to the other
    parts'. ``own``: of the campaign whose iteration the run belongs to, so that its folds hold."""

    input: str = "snapshot"
    number: int = 0
    weight: float = 1.0
    own: bool = True


ALONE = (Part(),)


def input_name(place: int) -> str:
    """What a part's job input is called, by its place from 0: snapshot, snapshot-2, ..."""
    return "snapshot" if place == 0 else f"snapshot-{place + 1}"


def parse_mixture(data: Sequence[dict[str, Any]]) -> tuple[Part, ...]:
    """The parts that a job's config names; none: its one snapshot. Raises BadOption."""
    parts = tuple(build(Part, row, "a part of a mixture") for row in data)
    if not parts:
        return ALONE
    if len(parts) > MOST_PARTS:
        raise BadOption(phrase("A mixture has at most %(most)s parts.", most=MOST_PARTS))
    for part in parts:
        if not math.isfinite(part.weight) or part.weight <= 0:
            raise BadOption(
                phrase(
                    "The weight of snapshot %(number)s must be above 0, not %(weight)s.",
                    number=str(part.number),
                    weight=f"{part.weight:g}",
                )
            )
    if len({part.number for part in parts}) < len(parts) or parts[0].input != input_name(0):
        raise BadOption(phrase("A mixture names each snapshot once."))
    return parts

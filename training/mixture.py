"""The rows that a run trains on: of one frozen set or of a weighted mixture, after its filters.

Every row that is left out is counted under its reason (training.configs.filters has the filters'),
a comparison as many times as it has pairs, and beside those:

    held out elsewhere   a part of the mixture trains on what the run's own snapshot holds out
    duplicate            the same prompt and answers were read before, where these are dropped
    prompt too long      the model's context has no room for an answer (training.long_prompts)
    beyond its share     the mixture's weights leave no room for it

Rows are drawn by the run's seed, none twice and each part's in their own order, so that every
attempt of a run reads the same rows.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, cast

from models_runtime.jobdir import BadInput
from models_runtime.phrases import phrase, together
from models_runtime.records import Demonstration, Preference, PreferenceRecord, Rated
from training.configs import ALONE, Part, Selection
from training.data import (
    DEMONSTRATIONS,
    PREFERENCES,
    RATINGS,
    read_preferences,
    read_ratings,
    training_records,
)
from training.long_prompts import LONG, Room
from training.task import Task

ELSEWHERE, DUPLICATE, BEYOND = "held out elsewhere", "duplicate", "beyond its share"

Row = PreferenceRecord | Demonstration | Rated
FILES = {PreferenceRecord: PREFERENCES, Demonstration: DEMONSTRATIONS, Rated: RATINGS}
T = TypeVar("T", bound=Row)


def preferences_of(task: Task) -> list[PreferenceRecord]:
    """The comparisons that the run trains on. Raises BadInput when none, or none but ties, is
    left."""
    return training_records(drawn_from(task, read_preferences), task.selection)


def ratings_of(task: Task) -> list[Rated]:
    """The ratings of single answers that the run trains on; none where a part holds no file of
    them. Raises BadInput."""
    folders = [task.job.input_path(part.input) for part in task.mixture]
    if not all((folder / RATINGS).is_file() for folder in folders):
        return []
    return drawn_from(task, read_ratings)


def measured_on(task: Task) -> Task:
    """The task as if it trained on what its own snapshot holds out, whatever its filters: to read
    the rows that it is measured on while it trains. What is left out of these is counted
    nowhere."""
    heldout = Selection("heldout", None, task.selection.iteration)
    return replace(task, selection=heldout, mixture=ALONE, dropped=Counter(), drawn=[], outcome={})


def drawn_from(task: Task, read: Callable[[Path], list[T]]) -> list[T]:
    """What ``read`` finds in each part, as far as the run may train on it and the weights have
    room for it. Raises BadInput where a part of a mixture has nothing for the run."""
    reading = _Reading(task)
    pools = [reading.pool(part, read) for part in task.mixture]
    task.repeated = reading.repeated
    if len(pools) == 1:
        return pools[0]
    counts = shares([len(pool) for pool in pools], [part.weight for part in task.mixture])
    found: list[T] = []
    task.drawn = []
    for part, pool, count in zip(task.mixture, pools, counts, strict=True):
        chosen = _draw(pool, count, f"{task.seed}/{part.input}")
        task.dropped[BEYOND] += sum(map(_pairs, pool)) - sum(map(_pairs, chosen))
        task.drawn.append(
            {"snapshot": part.number, "weight": part.weight, "rows": len(pool), "drawn": count}
        )
        found += chosen
    return found


def shares(sizes: Sequence[int], weights: Sequence[float]) -> list[int]:
    """How many rows of each part are drawn: in the ratio of the weights, and as many as there are
    without taking one twice; of each part one at least.

    >>> shares([300, 100, 500], [2, 1, 1])
    [200, 100, 100]
    """
    most = min(size / weight for size, weight in zip(sizes, weights, strict=True))
    return [max(1, math.floor(weight * most + 1e-9)) for weight in weights]


def _draw(pool: list[T], count: int, seed: str) -> list[T]:
    places = sorted(random.Random(seed).sample(range(len(pool)), count))
    return [pool[place] for place in places]


@dataclass
class _Reading:
    """The parts while they are read, one after another."""

    task: Task

    def __post_init__(self) -> None:
        self.room = Room(self.task)
        self.repeated = 0
        self.seen: set[tuple[str, ...]] = set()
        self.heldout: set[str] = set()

    def pool(self, part: Part, read: Callable[[Path], list[T]]) -> list[T]:
        """What the run may train on of a part."""
        lost: Counter[str] = Counter()
        rows: Sequence[Row] = read(self.task.job.input_path(part.input))
        if not part.own:
            # Its folds and iterations are another campaign's: nothing here is judged by them.
            rows = [replace(row, fold="policy", iteration=0) for row in rows]
        selected = [row for row in rows if self.task.selection.keeps(row)]
        ours = list(self._not_heldout(selected, lost))
        filtered = [left for row in ours if (left := self._filtered(row, lost)) is not None]
        found = [left for row in filtered if (left := self._once(row, lost)) is not None]
        if found:
            found, too_long = self.room.kept(found, rows, FILES[type(found[0])])
            for row in too_long:
                lost[LONG] += _pairs(row)
        if part is self.task.mixture[0] and self.task.selection.split == "train":
            self.heldout = {key for row in rows if row.split == "heldout" for key in _about(row)}
        self.task.dropped.update(lost)
        if not found and (len(self.task.mixture) > 1 or +lost):
            self._refuse(part, lost)
        return cast(list[T], found)

    def _refuse(self, part: Part, lost: Counter[str]) -> None:
        if len(self.task.mixture) == 1:
            self.task.require([])
        said = [phrase("%(n)s %(why)s", n=n, why=phrase(w)) for w, n in sorted((+lost).items())]
        number = str(part.number)
        if not said:
            raise BadInput(
                phrase(
                    "Snapshot %(number)s of the mixture has no row that this run may train on.",
                    number=number,
                )
            )
        raise BadInput(
            phrase(
                "Nothing of snapshot %(number)s of the mixture is left to train on (%(why)s).",
                number=number,
                why=together(", ", said),
            )
        )

    def _not_heldout(self, rows: Iterable[Row], lost: Counter[str]) -> Iterable[Row]:
        """Without what the run is measured on: another file may split its prompts otherwise."""
        for row in rows:
            if self.heldout and self.heldout & _about(row):
                lost[ELSEWHERE] += _pairs(row)
            else:
                yield row

    def _filtered(self, row: Row, lost: Counter[str]) -> Row | None:
        filters = self.task.selection.filters
        why = filters.why_not(row)
        if isinstance(row, PreferenceRecord):
            why = why or filters.why_not_agreed(row.agreement)
        if why:
            lost[why] += _pairs(row)
            return None
        if not isinstance(row, PreferenceRecord):
            return row
        strong = []
        for stated in row.preferences:
            weak = filters.why_not_as_strong(stated.strength)
            lost.update([weak] if weak else [])
            strong += [] if weak else [stated]
        return _with(row, strong)

    def _once(self, row: Row, lost: Counter[str]) -> Row | None:
        """The row without what was read before, where that is to be dropped; counted anyway."""
        if isinstance(row, PreferenceRecord):
            texts = {one.id: one.text for one in row.completions}
            new = [
                stated
                for stated in row.preferences
                if self._is_kept(row, lost, texts[stated.chosen], texts[stated.rejected])
            ]
            return _with(row, new)
        text = row.completion.text if isinstance(row, Rated) else row.completion
        return row if self._is_kept(row, lost, text) else None

    def _is_kept(self, row: Row, lost: Counter[str], *texts: str) -> bool:
        key = (json.dumps(row.messages), *texts)
        if key not in self.seen:
            self.seen.add(key)
            return True
        if self.task.selection.filters.duplicates == "keep":
            self.repeated += 1
            return True
        lost[DUPLICATE] += 1
        return False


def _with(row: PreferenceRecord, preferences: list[Preference]) -> PreferenceRecord | None:
    """The comparison with these pairs; None where nothing is left of it."""
    if len(preferences) == len(row.preferences):
        return row
    left = preferences or row.ties
    return replace(row, preferences=preferences) if left else None


def _pairs(row: Row) -> int:
    """What a row counts as when it is left out: a comparison's pairs; anything else is one."""
    return len(row.preferences) + len(row.ties) if isinstance(row, PreferenceRecord) else 1


def _about(row: Row) -> set[str]:
    """What an item held out is known by: its name, and the conversation itself."""
    asked = [message for message in row.messages if message["role"] != "system"]
    return {json.dumps(asked), *([f"item {row.item}"] if row.item else [])}

"""Answers judged one by one, good or bad: from thumbs, ratings or the sides of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from models_runtime.jobdir import BadInput
from models_runtime.phrases import phrase
from models_runtime.records import Message, PreferenceRecord, Rated, SnapshotCompletion
from training.mixture import preferences_of, ratings_of
from training.task import Task

MIDDLE = 0.5  # of a rating's scale


@dataclass(frozen=True)
class Thumb:
    """An answer to make likelier (``up``) or less likely. ``ended`` is false for one that the
    sampler cut off."""

    prompt_id: int
    messages: list[Message]
    text: str
    ended: bool
    up: bool


def read_thumbs(task: Task, source: str) -> list[Thumb]:
    """What the run may train on of the snapshot's thumbs, ratings or pairs; ``auto`` takes the
    first of these that it has. Raises BadInput when there is none."""
    rated = ratings_of(task) if source != "pairs" else []
    thumbs = [_thumb(row, row.desirable) for row in rated if row.desirable is not None]
    if source == "thumbs" or (source == "auto" and thumbs):
        return _found(thumbs, phrase("The snapshot holds no thumb that this run may train on."))
    ratings = list(_by_rating(task, rated))
    if source == "ratings" or (source == "auto" and ratings):
        return _found(ratings, phrase("The snapshot holds no rating that this run may train on."))
    return list(_by_side(task, preferences_of(task)))


def _found(thumbs: list[Thumb], otherwise: str) -> list[Thumb]:
    if not thumbs:
        raise BadInput(otherwise)
    return thumbs


def _thumb(row: Rated, up: bool) -> Thumb:
    return _of(row.prompt_id, row.messages, row.completion, up)


def _of(
    prompt_id: int, messages: list[Message], completion: SnapshotCompletion, up: bool
) -> Thumb:
    ended = completion.finish_reason != "length"
    return Thumb(prompt_id, messages, completion.text, ended, up)


def _by_rating(task: Task, rated: Iterable[Rated]) -> Iterator[Thumb]:
    """What is rated above the middle of its scale is good, below it bad."""
    for row in rated:
        if row.overall is None:
            continue
        if row.overall == MIDDLE:
            task.dropped["in the middle"] += 1
        else:
            yield _thumb(row, row.overall > MIDDLE)


def _by_side(task: Task, records: Iterable[PreferenceRecord]) -> Iterator[Thumb]:
    """What is preferred more often than not within its comparison is good, less often bad."""
    for record in records:
        wins = Counter(pair.chosen for pair in record.preferences)
        wins.subtract(pair.rejected for pair in record.preferences)
        for completion in record.completions:
            if wins[completion.id]:
                up = wins[completion.id] > 0
                yield _of(record.prompt_id, record.messages, completion, up)
            elif completion.id in wins:
                task.dropped["in the middle"] += 1

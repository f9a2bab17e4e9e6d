"""Answers of a snapshot that are there to be imitated: written by people, or preferred by them."""

from __future__ import annotations

from pathlib import Path

from models_runtime.records import Demonstration, PreferenceRecord, SnapshotCompletion
from training.data import DEMONSTRATIONS, read_demonstrations, read_preferences
from training.mixture import drawn_from
from training.task import Task


def demonstrations_of(task: Task) -> list[Demonstration]:
    """The demonstrations that the run may train on; a snapshot of comparisons alone holds none,
    and then its preferred completions serve (the Preferred-FT baseline of Rafailov et al., 2023),
    but for those that were cut off: imitated, they would teach to end in the middle."""
    rows: list[Demonstration] = []
    for found in drawn_from(task, _read):
        rows += [found] if isinstance(found, Demonstration) else _preferred(task, found)
    return rows


def _read(snapshot: Path) -> list[Demonstration | PreferenceRecord]:
    if (snapshot / DEMONSTRATIONS).is_file():
        return [*read_demonstrations(snapshot)]
    return [*read_preferences(snapshot)]


def _preferred(task: Task, record: PreferenceRecord) -> list[Demonstration]:
    found = preferred(record)
    whole = [completion for completion in found if completion.finish_reason != "length"]
    task.dropped["cut off"] += len(found) - len(whole)
    return [_shown(record, completion.text) for completion in whole]


def preferred(record: PreferenceRecord) -> list[SnapshotCompletion]:
    """Every completion that is preferred over another and over which none is."""
    chosen = {pair.chosen for pair in record.preferences}
    best = chosen - {pair.rejected for pair in record.preferences}
    return [completion for completion in record.completions if completion.id in best]


def _shown(record: PreferenceRecord, text: str) -> Demonstration:
    return Demonstration(
        prompt_id=record.prompt_id,
        iteration=record.iteration,
        item=record.item,
        split=record.split,
        fold=record.fold,
        messages=record.messages,
        completion=text,
    )

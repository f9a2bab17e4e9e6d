"""Answers of a snapshot that are there to be imitated: written by people, or preferred by them."""

from __future__ import annotations

from models_runtime.records import Demonstration, PreferenceRecord, SnapshotCompletion
from training.data import DEMONSTRATIONS, read_demonstrations, read_preferences
from training.task import Task


def demonstrations_of(task: Task) -> list[Demonstration]:
    """The snapshot's demonstrations; a snapshot of comparisons alone holds none, and then its
    preferred completions serve (the Preferred-FT baseline of Rafailov et al., 2023), but for
    those that were cut off: imitated, they would teach to end in the middle."""
    snapshot = task.job.input_path("snapshot")
    if (snapshot / DEMONSTRATIONS).is_file():
        return read_demonstrations(snapshot)
    rows: list[Demonstration] = []
    for record in read_preferences(snapshot):
        found = preferred(record)
        whole = [completion for completion in found if completion.finish_reason != "length"]
        if task.selection.keeps(record):
            task.dropped["cut off"] += len(found) - len(whole)
        rows += [_shown(record, completion.text) for completion in whole]
    return rows


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

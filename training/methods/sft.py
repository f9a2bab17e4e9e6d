"""Supervised fine-tuning through TRL: cross-entropy on completion tokens only."""

from __future__ import annotations

from pathlib import Path

from models_runtime.jobdir import BadInput
from models_runtime.loading import load_policy, load_tokenizer
from models_runtime.records import PreferenceRecord
from training.data import (
    DEMONSTRATIONS,
    Demonstration,
    Encoder,
    read_demonstrations,
    read_preferences,
)
from training.task import Task
from training.trl_adapter import fit_sft


def train(task: Task) -> None:
    """Inputs policy and snapshot -> a policy, from the snapshot's demonstrations.

    A snapshot of comparisons alone holds none; then the preferred completions are what is
    imitated (the Preferred-FT baseline of Rafailov et al., 2023).
    """
    policy = task.job.input_path("policy")
    tokenizer = load_tokenizer(policy)
    demonstrations = _demonstrations(task.job.input_path("snapshot"))
    kept = [row for row in demonstrations if task.selection.keeps(row)]
    if not kept:
        raise BadInput("The snapshot holds no demonstration that this run may train on.")
    rows = demonstration_rows(task, kept, Encoder(tokenizer, task.config.max_length))
    task.require(rows)
    model = load_policy(policy, for_training=True)
    metrics = fit_sft(task, model, tokenizer, rows)
    task.publish_model(model, tokenizer)
    task.finish({"train": metrics}, len(rows))


def _demonstrations(snapshot: Path) -> list[Demonstration]:
    if (snapshot / DEMONSTRATIONS).is_file():
        return read_demonstrations(snapshot)
    return [row for record in read_preferences(snapshot) for row in _preferred(record)]


def _preferred(record: PreferenceRecord) -> list[Demonstration]:
    """Every completion that is preferred over another and over which none is."""
    chosen = {pair.chosen for pair in record.preferences}
    best = chosen - {pair.rejected for pair in record.preferences}
    return [
        Demonstration(
            prompt_id=record.prompt_id,
            iteration=record.iteration,
            item=record.item,
            split=record.split,
            fold=record.fold,
            messages=record.messages,
            completion=completion.text,
        )
        for completion in record.completions
        if completion.id in best
    ]


def demonstration_rows(
    task: Task, demonstrations: list[Demonstration], encoder: Encoder
) -> list[dict[str, list[int]]]:
    """One row {input_ids, completion_mask} a demonstration; every completion ends with EOS."""
    rows = []
    for demonstration in demonstrations:
        row = encoder.encode(demonstration.messages, demonstration.completion)
        if row is None:
            task.dropped["too long"] += 1
            continue
        rows.append({"input_ids": row.ids, "completion_mask": row.completion_mask})
    return rows

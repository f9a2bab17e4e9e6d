"""Supervised fine-tuning through TRL: cross-entropy on completion tokens only."""

from __future__ import annotations

from models_runtime.jobdir import BadInput
from models_runtime.loading import load_policy, load_tokenizer
from training.data import Demonstration, Encoder, read_demonstrations
from training.task import Task
from training.trl_adapter import fit_sft


def train(task: Task) -> None:
    """Inputs policy and snapshot (demonstrations.jsonl) -> a policy."""
    policy = task.job.input_path("policy")
    tokenizer = load_tokenizer(policy)
    demonstrations = read_demonstrations(task.job.input_path("snapshot"))
    kept = [row for row in demonstrations if task.selection.keeps(row)]
    if not kept:
        raise BadInput("The snapshot holds no demonstration that this run may train on.")
    rows = demonstration_rows(task, kept, Encoder(tokenizer, task.config.max_length))
    task.require(rows)
    model = load_policy(policy, for_training=True)
    metrics = fit_sft(task, model, tokenizer, rows)
    task.publish_model(model, tokenizer)
    task.finish({"train": metrics}, len(rows))


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

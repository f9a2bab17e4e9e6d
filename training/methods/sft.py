"""Supervised fine-tuning through TRL: cross-entropy on completion tokens only."""

from __future__ import annotations

from models_runtime.jobdir import BadInput
from models_runtime.phrases import phrase
from models_runtime.records import Demonstration
from training.data import Encoder
from training.demonstrations import demonstrations_of
from training.mixture import measured_on
from training.task import Task
from training.trl_adapter import fit_sft


def train(task: Task) -> None:
    """Inputs policy and snapshot -> a policy, from the snapshot's demonstrations.

    A snapshot of comparisons alone holds none; then the preferred completions are what is
    imitated (the Preferred-FT baseline of Rafailov et al., 2023).
    """
    policy = task.job.input_path("policy")
    encoder = Encoder.of(policy, task.config)
    demonstrations = demonstrations_of(task)
    kept = [row for row in demonstrations if task.selection.keeps(row)]
    if not kept:
        raise BadInput(phrase("The snapshot holds no demonstration that this run may train on."))
    rows = demonstration_rows(task, kept, encoder)
    task.require(rows)
    heldout = heldout_rows(task)
    model = task.policy_to_train()
    metrics = fit_sft(task, model, encoder.tokenizer, rows, heldout)
    task.publish_model(model, encoder.tokenizer)
    task.finish({"train": metrics}, len(rows), encoder.prompts_cut)


def heldout_rows(task: Task) -> list[dict[str, list[int]]]:
    """Those of held-out prompts, where the options ask to measure on them; counted nowhere."""
    if not task.config.eval_every:
        return []
    beside = measured_on(task)
    encoder = Encoder.of(task.job.input_path("policy"), task.config)
    return demonstration_rows(beside, demonstrations_of(beside), encoder)


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

"""Direct preference optimisation through TRL, from the ordered pairs of a snapshot."""

from __future__ import annotations

from pathlib import Path

from models_runtime.jobdir import sha256_of
from models_runtime.loading import load_policy, load_tokenizer
from models_runtime.records import Preference, PreferenceRecord
from training.data import Encoder, read_preferences, training_records
from training.task import Task
from training.trl_adapter import fit_dpo


def train(task: Task) -> None:
    """Inputs policy, snapshot and optionally reference (default: the policy) -> a policy."""
    policy = task.job.input_path("policy")
    has_reference = "reference" in task.job.inputs()
    reference = task.job.input_path("reference") if has_reference else policy
    tokenizer = load_tokenizer(policy)
    records = read_preferences(task.job.input_path("snapshot"))
    kept = training_records(records, task.selection)
    rows = preference_rows(task, kept, Encoder(tokenizer, task.config.max_length))
    task.require(rows)
    model = load_policy(policy, for_training=True)
    # float32 like the model: in bfloat16 the same weights give other log-probabilities.
    frozen = load_policy(reference, for_training=True).eval().requires_grad_(False)
    same = _weights(reference) == _weights(policy)
    metrics = fit_dpo(task, model, frozen, tokenizer, rows, same_start=same)
    task.publish_model(model, tokenizer)
    task.finish({"train": metrics}, len(rows))


def preference_rows(
    task: Task, records: list[PreferenceRecord], encoder: Encoder
) -> list[dict[str, list[int]]]:
    """One row {prompt_ids, chosen_ids, rejected_ids} for every ordered pair that can be used."""
    rows = []
    for record in records:
        task.dropped["tied"] += len(record.ties)
        for preference in record.preferences:
            row = _row(task, record, preference, encoder)
            if row is not None:
                rows.append(row)
    return rows


def _row(
    task: Task, record: PreferenceRecord, stated: Preference, encoder: Encoder
) -> dict[str, list[int]] | None:
    by_id = {completion.id: completion for completion in record.completions}
    chosen, rejected = by_id[stated.chosen], by_id[stated.rejected]
    if chosen.text == rejected.text:
        task.dropped["identical texts"] += 1
        return None
    if chosen.finish_reason == "length":
        task.dropped["cut off"] += 1
        return None
    first = encoder.encode(record.messages, chosen.text)
    ended = rejected.finish_reason != "length"
    second = encoder.encode(record.messages, rejected.text, ended=ended)
    if first is None or second is None:
        task.dropped["too long"] += 1
        return None
    start = first.prompt_length
    return {
        "prompt_ids": first.ids[:start],
        "chosen_ids": first.ids[start:],
        "rejected_ids": second.ids[start:],
    }


def _weights(folder: Path) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in sorted(folder.glob("*.safetensors"))}

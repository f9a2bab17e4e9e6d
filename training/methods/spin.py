"""Self-play fine-tuning through TRL's DPO: people's answers over the policy's own (SPIN, Chen et
al., 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from models_runtime.jobdir import BadInput
from models_runtime.loading import load_policy
from models_runtime.phrases import phrase
from models_runtime.records import (
    Demonstration,
    Message,
    PromptRecord,
    Sampler,
    jsonl_line,
    read_jsonl,
)
from training.configs.preferences import SPINConfig
from training.data import Encoder
from training.demonstrations import demonstrations_of
from training.sampling import sample
from training.task import Task
from training.trl_adapter import LibraryLoss, fit_dpo

OWN = "own.jsonl"  # beside the policy: this iteration's pairs, for the next one to mix in


@dataclass(frozen=True)
class Duel:
    """A person's answer and the policy's own to the same prompt."""

    messages: list[Message] = field(default_factory=list)
    real: str = ""
    own: str = ""
    own_ended: bool = True


def train(task: Task) -> None:
    """Inputs policy and snapshot, optionally earlier (own.jsonl of the iteration before, or the
    folder that holds it) -> a policy, with own.jsonl beside it.

    The opponent and the reference are the policy it starts from. Samples are read back from
    their shards when a run goes on, so every attempt trains on the same rows.
    """
    policy = task.job.input_path("policy")
    encoder = Encoder.of(policy, task.config)
    real = [row for row in _real(task) if task.selection.keeps(row)]
    if not real:
        raise BadInput(phrase("The snapshot holds no demonstration that this run may train on."))
    task.adapters.refuse_misfit(policy)
    duels = _duels(task, real)
    rows = [
        row for duel in [*duels, *_earlier(task)] if (row := _row(task, duel, encoder)) is not None
    ]
    task.require(rows)
    model = task.policy_to_train()
    loss = LibraryLoss("sigmoid", task.config.beta)
    metrics = fit_dpo(
        task,
        model,
        partial(_opponent, task, model),
        encoder.tokenizer,
        rows,
        loss,
        same_start=not task.adapters.words,
    )
    task.publish_model(model, encoder.tokenizer, {OWN: "".join(map(jsonl_line, duels))})
    task.finish({"train": metrics}, len(rows), encoder.prompts_cut)


def _opponent(task: Task, model: Any) -> Any:
    """The policy as training starts: beside an adapter that is what it is on."""
    if task.adapters.tuners:
        return task.adapters.without(model)
    policy = task.job.input_path("policy")
    return load_policy(policy, for_training=True).eval().requires_grad_(False)


def _real(task: Task) -> list[Demonstration]:
    return demonstrations_of(task)


def _duels(task: Task, real: Sequence[Demonstration]) -> list[Duel]:
    """One sample for every answer to be imitated, under its prompt."""
    config: SPINConfig = task.config
    prompts = [PromptRecord(number, row.messages, row.item) for number, row in enumerate(real)]
    sampler = Sampler(
        "policy", 1, config.temperature, config.top_p, config.max_new_tokens, task.seed
    )
    folder = task.job.input_path("policy")
    name, unit = "own answers", "prompts sampled"
    found = sample(task.job, name, folder, prompts, sampler, config.sampling_batch, unit)
    return [
        Duel(row.messages, row.completion, one.text, one.finish_reason != "length")
        for row, one in zip(real, found, strict=True)
    ]


def _earlier(task: Task) -> list[Duel]:
    """The pairs of the iteration before, where it made some and the option asks for them."""
    if not task.config.earlier or "earlier" not in task.job.inputs():
        return []
    path = task.job.input_path("earlier")
    path = path / OWN if path.is_dir() else path
    try:
        return list(read_jsonl(path, Duel)) if path.is_file() else []
    except (ValueError, TypeError) as error:
        raise BadInput(
            phrase(
                "%(name)s of an earlier iteration is malformed (%(error)s).",
                name=OWN,
                error=str(error),
            )
        ) from error


def _row(task: Task, duel: Duel, encoder: Encoder) -> dict[str, Any] | None:
    """The own answer is the rejected side, as it was drawn: without an end if it was cut off."""
    if duel.real == duel.own:
        task.dropped["identical texts"] += 1
        return None
    real = encoder.encode(duel.messages, duel.real)
    own = encoder.encode(duel.messages, duel.own, ended=duel.own_ended)
    if real is None or own is None:
        task.dropped["too long"] += 1
        return None
    start = real.prompt_length
    return {
        "prompt_ids": real.ids[:start],
        "chosen_ids": real.ids[start:],
        "rejected_ids": own.ids[start:],
    }

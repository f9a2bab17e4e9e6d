"""The samples on which a reward model's rewards get mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models_runtime.chat import Encoded
from models_runtime.jobdir import BadInput
from models_runtime.phrases import phrase
from models_runtime.records import PreferenceRecord, PromptRecord, Rated, Sampler
from training.data import DEMONSTRATIONS, Encoder, read_demonstrations
from training.reward_models import Normalisation, head_scores
from training.sampling import encoded, sample
from training.task import Task

if TYPE_CHECKING:
    from torch.nn import Module

MOST_SAMPLES = 256  # prompts, one sample each: the mean is then known to a sixteenth of its unit
SAMPLING_BATCH = 64


@dataclass(frozen=True)
class References:
    """Rows to score once the model is trained, and what they are: configs.reward.REFERENCES."""

    on: str
    rows: Sequence[Encoded]

    @classmethod
    def of(
        cls,
        task: Task,
        encoder: Encoder,
        records: Iterable[PreferenceRecord | Rated],
        answers: Sequence[Encoded],
    ) -> References:
        """As the option ``normalise`` asks; chosen before training, so that a run which lacks
        them ends at once. Raises BadInput."""
        on = task.config.normalise
        if on == "none":
            return cls(on, [])
        if on == "answers":
            return cls(on, answers)
        rows = _demonstrations(task, encoder) if on == "demonstrations" else None
        return cls(on, rows if rows is not None else _samples(task, encoder, records))

    def normalisation(self, model: Module) -> Normalisation:
        if not self.rows:
            return Normalisation()
        return Normalisation.fitted(head_scores(model, self.rows), self.on)


def _demonstrations(task: Task, encoder: Encoder) -> list[Encoded]:
    """InstructGPT's choice: what labelers wrote has a mean score of 0."""
    snapshot = task.job.input_path("snapshot")
    found = read_demonstrations(snapshot) if (snapshot / DEMONSTRATIONS).is_file() else []
    kept = [row for row in found if task.selection.keeps(row)]
    rows = [encoder.encode(row.messages, row.completion) for row in kept]
    fitting = [row for row in rows if row is not None]
    if not fitting:
        raise BadInput(
            phrase(
                "The snapshot holds no demonstration to normalise rewards on: choose another "
                "value of normalise."
            )
        )
    return fitting


def _samples(
    task: Task, encoder: Encoder, records: Iterable[PreferenceRecord | Rated]
) -> list[Encoded]:
    """Ziegler et al.'s choice: the policy's own samples, at temperature 1."""
    found: dict[int, PromptRecord] = {}
    for record in records:
        row = PromptRecord(record.prompt_id, record.messages, record.item)
        found.setdefault(record.prompt_id, row)
    prompts = list(found.values())[:MOST_SAMPLES]
    longest = task.config.max_new_tokens
    sampler = Sampler("policy", 1, 1.0, 1.0, longest, task.seed)
    policy = task.job.input_path("policy")
    drawn = sample(
        task.job, "reference samples", policy, prompts, sampler, SAMPLING_BATCH, "prompts sampled"
    )
    rows, _ = encoded(encoder.tokenizer, prompts, drawn, encoder.context, longest)
    return rows

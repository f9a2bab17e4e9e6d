"""Samples of a checkpoint inside a training or evaluation job, in shards that survive a kill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models_runtime.backends import Generated, LocalBackend
from models_runtime.chat import Encoded, encode_prompt, fit_prompt, tuned_words
from models_runtime.jobdir import BadInput, JobDir, write_atomically
from models_runtime.loading import load_policy, load_tokenizer
from models_runtime.phrases import phrase
from models_runtime.records import (
    FinishReason,
    Progress,
    PromptRecord,
    Sampler,
    jsonl_line,
    read_jsonl,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SHARD_SEQUENCES = 512  # a shard is the unit of resume: some seconds of a small model


@dataclass(frozen=True)
class Sample:
    """One completion with the token ids that were drawn, EOS included when it ended."""

    prompt_id: int
    index: int
    text: str
    finish_reason: FinishReason
    ids: list[int]


def read_prompts(path: Path) -> list[PromptRecord]:
    """JSON lines of PromptRecord. Raises BadInput when there is none, or one is malformed."""
    try:
        prompts = list(read_jsonl(path, PromptRecord))
    except OSError as error:
        raise BadInput(phrase("The file of prompts could not be read.")) from error
    except (ValueError, TypeError) as error:
        raise BadInput(
            phrase("The file of prompts is malformed (%(error)s).", error=str(error))
        ) from error
    if not prompts:
        raise BadInput(phrase("There is no prompt to sample from."))
    return prompts


def sample(
    job: JobDir,
    name: str,
    checkpoint: Path,
    prompts: Sequence[PromptRecord],
    sampler: Sampler,
    batch_size: int,
    unit: str = "prompts",
) -> list[Sample]:
    """k samples for every prompt, by prompt in the order given, then by index. ``unit`` is what a
    progress bar counts.

    Shards that an earlier attempt finished under this name are read back, not drawn again. Every
    sample has its own random numbers, so the result is the same either way.
    """
    size = max(1, SHARD_SEQUENCES // sampler.k)
    shards = [list(prompts[start : start + size]) for start in range(0, len(prompts), size)]
    drawing = _Drawing(job, checkpoint, sampler, batch_size)
    found: list[Sample] = []
    for number, shard in enumerate(shards):
        found += _shard(job, f"{name}-{number}.jsonl", shard, drawing)
        job.progress(Progress(min(len(prompts), (number + 1) * size), len(prompts), unit))
    return found


class _Drawing:
    """Draws shards from a checkpoint, which is loaded when the first shard is missing."""

    def __init__(self, job: JobDir, checkpoint: Path, sampler: Sampler, batch_size: int) -> None:
        self.job = job
        self.checkpoint = checkpoint
        self.sampler = sampler
        self.batch_size = batch_size
        self._backend: LocalBackend | None = None

    def draw(self, prompts: Sequence[PromptRecord]) -> list[Sample]:
        if self._backend is None:
            model, tokenizer = load_policy(self.checkpoint), load_tokenizer(self.checkpoint)
            self._backend = LocalBackend(model, tokenizer, self.batch_size)
        found: list[Generated] = []
        for batch in self._backend.stream(prompts, self.sampler):
            self.job.check_stop()
            found += batch
        place = {prompt.id: number for number, prompt in enumerate(prompts)}
        found.sort(key=lambda row: (place[row.prompt_id], row.index))
        return [Sample(r.prompt_id, r.index, r.text, r.finish_reason, r.ids) for r in found]


def _shard(
    job: JobDir, name: str, prompts: Sequence[PromptRecord], drawing: _Drawing
) -> list[Sample]:
    for _, folder in job.attempts():
        path = folder / "shards" / name
        if path.is_file():
            return list(read_jsonl(path, Sample))
    rows = drawing.draw(prompts)
    path = job.folder / "shards" / name
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, "".join(map(jsonl_line, rows)))
    return rows


def encoded(
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[PromptRecord],
    samples: Sequence[Sample],
    context: int,
    longest: int,
) -> tuple[list[Encoded], int]:
    """The samples as rows, the very tokens that were drawn after their prompt, and how many of
    the prompts the sampler cut, which left room for ``longest`` tokens in its ``context``."""
    starts, cut, tuned = {}, 0, tuned_words(tokenizer).values()
    for prompt in prompts:
        ids = encode_prompt(tokenizer, prompt.messages)
        starts[prompt.id], gone = fit_prompt(ids, context, longest, tuned)
        cut += gone > 0
    rows = []
    for one in samples:
        start = starts[one.prompt_id]
        rows.append(Encoded(start + one.ids, [0] * len(start) + [1] * len(one.ids)))
    return rows, cut

"""The sample job: ``python -m models_runtime.sample DIR`` draws completions for prompts.

The work is cut into shards (some prompts of one sampler), each written whole to
``attempt-N/shards/``; a later attempt takes over every shard that is there. As each completion
has its own random numbers, a job that was killed gives the very bytes of one that was not.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models_runtime import loading
from models_runtime.backends import BACKENDS, Generated
from models_runtime.embeddings import embed_in_steps
from models_runtime.jobdir import (
    BadInput,
    JobDir,
    fsync_folder,
    publish,
    run_entry,
    write_atomically,
)
from models_runtime.phrases import phrase
from models_runtime.records import (
    CompletionRecord,
    Progress,
    PromptRecord,
    SampleConfig,
    from_dict,
    jsonl_line,
    read_jsonl,
)

COMPLETIONS, EMBEDDINGS = "completions.jsonl", "embeddings.npy"


@dataclass(frozen=True)
class Shard:
    """Some prompts of one sampler: the unit of resume."""

    number: int
    sampler: int
    prompts: list[PromptRecord]

    @property
    def name(self) -> str:
        return f"{self.number:05d}.jsonl"


class Models:
    """The checkpoint in memory: one at a time, loaded when it is first needed."""

    def __init__(self, job: JobDir, longest: dict[str, int]) -> None:
        """``longest``: by checkpoint, the most tokens that an answer of it may have."""
        self.job = job
        self.longest = longest
        self.provenance: dict[str, dict[str, str]] = {}
        self._name = ""
        self._held: tuple[PreTrainedModel, PreTrainedTokenizerBase] | None = None

    def get(self, name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        if self._held is None or self._name != name:
            self._held = None  # let go of the last one before the next takes its memory
            folder = self.job.input_path(name)
            _refuse_no_room(folder, self.longest.get(name, 0))
            tokenizer = loading.load_tokenizer(folder)
            self.provenance[name] = loading.fingerprints(folder, tokenizer)
            self._held = loading.load_policy(folder), tokenizer
            self._name = name
        return self._held


def main(job: JobDir) -> None:
    """Sample every shard that no attempt has finished, then publish all completions."""
    loading.use_one_thread_when_asked()
    started = time.monotonic()
    config = _config(job)
    shards = plan(config, list(read_jsonl(job.input_path("prompts"), PromptRecord)))
    models = Models(job, longest_of(config))
    rows = [row for done in _all_shards(job, config, shards, models) for row in done]
    rows.sort(key=lambda row: (row.prompt_id, row.sampler, row.index))
    vectors = _embeddings(job, config, models, rows)
    _publish(job, rows, vectors)
    seconds = round(time.monotonic() - started, 3)
    job.finish({**counts(rows), "seconds": seconds, "checkpoints": models.provenance})


def plan(config: SampleConfig, prompts: Sequence[PromptRecord]) -> list[Shard]:
    """Every (sampler, prompt) in exactly one shard; prompts of like length lie together."""
    ids = [prompt.id for prompt in prompts]
    if len(set(ids)) < len(ids):
        raise BadInput(phrase("The same prompt id appears twice in the job's prompts."))
    ordered = sorted(prompts, key=lambda prompt: (_length(prompt), prompt.id))
    starts = range(0, len(ordered), config.shard_size)
    pieces = [
        (sampler, ordered[start : start + config.shard_size])
        for sampler in range(len(config.samplers))
        for start in starts
    ]
    return [Shard(number, *piece) for number, piece in enumerate(pieces)]


def counts(rows: Sequence[CompletionRecord]) -> dict[str, int]:
    """What a person wants to know about a batch of completions."""
    return {
        "completions": len(rows),
        "tokens": sum(row.token_count for row in rows),
        "truncated": sum(row.finish_reason == "length" for row in rows),
        "empty": sum(not row.text.strip() for row in rows),
        "duplicates": len(rows) - len({(row.prompt_id, row.text) for row in rows}),
        "prompts_cut": len({row.prompt_id for row in rows if row.prompt_cut}),
    }


def _config(job: JobDir) -> SampleConfig:
    try:
        config = from_dict(SampleConfig, job.spec()["config"])
    except (KeyError, TypeError) as error:
        raise BadInput(f"The sample job's configuration is not valid: {error}.") from error
    if not config.samplers or any(sampler.k < 1 for sampler in config.samplers):
        raise BadInput("A sample job needs at least one sampler, each with k of 1 or more.")
    if config.batch_size < 0 or config.shard_size < 1:
        raise BadInput("batch_size must be 0 or more, and shard_size 1 or more.")
    return config


def longest_of(config: SampleConfig) -> dict[str, int]:
    """By checkpoint, the most tokens that an answer of it may have."""
    found: dict[str, int] = {}
    for one in config.samplers:
        found[one.checkpoint] = max(found.get(one.checkpoint, 0), one.max_new_tokens)
    return found


def _refuse_no_room(folder: Path, longest: int) -> None:
    """A prompt that does not fit loses its oldest tokens; all of them it cannot lose."""
    context = loading.context_length_in(folder)
    if context and longest >= context:
        raise BadInput(
            phrase(
                "An answer of %(answer)s tokens leaves a prompt no room in the model's context of "
                "%(context)s: lower max_new_tokens.",
                answer=longest,
                context=context,
            )
        )


def _length(prompt: PromptRecord) -> int:
    return sum(len(message["content"]) for message in prompt.messages)


def _all_shards(
    job: JobDir, config: SampleConfig, shards: Sequence[Shard], models: Models
) -> Iterator[list[CompletionRecord]]:
    total = sum(len(shard.prompts) * config.samplers[shard.sampler].k for shard in shards)
    done = 0
    for shard in shards:
        rows = _finished_shard(job, shard, config)
        if rows is None:
            rows = _sample_shard(job, shard, config, models, (done, total))
            _write_shard(job, shard, rows)
        done += len(rows)
        job.progress(Progress(done, total, "completions"))
        yield rows


def _finished_shard(
    job: JobDir, shard: Shard, config: SampleConfig
) -> list[CompletionRecord] | None:
    """The shard as this or an earlier attempt wrote it; None when none has it whole."""
    wanted = len(shard.prompts) * config.samplers[shard.sampler].k
    for _, folder in job.attempts():
        path = folder / "shards" / shard.name
        if path.is_file():
            rows = list(read_jsonl(path, CompletionRecord))
            if len(rows) == wanted:
                return rows
    return None


def _sample_shard(
    job: JobDir, shard: Shard, config: SampleConfig, models: Models, reached: tuple[int, int]
) -> list[CompletionRecord]:
    started = time.monotonic()
    sampler = config.samplers[shard.sampler]
    backend = BACKENDS["local"](*models.get(sampler.checkpoint), config.batch_size)
    rows: list[CompletionRecord] = []
    job.check_stop()
    for batch in backend.stream(shard.prompts, sampler, shard.sampler):
        rows += [_record(row, shard.sampler, sampler.seed) for row in batch]
        job.progress(Progress(reached[0] + len(rows), reached[1], "completions"))
        job.check_stop()
    tokens = sum(row.token_count for row in rows)
    seconds = time.monotonic() - started
    job.log_metrics(shard.number, tokens=tokens, seconds=seconds, completions=len(rows))
    return sorted(rows, key=lambda row: (row.prompt_id, row.index))


def _record(row: Generated, sampler: int, seed: int) -> CompletionRecord:
    return CompletionRecord(
        prompt_id=row.prompt_id,
        sampler=sampler,
        index=row.index,
        text=row.text,
        finish_reason=row.finish_reason,
        token_count=len(row.ids),
        seed=seed,
        prompt_cut=row.prompt_cut,
    )


def _write_shard(job: JobDir, shard: Shard, rows: Sequence[CompletionRecord]) -> None:
    folder = job.folder / "shards"
    folder.mkdir(exist_ok=True)
    write_atomically(folder / shard.name, "".join(jsonl_line(row) for row in rows))
    fsync_folder(folder)


def _embeddings(
    job: JobDir, config: SampleConfig, models: Models, rows: list[CompletionRecord]
) -> np.ndarray | None:
    """float32 [distinct texts, hidden], and every row learns its place; None when not asked."""
    if not config.embed_with:
        return None
    place = {text: number for number, text in enumerate(dict.fromkeys(row.text for row in rows))}
    rows[:] = [dataclasses.replace(row, embedding_row=place[row.text]) for row in rows]
    parts: list[np.ndarray] = []
    for part in embed_in_steps(*models.get(config.embed_with), list(place)):
        parts.append(part)
        job.progress(Progress(sum(map(len, parts)), len(place), "embeddings"))
        job.check_stop()
    return np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32)


def _publish(job: JobDir, rows: Sequence[CompletionRecord], vectors: np.ndarray | None) -> None:
    with publish(job.output) as folder:
        _write_lines(folder / COMPLETIONS, rows)
        if vectors is not None:
            np.save(folder / EMBEDDINGS, vectors)


def _write_lines(path: Path, rows: Sequence[CompletionRecord]) -> None:
    with path.open("w", encoding="utf-8") as handle:
        handle.writelines(jsonl_line(row) for row in rows)


if __name__ == "__main__":
    sys.exit(run_entry(main))

"""What the two sides of the torch line say to each other: plain, standard-library records.

The row side (Django) writes ``job.json`` and ``inputs.json`` into a job directory; the tensor
side (torch) reads them, works, and writes ``result.json`` and files beside it. These dataclasses
are the whole vocabulary of that exchange; ``jobdir.py`` says where each file lies.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

Strength = Literal["significantly", "better", "slightly", "negligibly"]
STRENGTHS: tuple[Strength, ...] = ("significantly", "better", "slightly", "negligibly")

# Margin in the loss by rated strength (Llama 2, 2023, table 27); a plain choice has no rating and
# no margin. A label stores the rating: what it is worth, a training run or an export chooses.
MARGINS: dict[str, dict[Strength | None, float]] = {
    "none": {"significantly": 0.0, "better": 0.0, "slightly": 0.0, "negligibly": 0.0, None: 0.0},
    "small": {
        "significantly": 1.0,
        "better": 2 / 3,
        "slightly": 1 / 3,
        "negligibly": 0.0,
        None: 0.0,
    },
    "large": {"significantly": 3.0, "better": 2.0, "slightly": 1.0, "negligibly": 0.0, None: 0.0},
}

MOST_NEW_TOKENS = 65_536  # of one completion, whoever asks for it

FinishReason = Literal["eos", "length", "stop", "unknown"]

Message = dict[str, str]  # {"role": "system" | "user" | "assistant", "content": text}

T = TypeVar("T")


@dataclass(frozen=True)
class PromptRecord:
    """One prompt as the sampler sees it. ``item`` is what evaluation holds out: the fact or
    how-to behind the prompt, never one phrasing of it."""

    id: int
    messages: list[Message]
    item: str = ""
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Sampler:
    """One way to sample: a checkpoint with its decoding parameters. ``checkpoint`` names an
    entry of ``inputs.json``. ``k`` completions are drawn for every prompt."""

    checkpoint: str
    k: int
    temperature: float = 0.8
    top_p: float = 1.0
    max_new_tokens: int = 64
    seed: int = 0
    system_prompt: str = ""


@dataclass(frozen=True)
class SampleConfig:
    """``job.json``'s config of a sample job. Prompts are the input named ``prompts`` (JSON
    lines of PromptRecord). ``embed_with`` names the checkpoint whose last hidden layer gives
    the response embeddings for pair selection (REAL); empty: no embeddings."""

    samplers: list[Sampler]
    batch_size: int = 0  # rows sampled together; 0: as many as there is room for
    shard_size: int = 32  # prompts a shard; a shard is the unit of resume
    embed_with: str = ""


@dataclass(frozen=True)
class CompletionRecord:
    """One sampled completion, a line of the sample job's ``completions.jsonl``.

    (prompt_id, sampler, index) is its identity: unique in a job, whatever was resumed.
    ``embedding_row`` is its row in ``embeddings.npy`` (float32, L2-normalised), or None; identical
    texts share one. ``prompt_cut``: the prompt's oldest tokens that did not fit into the context.
    """

    prompt_id: int
    sampler: int  # index into SampleConfig.samplers
    index: int  # 0 <= index < k
    text: str
    finish_reason: FinishReason
    token_count: int  # completion tokens, EOS included
    seed: int
    embedding_row: int | None = None
    prompt_cut: int = 0


@dataclass(frozen=True)
class AnswerReward:
    """What a reward model gives a sampled completion, a line of a reward job's ``rewards.jsonl``.
    The first three fields are the completion's identity."""

    prompt_id: int
    sampler: int
    index: int
    reward: float


@dataclass(frozen=True)
class Preference:
    """chosen is preferred over rejected, in the TRAINING direction (the question's polarity is
    already applied). Ids are completion ids. The rating is kept; margins are a training option."""

    chosen: int
    rejected: int
    strength: Strength | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class SnapshotCompletion:
    id: int
    text: str
    checkpoint: str = ""
    finish_reason: FinishReason = "unknown"
    on_policy: bool = True


@dataclass(frozen=True)
class PreferenceRecord:
    """One comparison of a snapshot after aggregation: a line of ``preferences.jsonl``.

    ``preferences`` holds the ordered pairs that the labels state; pairs that tied are in
    ``ties``. ``split`` is "train" or "heldout", by item, or "reserved" for what chance alone
    chose, for evaluation. ``fold`` is "policy" or "judge": which of the two reward models may
    train on it in its own iteration.

    What filters read: ``agreement`` is the share, 0 to 1, of all that the labels say of its
    decided pairs which agrees with the majority; ``category`` and ``tags`` are its prompt's, with
    the campaign's tags that raters chose; ``labelled_at`` is when the last label that voted was
    given (ISO 8601, UTC); ``raters`` are the pseudonyms of those who voted. None: the snapshot
    does not say, because it is an older or an imported one.
    """

    comparison_id: int
    prompt_id: int
    iteration: int
    item: str
    split: str
    fold: str
    messages: list[Message]
    completions: list[SnapshotCompletion]
    preferences: list[Preference]
    ties: list[list[int]] = field(default_factory=list)
    labels: int = 1
    source: str = "person"  # person | simulated | program | mixed | imported | model
    agreement: float | None = None
    category: str | None = None
    tags: list[str] | None = None
    labelled_at: str | None = None
    raters: list[str] | None = None


@dataclass(frozen=True)
class Demonstration:
    """A line of a snapshot's ``demonstrations.jsonl``: an answer that somebody wrote or approved,
    to be imitated. ``messages`` begin with the system prompt that it answers under. What filters
    read is as in PreferenceRecord."""

    prompt_id: int
    messages: list[Message]
    completion: str
    item: str = ""
    split: str = "train"
    fold: str = "policy"
    iteration: int = 0
    category: str | None = None
    tags: list[str] | None = None
    labelled_at: str | None = None
    raters: list[str] | None = None


@dataclass(frozen=True)
class Rated:
    """A line of a snapshot's ``ratings.jsonl``: what raters said of one completion by itself, in
    the TRAINING direction.

    ``points`` holds, for each aspect ("PART.ASPECT", or "PART" where a part asks for one thing),
    the mean over raters of the place on its scale, 0 its worst end and 1 its best. ``overall`` is
    that of the aspect which the question prefers by, else the mean of all. ``desirable`` is what
    more than half of the thumbs say; None without thumbs, or where they are even. ``labels``: how
    many raters said something of it. What filters read is as in PreferenceRecord.
    """

    comparison_id: int
    prompt_id: int
    iteration: int
    item: str
    split: str
    fold: str
    messages: list[Message]
    completion: SnapshotCompletion
    points: dict[str, float] = field(default_factory=dict)
    overall: float | None = None
    desirable: bool | None = None
    labels: int = 1
    source: str = "person"  # person | simulated | program | mixed
    category: str | None = None
    tags: list[str] | None = None
    labelled_at: str | None = None
    raters: list[str] | None = None


@dataclass(frozen=True)
class Input:
    """One named input of a job: where it is kept, and the sha256 of each of its files.

    ``path`` is where the worker laid it on this machine: a folder for a checkpoint or a
    snapshot, a file for prompts.
    """

    name: str
    uri: str
    sha256: dict[str, str]
    path: str


@dataclass(frozen=True)
class Progress:
    """``progress.json``: what a bar shows. ``total`` 0: not known yet."""

    done: int
    total: int
    unit: str
    note: str = ""


def under_system(messages: list[Message], system_prompt: str) -> list[Message]:
    """The conversation with the system prompt it was answered under; one of its own stays."""
    if not system_prompt or (messages and messages[0]["role"] == "system"):
        return messages
    return [{"role": "system", "content": system_prompt}, *messages]


def to_dict(record: Any) -> dict[str, Any]:
    """A record as JSON-ready data."""
    return dataclasses.asdict(record)


def from_dict(kind: type[T], data: dict[str, Any]) -> T:
    """The record that to_dict turned into ``data``.

    Raises TypeError on an unknown or missing field, so that two versions of the code that
    disagree stop at once instead of dropping a setting.
    """
    return _NESTED[kind](data) if kind in _NESTED else kind(**data)


def _sample_config(data: dict[str, Any]) -> SampleConfig:
    return SampleConfig(**{**data, "samplers": [Sampler(**row) for row in data["samplers"]]})


def _preference_record(data: dict[str, Any]) -> PreferenceRecord:
    completions = [SnapshotCompletion(**row) for row in data["completions"]]
    preferences = [Preference(**row) for row in data["preferences"]]
    return PreferenceRecord(**{**data, "completions": completions, "preferences": preferences})


def _rated(data: dict[str, Any]) -> Rated:
    return Rated(**{**data, "completion": SnapshotCompletion(**data["completion"])})


_NESTED: dict[type, Any] = {
    SampleConfig: _sample_config,
    PreferenceRecord: _preference_record,
    Rated: _rated,
}


def read_jsonl(path: Path, kind: type[T]) -> Iterator[T]:
    """Records of a JSON-lines file, one at a time."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield from_dict(kind, json.loads(line))


def jsonl_line(record: Any) -> str:
    """One canonical line: sorted keys, no ASCII escapes, so equal records are equal bytes."""
    data = record if isinstance(record, dict) else to_dict(record)
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n"

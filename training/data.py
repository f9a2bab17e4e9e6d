"""Snapshots into token rows: read, select, group by prompt, encode, count what was dropped.

Rows that cannot be trained on are dropped under a stated reason and counted, never silently:

    tied              neither answer was preferred
    identical texts   both sides of the pair are the same text
    no points         nobody gave the answer points for what is to be learned
    no single best    pairs of a comparison in which no answer is above all others
    too long          prompt and answer together exceed max_length, or the model's context
    cut off           the answer to imitate ended at the sampler's length limit, without EOS
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from models_runtime.chat import Encoded, encode_completion, encode_prompt, fit_prompt, tuned_words
from models_runtime.jobdir import BadInput
from models_runtime.loading import context_length_in, load_tokenizer
from models_runtime.phrases import phrase
from models_runtime.records import (
    Demonstration,
    Message,
    Preference,
    PreferenceRecord,
    Rated,
    SnapshotCompletion,
    Strength,
    read_jsonl,
)
from training.configs import Optimisation, Selection

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")


@dataclass(frozen=True)
class Pair:
    """One stated preference; chosen and rejected index the group's completions.

    ``tie`` pairs have no direction. ``weight`` is the label's."""

    chosen: int
    rejected: int
    strength: Strength | None
    weight: float
    comparison_id: int
    iteration: int
    tie: bool = False


@dataclass
class Group:
    """All that a snapshot says about one prompt: every distinct answer once, and its pairs."""

    prompt_id: int
    completions: list[Encoded] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)


PREFERENCES = "preferences.jsonl"
DEMONSTRATIONS, RATINGS = "demonstrations.jsonl", "ratings.jsonl"


class Encoder:
    """Encodes answers with their prompt; prompts recur, so their ids are kept.

    A prompt that leaves no room for ``longest`` tokens in the ``context`` (0: no limit) loses its
    oldest tokens, as when it was sampled; ``prompts_cut`` counts those prompts.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        context: int = 0,
        longest: int = 0,
    ) -> None:
        self.tokenizer = tokenizer
        self.max_length = min(max_length, context or max_length)
        self.context = context
        self.longest = longest
        self.prompts_cut = 0
        self._tuned = tuned_words(tokenizer).values()
        self._prompts: dict[str, list[int]] = {}

    @classmethod
    def of(cls, folder: Path, config: Optimisation) -> Encoder:
        """For the model in folder, trained with these options."""
        context = context_length_in(folder)
        return cls(load_tokenizer(folder), config.max_length, context, config.max_new_tokens)

    def encode(
        self, messages: Sequence[Message], text: str, *, ended: bool = True
    ) -> Encoded | None:
        """The row, or None when it is longer than max_length or the context.

        An answer that did not end carries no EOS, so that a reward model sees it was cut off.
        """
        prompt = self._prompt(messages)
        answer = encode_completion(self.tokenizer, text)
        answer = answer if ended else answer[:-1]
        if not answer or len(prompt) + len(answer) > self.max_length:
            return None
        return Encoded(prompt + answer, [0] * len(prompt) + [1] * len(answer))

    def _prompt(self, messages: Sequence[Message]) -> list[int]:
        key = json.dumps(list(messages))
        if key not in self._prompts:
            ids = encode_prompt(self.tokenizer, messages)
            self._prompts[key], cut = fit_prompt(ids, self.context, self.longest, self._tuned)
            self.prompts_cut += cut > 0
        return self._prompts[key]


def read_preferences(snapshot: Path) -> list[PreferenceRecord]:
    """preferences.jsonl of a snapshot folder. Raises BadInput when absent or malformed."""
    return _read(snapshot / PREFERENCES, PreferenceRecord)


def read_demonstrations(snapshot: Path) -> list[Demonstration]:
    """demonstrations.jsonl of a snapshot folder. Raises BadInput when absent or malformed."""
    return _read(snapshot / DEMONSTRATIONS, Demonstration)


def read_ratings(snapshot: Path) -> list[Rated]:
    """ratings.jsonl of a snapshot folder: what was said of single completions. Raises BadInput
    when absent or malformed."""
    return _read(snapshot / RATINGS, Rated)


def _read(path: Path, kind: type[T]) -> list[T]:
    if not path.is_file():
        raise BadInput(phrase("The snapshot has no %(name)s.", name=path.name))
    try:
        return list(read_jsonl(path, kind))
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput(
            phrase(
                "%(name)s of the snapshot is malformed (%(error)s).",
                name=path.name,
                error=str(error),
            )
        ) from error


def training_records(
    records: Iterable[PreferenceRecord], selection: Selection
) -> list[PreferenceRecord]:
    """The comparisons a run trains on. Raises BadInput when none, or none but ties, is left."""
    kept = [record for record in records if selection.keeps(record)]
    if not kept:
        raise BadInput(phrase("The snapshot holds no comparison that this run may train on."))
    if not any(record.preferences for record in kept):
        raise BadInput(
            phrase(
                "All %(n)s comparisons are ties, so there is no preference to train on.",
                n=len(kept),
            )
        )
    return kept


def heldout_records(
    records: Iterable[PreferenceRecord], selection: Selection
) -> list[PreferenceRecord]:
    """Comparisons on held-out items, of this iteration and earlier ones; none is trained on."""
    if selection.split != "train":
        return []
    return [r for r in records if r.split == "heldout" and r.iteration <= selection.iteration]


def group_by_prompt(
    records: Iterable[PreferenceRecord], encoder: Encoder, dropped: Counter[str]
) -> list[Group]:
    """Groups in the order of their prompts' first appearance; one with no pair is left out.

    A text that occurs twice under a prompt is one completion, so that it goes forward once.
    """
    groups: dict[tuple[int, str], _Grouping] = {}
    for record in records:
        key = (record.prompt_id, json.dumps(record.messages))
        grouping = groups.setdefault(key, _Grouping(Group(record.prompt_id), encoder, dropped))
        grouping.add(record)
    return [grouping.group for grouping in groups.values() if grouping.group.pairs]


class _Grouping:
    """A group while its records are being added."""

    def __init__(self, group: Group, encoder: Encoder, dropped: Counter[str]) -> None:
        self.group = group
        self.encoder = encoder
        self.dropped = dropped
        self.index: dict[tuple[str, bool], int | None] = {}

    def add(self, record: PreferenceRecord) -> None:
        by_id = {completion.id: completion for completion in record.completions}
        for preference in record.preferences:
            self._add_pair(record, by_id, preference, tie=False)
        for tied in record.ties:
            for number, first in enumerate(tied):
                for second in tied[number + 1 :]:
                    self._add_pair(record, by_id, Preference(first, second), tie=True)

    def _add_pair(
        self,
        record: PreferenceRecord,
        by_id: dict[int, SnapshotCompletion],
        stated: Preference,
        *,
        tie: bool,
    ) -> None:
        chosen, rejected = by_id[stated.chosen], by_id[stated.rejected]
        if chosen.text == rejected.text:
            self.dropped["identical texts"] += 1
            return
        ends = self._row(record, chosen), self._row(record, rejected)
        if ends[0] is None or ends[1] is None:
            self.dropped["too long"] += 1
            return
        self.group.pairs.append(
            Pair(
                ends[0],
                ends[1],
                stated.strength,
                stated.weight,
                record.comparison_id,
                record.iteration,
                tie,
            )
        )

    def _row(self, record: PreferenceRecord, completion: SnapshotCompletion) -> int | None:
        key = (completion.text, completion.finish_reason == "length")
        if key not in self.index:
            row = self.encoder.encode(record.messages, completion.text, ended=not key[1])
            self.index[key] = None if row is None else len(self.group.completions)
            if row is not None:
                self.group.completions.append(row)
        return self.index[key]


def without_ties(groups: Iterable[Group], dropped: Counter[str]) -> list[Group]:
    """The groups with their ordered pairs only; the ties are counted as dropped."""
    kept = []
    for group in groups:
        ordered = [pair for pair in group.pairs if not pair.tie]
        dropped["tied"] += len(group.pairs) - len(ordered)
        if ordered:
            kept.append(Group(group.prompt_id, group.completions, ordered))
    return kept

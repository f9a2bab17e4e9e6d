"""Comparisons of any number of answers as token rows, for methods that learn a whole ranking.

An answer that is too long, or that was cut off and so has no ending to imitate, takes the pairs
with it in which it could not serve; each is counted, as are ties, identical texts and what
contradicts itself (``circular``: a over b, b over c, c over a).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models_runtime.chat import Encoded
from models_runtime.records import PreferenceRecord, SnapshotCompletion
from training.data import Encoder
from training.loop import Sums
from training.mixture import preferences_of
from training.scoring import completion_logps
from training.task import Task


@dataclass(frozen=True)
class Ranking:
    """One comparison: n answers, the pairs (above, below) that are stated of them by index, and
    each answer's score: 1 for those above none, else one more than the best of those below.
    ``weight`` is the mean of the pairs' weights."""

    completions: list[Encoded]
    pairs: list[tuple[int, int]]
    scores: list[int]
    weight: float = 1.0

    @property
    def best(self) -> list[int]:
        """Those above others and below none."""
        below = {low for _, low in self.pairs}
        return sorted({high for high, _ in self.pairs} - below)

    @property
    def chosen(self) -> Encoded:
        """One of the best, for those who watch how likely it stays."""
        return self.completions[self.best[0]]


def read_rankings(task: Task) -> tuple[Encoder, list[Ranking]]:
    """The snapshot's rankings that the run may train on. Raises BadInput when none is left."""
    encoder = Encoder.of(task.job.input_path("policy"), task.config)
    found = [_Reading(task, record, encoder).ranking() for record in preferences_of(task)]
    rankings = [ranking for ranking in found if ranking is not None]
    task.require(rankings)
    return encoder, rankings


class _Reading:
    """A comparison while its answers are being encoded."""

    def __init__(self, task: Task, record: PreferenceRecord, encoder: Encoder) -> None:
        self.dropped = task.dropped
        self.record = record
        self.encoder = encoder
        self.by_id = {completion.id: completion for completion in record.completions}
        self.rows: list[Encoded] = []
        self.index: dict[tuple[str, bool], int | None] = {}

    def ranking(self) -> Ranking | None:
        self.dropped["tied"] += len(self.record.ties)
        pairs: dict[tuple[int, int], None] = {}  # distinct, in order
        weights = []
        for stated in self.record.preferences:
            pair = self._pair(self.by_id[stated.chosen], self.by_id[stated.rejected])
            if pair is not None:
                pairs[pair] = None
                weights.append(stated.weight)
        if not pairs:
            return None
        scores = chain_lengths(len(self.rows), list(pairs))
        if scores is None:
            self.dropped["circular"] += len(pairs)
            return None
        return Ranking(self.rows, list(pairs), scores, sum(weights) / len(weights))

    def _pair(
        self, chosen: SnapshotCompletion, rejected: SnapshotCompletion
    ) -> tuple[int, int] | None:
        if chosen.text == rejected.text:
            self.dropped["identical texts"] += 1
            return None
        if chosen.finish_reason == "length":
            self.dropped["cut off"] += 1
            return None
        above, below = self._row(chosen), self._row(rejected)
        if above is None or below is None:
            self.dropped["too long"] += 1
            return None
        return above, below

    def _row(self, completion: SnapshotCompletion) -> int | None:
        """Its place among the rows; a text that occurs twice goes forward once."""
        key = (completion.text, completion.finish_reason == "length")
        if key not in self.index:
            row = self.encoder.encode(self.record.messages, completion.text, ended=not key[1])
            self.index[key] = None if row is None else len(self.rows)
            if row is not None:
                self.rows.append(row)
        return self.index[key]


def chain_lengths(count: int, pairs: Sequence[tuple[int, int]]) -> list[int] | None:
    """1 for what is above none, else one more than the best below it; None where pairs go round.

    (0, 1), (0, 2), (1, 2) of three: 3, 2, 1. Without (1, 2) the last two are 1 both.
    """
    scores = [1] * count
    for _ in range(count):
        raised = list(scores)
        for high, low in pairs:
            raised[high] = max(raised[high], scores[low] + 1)
        if raised == scores:
            return scores
        scores = raised
    return None


@dataclass(frozen=True)
class Answers:
    """Log-probabilities of one ranking's answers, tensors [n]: summed, and a token's mean."""

    sums: Tensor
    means: Tensor


def answers_of(model: torch.nn.Module, rankings: Sequence[Ranking]) -> list[Answers]:
    """One forward pass over every answer of the rankings."""
    rows = [row for ranking in rankings for row in ranking.completions]
    logps = completion_logps(model, rows)
    tokens = logps.new_tensor([sum(row.completion_mask) for row in rows])
    sizes = [len(ranking.completions) for ranking in rankings]
    parts = zip(logps.split(sizes), (logps / tokens).split(sizes), strict=True)
    return [Answers(sums, means) for sums, means in parts]


def ranked_sums(
    losses: Sequence[Tensor], answers: Sequence[Answers], rankings: Sequence[Ranking]
) -> Sums:
    """The weighted losses' sum; how many stated pairs the mean log-probabilities order right."""
    weighted = [loss * one.weight for loss, one in zip(losses, rankings, strict=True)]
    total = torch.stack(weighted).sum()
    right = pairs = 0.0
    best = 0.0
    for found, ranking in zip(answers, rankings, strict=True):
        high = found.means[[pair[0] for pair in ranking.pairs]]
        low = found.means[[pair[1] for pair in ranking.pairs]]
        right += (high > low).sum().item()
        pairs += len(ranking.pairs)
        best += found.sums[ranking.best].mean().item()
    count = float(len(rankings))
    return Sums(total, {"rewards/accuracies": (right, pairs), "logps/chosen": (best, count)})

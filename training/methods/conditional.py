"""Quality-conditioned fine-tuning: every answer is imitated, under a phrase that says how good it
is; then the policy is asked for the best (as Keskar et al., 2019, and Korbak et al., 2023, put a
control code first)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from models_runtime.chat import Encoded
from models_runtime.jobdir import BadInput
from models_runtime.phrases import phrase
from models_runtime.records import MARGINS, Message, PreferenceRecord, Rated, SnapshotCompletion
from training.configs.conditioned import ConditionalConfig, parts_of
from training.control import asked_for, refuse_control_tokens, tune_towards, without_phrase
from training.data import Encoder
from training.imitation import FineTuning
from training.mixture import preferences_of, ratings_of
from training.task import Task

# How much a stated strength says, 0 to 1; a choice without one says all.
WORTH = {**MARGINS["small"], None: 1.0}
MIDDLE = 0.5


@dataclass(frozen=True)
class Graded:
    """An answer and its quality: 0 the worst there is, 1 the best."""

    messages: list[Message]
    completion: SnapshotCompletion
    quality: float


def train(task: Task) -> None:
    """Inputs policy and snapshot -> a policy that is always asked by the best phrase."""
    config: ConditionalConfig = task.config
    encoder = Encoder.of(task.job.input_path("policy"), config)
    without_phrase(encoder.tokenizer)
    phrases = parts_of(config.phrases)
    refuse_control_tokens(encoder.tokenizer, phrases)
    rows: list[Encoded] = []
    counts = dict.fromkeys(range(len(phrases)), 0)
    for answer in graded(task):
        band = band_of(answer.quality, len(phrases))
        row = _row(task, answer, band, phrases, encoder)
        if row is not None and band is not None:
            rows.append(row)
            counts[band] += 1
    figures = {f"band/{band + 1}": float(n) for band, n in counts.items()}
    tune_towards(task, encoder, rows, FineTuning(), phrases[-1], figures)


def graded(task: Task) -> list[Graded]:
    """What the run may train on, by ratings or by pairs. Raises BadInput when there is none."""
    source = task.config.learn_from
    rated = list(_rated(task)) if source != "pairs" else []
    if source == "ratings" and not rated:
        raise BadInput(phrase("The snapshot holds no rating that this run may train on."))
    if rated:
        return rated
    return list(_compared(preferences_of(task)))


def _rated(task: Task) -> Iterator[Graded]:
    """By its rating, or by its thumbs where it has none."""
    for row in ratings_of(task):
        quality = _quality(row)
        if quality is not None:
            yield Graded(row.messages, row.completion, quality)


def _quality(row: Rated) -> float | None:
    if row.overall is not None or row.desirable is None:
        return row.overall
    return float(row.desirable)


def _compared(records: Iterable[PreferenceRecord]) -> Iterator[Graded]:
    """(1 + the mean over an answer's pairs of what each says for or against it) / 2, a tie saying
    nothing.

    Preferred significantly: 1, and the other 0. Preferred slightly: 2/3, and the other 1/3. The
    second of three ranked answers: 1/2.
    """
    for record in records:
        said: dict[int, list[float]] = {one.id: [] for one in record.completions}
        for pair in record.preferences:
            said[pair.chosen].append(WORTH[pair.strength])
            said[pair.rejected].append(-WORTH[pair.strength])
        for tied in record.ties:
            for one in tied:
                said[one] += [0.0] * (len(tied) - 1)
        for completion in record.completions:
            if found := said[completion.id]:
                quality = (1 + sum(found) / len(found)) / 2
                yield Graded(record.messages, completion, quality)


def band_of(quality: float, bands: int) -> int | None:
    """The nearest of as many grades at equal distances from 0 to 1, the better of two as near;
    None for what is in the middle of a scale that has no grade there.

    Of three bands, 1/3 and 2/3 are in the middle one, 1/6 in the first, 5/6 in the last.
    """
    if quality == MIDDLE and bands % 2 == 0:
        return None
    return math.floor(quality * (bands - 1) + 0.5)


def _row(
    task: Task, answer: Graded, band: int | None, phrases: list[str], encoder: Encoder
) -> Encoded | None:
    """None for an answer that is dropped, under its reason. One that was cut off teaches no
    ending, and nobody shall ask for it."""
    if band is None:
        task.dropped["in the middle"] += 1
        return None
    ended = answer.completion.finish_reason != "length"
    if not ended and band == len(phrases) - 1:
        task.dropped["cut off"] += 1
        return None
    asked = asked_for(answer.messages, phrases[band])
    row = encoder.encode(asked, answer.completion.text, ended=ended)
    task.dropped["too long"] += row is None
    return row

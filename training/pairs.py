"""Pairs of a snapshot as token rows, and training on them in our own loop.

A pair that cannot be trained on is dropped under a stated reason and counted: ``tied``,
``identical texts``, ``too long``, or ``cut off``, where the answer to imitate has no ending.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from models_runtime.chat import Encoded
from models_runtime.records import MARGINS, Preference, PreferenceRecord, Strength
from training.configs import Optimisation
from training.data import PREFERENCES, Encoder, heldout_records, read_preferences
from training.long_prompts import Room
from training.loop import Loop, Objective, Sums
from training.mixture import preferences_of
from training.precision import autocast
from training.scoring import completion_logps, in_batches, refuse_another_tokenizer
from training.task import Task


@dataclass(frozen=True)
class TextPair:
    """A stated preference as rows that begin with the same prompt; ``weight`` is the label's.
    ``reference`` holds the reference's log-probabilities of both answers, once it was asked."""

    chosen: Encoded
    rejected: Encoded
    strength: Strength | None = None
    weight: float = 1.0
    reference: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class PairBatch:
    """Log-probabilities of P pairs, summed over completion tokens: tensors [P]. The reference's
    are 0 for a method that has none."""

    chosen: Tensor
    rejected: Tensor
    reference_chosen: Tensor
    reference_rejected: Tensor
    chosen_tokens: Tensor
    rejected_tokens: Tensor
    strengths: Sequence[Strength | None]

    @property
    def ratios(self) -> tuple[Tensor, Tensor]:
        """log pi / ref of the chosen and of the rejected answers."""
        return self.chosen - self.reference_chosen, self.rejected - self.reference_rejected

    @property
    def h(self) -> Tensor:
        """What the chosen answers' log-ratios are above the rejected ones'."""
        chosen, rejected = self.ratios
        return chosen - rejected

    @property
    def means(self) -> tuple[Tensor, Tensor]:
        """Mean log-probability of a token, chosen and rejected."""
        return self.chosen / self.chosen_tokens, self.rejected / self.rejected_tokens

    def margins(self, schedule: str) -> Tensor:
        """What each pair's rated strength is worth (records.MARGINS)."""
        return self.chosen.new_tensor([MARGINS[schedule][one] for one in self.strengths])


@dataclass(frozen=True)
class Judged:
    """What a method makes of a batch: its losses, and each answer's implicit reward, all [P]."""

    losses: Tensor
    chosen_rewards: Tensor
    rejected_rewards: Tensor


class PairObjective:
    """The mean over pairs, each with its weight, of a loss of their log-probabilities."""

    def __init__(self, judge: Callable[[PairBatch], Judged]) -> None:
        self.judge = judge

    def units(self, example: TextPair) -> float:
        return example.weight

    def sums(self, model: torch.nn.Module, examples: Sequence[TextPair]) -> Sums:
        batch = pair_batch(model, examples)
        return summed(self.judge(batch), batch, examples)


def pair_batch(model: torch.nn.Module, examples: Sequence[TextPair]) -> PairBatch:
    """One forward pass over both answers of every pair."""
    rows = [pair.chosen for pair in examples] + [pair.rejected for pair in examples]
    return batch_of(completion_logps(model, rows), examples)


def batch_of(logps: Tensor, examples: Sequence[TextPair]) -> PairBatch:
    """[2P] log-probabilities, the chosen answers' first, with all that is known of the pairs."""
    chosen, rejected = logps.chunk(2)
    return PairBatch(
        chosen,
        rejected,
        logps.new_tensor([pair.reference[0] for pair in examples]),
        logps.new_tensor([pair.reference[1] for pair in examples]),
        logps.new_tensor([sum(pair.chosen.completion_mask) for pair in examples]),
        logps.new_tensor([sum(pair.rejected.completion_mask) for pair in examples]),
        [pair.strength for pair in examples],
    )


def summed(judged: Judged, batch: PairBatch, examples: Sequence[TextPair]) -> Sums:
    """The weighted losses' sum, and TRL's metrics of a pair."""
    weights = batch.chosen.new_tensor([pair.weight for pair in examples])
    return Sums((judged.losses * weights).sum(), _metrics(judged, batch))


def _metrics(judged: Judged, batch: PairBatch) -> dict[str, tuple[float, float]]:
    count = float(len(batch.chosen))
    chosen, rejected = judged.chosen_rewards.detach(), judged.rejected_rewards.detach()
    figures = {
        "rewards/chosen": chosen,
        "rewards/rejected": rejected,
        "rewards/margins": chosen - rejected,
        "rewards/accuracies": (chosen > rejected).float(),
        "logps/chosen": batch.chosen.detach(),
        "logps/rejected": batch.rejected.detach(),
    }
    return {name: (values.sum().item(), count) for name, values in figures.items()}


def train_on_pairs(
    task: Task, judge: Callable[[PairBatch], Judged], *, against_reference: bool = False
) -> None:
    """Inputs policy and snapshot (and reference) -> a policy, by a loss of log-probabilities."""
    encoder, pairs = read_pairs(task)
    heldout = heldout_pairs(task)
    if against_reference:
        reference = reference_of(task)
        pairs = with_reference(pairs, reference, task.config)
        heldout = with_reference(heldout, reference, task.config) if heldout else []
    tune(task, encoder, pairs, PairObjective(judge), heldout=heldout)


def tune(
    task: Task,
    encoder: Encoder,
    examples: Sequence[Any],
    objective: Objective[Any],
    loop: type[Loop[Any]] = Loop,
    heldout: Sequence[Any] = (),
) -> None:
    """The policy after the loop over these examples; dropout stays off."""
    model = task.policy_to_train().eval()
    last = loop(task, model, examples, objective, heldout=heldout).run()
    task.publish_model(model, encoder.tokenizer)
    task.finish({"train": last}, len(examples), encoder.prompts_cut)


def read_pairs(task: Task) -> tuple[Encoder, list[TextPair]]:
    """The snapshot's pairs that the run may train on. Raises BadInput when none is left."""
    encoder = Encoder.of(task.job.input_path("policy"), task.config)
    pairs = text_pairs(task, preferences_of(task), encoder)
    task.require(pairs)
    return encoder, pairs


def heldout_pairs(task: Task) -> list[TextPair]:
    """The snapshot's pairs on held-out prompts, where the options ask to measure on them. What is
    left out of these is counted nowhere: nothing is trained on them."""
    if not task.config.eval_every:
        return []
    encoder = Encoder.of(task.job.input_path("policy"), task.config)
    records = read_preferences(task.job.input_path("snapshot"))
    uncounted = replace(task, dropped=Counter())
    heldout, _ = Room(task).kept(heldout_records(records, task.selection), records, PREFERENCES)
    return text_pairs(uncounted, heldout, encoder)


def text_pairs(
    task: Task, records: Sequence[PreferenceRecord], encoder: Encoder
) -> list[TextPair]:
    """Every ordered pair that can be used, in the snapshot's order."""
    pairs = []
    for record in records:
        task.dropped["tied"] += len(record.ties)
        for preference in record.preferences:
            pair = _pair(task, record, preference, encoder)
            if pair is not None:
                pairs.append(pair)
    return pairs


def _pair(
    task: Task, record: PreferenceRecord, stated: Preference, encoder: Encoder
) -> TextPair | None:
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
    return TextPair(first, second, stated.strength, stated.weight)


def reference_of(task: Task) -> Any:
    """The frozen reference policy. Raises BadInput where it has another tokenizer."""
    refuse_another_tokenizer(task.job.input_path("policy"), task.job.input_path("reference"))
    return task.load_reference()


def reference_beside(task: Task, model: Any) -> Any:
    """reference_of while model is in memory: a policy that starts as its reference is that
    without its adapter, and no second copy is loaded."""
    if task.adapters.tuners and task.starts_as_reference():
        refuse_another_tokenizer(task.job.input_path("policy"), task.job.input_path("reference"))
        return task.adapters.without(model)
    return reference_of(task)


def with_reference(
    pairs: Sequence[TextPair], reference: Any, config: Optimisation
) -> list[TextPair]:
    """The pairs with the reference's log-probabilities, which never change: computed once, they
    spare a second model beside the one that is trained."""
    rows = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    with autocast(config, reference):  # as the policy's are
        logps = in_batches(completion_logps, reference, rows)
    both = zip(logps[: len(pairs)], logps[len(pairs) :], strict=True)
    return [replace(pair, reference=found) for pair, found in zip(pairs, both, strict=True)]

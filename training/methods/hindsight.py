"""Chain of Hindsight (Liu et al., 2023): both answers of a pair in one row, in both orders, each
after a phrase that says which it is; the loss counts on the answers alone.

A row is a talk of two turns: the prompt with one phrase, its answer, the other phrase alone, its
answer. The paper's mixture with pre-training text is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from models_runtime.chat import Encoded, encode_completion, encode_prompt
from models_runtime.records import Message, PreferenceRecord, SnapshotCompletion
from training.configs.conditioned import HindsightConfig
from training.control import asked_for, refuse_control_tokens, tune_towards, without_phrase
from training.data import Encoder
from training.loop import Sums
from training.losses import completion_nll
from training.mixture import preferences_of
from training.rollouts import Padded
from training.task import Task


@dataclass(frozen=True)
class Chain:
    """Both answers in one row, the mask 1 on the tokens of either; ``weight`` is the label's."""

    row: Encoded
    weight: float = 1.0

    @property
    def chosen(self) -> Encoded:
        """What is learned, for those who watch how likely it stays."""
        return self.row


def train(task: Task) -> None:
    """Inputs policy and snapshot -> a policy that is always asked for the better answer."""
    config: HindsightConfig = task.config
    encoder = Encoder.of(task.job.input_path("policy"), config)
    without_phrase(encoder.tokenizer)
    refuse_control_tokens(encoder.tokenizer, (config.good_phrase, config.bad_phrase))
    chains = [chain for record in preferences_of(task) for chain in _chains(task, record, encoder)]
    tune_towards(task, encoder, chains, Hindsight(config.masked), config.good_phrase)


def _chains(task: Task, record: PreferenceRecord, encoder: Encoder) -> list[Chain]:
    """Two for every stated pair that can be used."""
    task.dropped["tied"] += len(record.ties)
    by_id = {completion.id: completion for completion in record.completions}
    found: list[Chain] = []
    for pair in record.preferences:
        rows = _both_orders(task, record, by_id[pair.chosen], by_id[pair.rejected], encoder)
        found += [Chain(row, pair.weight) for row in rows]
    return found


def _both_orders(
    task: Task,
    record: PreferenceRecord,
    chosen: SnapshotCompletion,
    rejected: SnapshotCompletion,
    encoder: Encoder,
) -> list[Encoded]:
    """None where either cannot be; the pair is then dropped under the reason."""
    if chosen.text == rejected.text or not _ended(chosen):
        task.dropped["cut off" if chosen.text != rejected.text else "identical texts"] += 1
        return []
    good = Turn(task.config.good_phrase, chosen)
    bad = Turn(task.config.bad_phrase, rejected)
    rows = [chained(record.messages, *turns, encoder) for turns in ((good, bad), (bad, good))]
    for row in rows:
        if isinstance(row, str):
            task.dropped[row] += 1
            return []
    return [row for row in rows if isinstance(row, Encoded)]


@dataclass(frozen=True)
class Turn:
    """A phrase and the answer that it announces."""

    phrase: str
    completion: SnapshotCompletion


def chained(
    messages: Sequence[Message], first: Turn, second: Turn, encoder: Encoder
) -> Encoded | str:
    """prompt, phrase, answer, phrase, answer; or why that cannot be: ``too long``, or ``told
    otherwise`` by a template that writes an earlier answer in other tokens than it was drawn in.

    The end of an answer that was cut off is not trained on, nor an end of turn that is not EOS.
    """
    tokenizer = encoder.tokenizer
    asked = asked_for(messages, first.phrase)
    told = {"role": "assistant", "content": first.completion.text}
    opening = encode_prompt(tokenizer, asked)
    answer = encode_completion(tokenizer, first.completion.text)
    whole = encode_prompt(tokenizer, [*asked, told, {"role": "user", "content": second.phrase}])
    last = encode_completion(tokenizer, second.completion.text)
    last = last if _ended(second.completion) else last[:-1]
    if len(whole) + len(last) > encoder.max_length:
        return "too long"
    spoken = opening + answer[:-1]
    if whole[: len(spoken)] != spoken:
        return "told otherwise"
    mask = [0] * len(opening) + [1] * (len(answer) - 1)
    mask.append(int(_ended(first.completion) and whole[len(spoken)] == answer[-1]))
    mask += [0] * (len(whole) - len(mask)) + [1] * len(last)
    return Encoded(whole + last, mask)


def _ended(completion: SnapshotCompletion) -> bool:
    return completion.finish_reason != "length"


class Hindsight:
    """Cross-entropy over the tokens of both answers, from a past of which some is hidden: a share
    drawn between 0 and ``masked`` for every row, as Liu et al. do against copying. The first token
    is always seen. Draws follow the rows, so a batch in parts hides what a whole one does."""

    def __init__(self, masked: float) -> None:
        self.masked = masked

    def units(self, example: Chain) -> float:
        return example.weight * sum(example.row.completion_mask)

    def sums(self, model: torch.nn.Module, examples: Sequence[Chain]) -> Sums:
        device = next(model.parameters()).device
        batch = Padded.of([one.row for one in examples], device)
        seen, hidden = self._seen(examples, batch.ids.shape[1])
        attention = batch.attention * seen.to(device)
        logits = model(input_ids=batch.ids, attention_mask=attention).logits
        logps = batch.logps(logits, 1.0).sum(dim=1)
        weights = logps.new_tensor([one.weight for one in examples])
        tokens = float(sum(len(one.row.ids) for one in examples))
        total, count = logps.sum().item(), float(len(examples))
        metrics = {"logps/chain": (total, count), "hidden": (hidden, tokens)}
        return Sums((completion_nll(logps) * weights).sum(), metrics)

    def _seen(self, examples: Sequence[Chain], longest: int) -> tuple[torch.Tensor, float]:
        """([rows, longest], 0 where a token is hidden; how many are)."""
        seen = torch.ones((len(examples), longest), dtype=torch.long)
        for number, one in enumerate(examples):
            share = torch.rand(()) * self.masked
            drawn = torch.rand(len(one.row.ids)) >= share
            drawn[0] = True
            seen[number, : len(drawn)] = drawn.long()
        return seen, float((seen == 0).sum())

"""What a sampled answer is rewarded by: a reward model, two of them, a judge behind an endpoint,
its length, or BLEU.

"Do we need a reward model?" is one run for each. A source gives one number an answer, higher is
better; penalties and KL are the method's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import Any, Protocol

import torch

from models_runtime.chat import Encoded
from models_runtime.jobdir import BadInput
from models_runtime.phrases import Phrase, phrase
from models_runtime.records import Demonstration, Message, PromptRecord
from training.combining import piecewise_scores
from training.data import Encoder
from training.judge import Judge
from training.reward_models import RewardModel, Scores
from training.task import Task
from training.texts import sentence_bleu

SAFETY = "safety"  # the tag of prompts that the piecewise reward judges by safety alone


@dataclass(frozen=True)
class Answer:
    """A sampled answer to a prompt, with the number of its tokens (EOS included)."""

    prompt_id: int
    messages: list[Message]
    text: str
    ended: bool
    tokens: int
    tags: list[str] = field(default_factory=list)


class RewardSource(Protocol):
    def scores(self, answers: Sequence[Answer]) -> list[float]:
        """One number an answer, in order; finite."""
        ...

    def knows(self, prompt: PromptRecord) -> bool:
        """Whether answers to the prompt can be rewarded at all."""
        ...


def source_of(task: Task, demonstrations: Sequence[Demonstration]) -> RewardSource:
    """The source that the option ``reward`` names; references are the demonstrations."""
    kind = task.config.reward
    if kind == "length":
        return Length(task.config.max_new_tokens)
    if kind == "bleu":
        return Bleu({row.prompt_id: row.completion for row in demonstrations})
    if kind == "piecewise":
        return Piecewise(ModelReward.of(task, "safety_model"), ModelReward.of(task))
    if kind == "judge":
        return Judged(task)
    return ModelReward.of(task)


class ModelReward:
    """The reward of a reward model, on its own encoding of prompt and answer. ``spread`` is the
    mean over the last answers of the standard deviation over its heads, None of one head."""

    def __init__(self, judge: RewardModel, encoder: Encoder) -> None:
        self.judge = judge
        self.encoder = encoder
        self.spread: float | None = None

    @classmethod
    def of(cls, task: Task, name: str = "reward_model") -> ModelReward:
        """The model of the input of that name. Raises BadInput when there is none."""
        folder = task.job.input_path(name)
        return cls(RewardModel(folder), Encoder.of(folder, task.config))

    def knows(self, prompt: PromptRecord) -> bool:
        return True

    def scores(self, answers: Sequence[Answer]) -> list[float]:
        """Normalised on the model's reference samples, where it keeps them."""
        return self.scored(answers).rewards

    def scored(self, answers: Sequence[Answer]) -> Scores:
        """In order. An answer too long for this model's context gets the lowest score of the
        others."""
        rows = [self.encoder.encode(a.messages, a.text, ended=a.ended) for a in answers]
        distinct: dict[tuple[int, ...], Encoded] = {tuple(r.ids): r for r in rows if r is not None}
        if not distinct:
            raise BadInput(_nothing_to_score(answers))
        found = self.judge.score(list(distinct.values()))
        places = {ids: place for place, ids in enumerate(distinct)}
        self.spread = fmean(found.spread) if self.judge.heads > 1 else None

        def in_order(values: list[float]) -> list[float]:
            lowest = min(values)
            return [lowest if row is None else values[places[tuple(row.ids)]] for row in rows]

        return Scores(*map(in_order, (found.rewards, found.as_trained, found.spread)))


def _nothing_to_score(answers: Sequence[Answer]) -> Phrase:
    if not any(answer.text for answer in answers):
        return phrase("Every sampled answer is empty, so no reward can tell one from another.")
    return phrase("No sampled answer fits into the reward model's context.")


class Piecewise:
    """Llama 2's choice between a safety and a helpfulness model (2023, section 3.2.3): the logit
    of the chosen one. Whitening is the method's, over its batch. ``spread`` is the mean over the
    last answers of the standard deviation over the two models' rewards."""

    def __init__(self, safety: ModelReward, helpful: ModelReward) -> None:
        self.safety = safety
        self.helpful = helpful
        self.spread: float | None = None

    def knows(self, prompt: PromptRecord) -> bool:
        return True

    def scores(self, answers: Sequence[Answer]) -> list[float]:
        tagged = torch.tensor([SAFETY in answer.tags for answer in answers])
        safe, helps = self.safety.scored(answers), self.helpful.scored(answers)
        self.spread = fmean(map(pstdev, zip(safe.rewards, helps.rewards, strict=True)))
        both = torch.tensor(safe.as_trained), torch.tensor(helps.as_trained)
        chosen: list[float] = piecewise_scores(*both, tagged).tolist()
        return chosen


class Judged:
    """The verdicts of a judge (training.judge); what they cost goes into result.json."""

    def __init__(self, task: Task) -> None:
        self.judge = Judge(task.job, task.config)
        self.task = task

    def knows(self, prompt: PromptRecord) -> bool:
        return True

    def scores(self, answers: Sequence[Answer]) -> list[float]:
        """In [-1, 1]."""
        found = self.judge.rewards([(answer.messages, answer.text) for answer in answers])
        self.task.outcome["judge"] = self.judge.figures()
        return found


class Length:
    """Tokens as a share of the longest answer allowed: the bias that other rewards hide."""

    def __init__(self, longest: int) -> None:
        self.longest = longest

    def knows(self, prompt: PromptRecord) -> bool:
        return True

    def scores(self, answers: Sequence[Answer]) -> list[float]:
        return [answer.tokens / self.longest for answer in answers]


class Bleu:
    """Smoothed sentence BLEU against the prompt's reference answer (texts.sentence_bleu)."""

    def __init__(self, references: Mapping[int, str]) -> None:
        self.references = references

    def knows(self, prompt: PromptRecord) -> bool:
        return prompt.id in self.references

    def scores(self, answers: Sequence[Answer]) -> list[float]:
        return [sentence_bleu(a.text, self.references[a.prompt_id]) for a in answers]


def refuse_other_than_numbers(scores: Sequence[float]) -> None:
    """Raises BadInput: a reward that is no number would end up in every weight."""
    wrong = sum(not math.isfinite(score) for score in scores)
    if wrong:
        raise BadInput(
            phrase(
                "%(wrong)s of %(all)s rewards are no finite numbers.", wrong=wrong, all=len(scores)
            )
        )


def rewardable(
    source: RewardSource, prompts: Sequence[PromptRecord], dropped: Any
) -> list[PromptRecord]:
    """The prompts whose answers can be rewarded; the others are counted in ``dropped``."""
    kept = [prompt for prompt in prompts if source.knows(prompt)]
    dropped["without a reference"] += len(prompts) - len(kept)
    return kept

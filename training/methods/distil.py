"""Context distillation (Askell et al., 2021), as Llama 2 does it for safety (2023, section 4.2.4).

Prompts are mined: the policy answers, and those whose answers the safety model rewards least are
taught. A teacher answers these under a preprompt, and the policy is tuned on its answers to the
prompts alone, but only where the safety reward rises: elsewhere the preprompt makes answers worse,
and vaguer. Rewards are of the answer to the prompt without the preprompt, on both sides, and both
draw by the same random numbers: an answer that the preprompt does not change rises by nothing.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from models_runtime.chat import Encoded
from models_runtime.records import Message, PromptRecord, Sampler
from training.configs.distilled import DistilConfig, by_tag
from training.data import Encoder
from training.imitation import FineTuning, files_of, made_once
from training.long_prompts import prompts_of
from training.loop import Loop
from training.reward_models import RewardModel
from training.run_guards import SPREAD
from training.sampling import Sample, sample
from training.task import Task

KEPT = "distilled.jsonl"  # beside the policy: what it was tuned on, and how far each reward rose


@dataclass(frozen=True)
class Lesson:
    """A teacher's answer to a prompt, its safety reward, and that of the policy's own answer."""

    prompt_id: int
    item: str
    messages: list[Message] = field(default_factory=list)
    completion: str = ""
    reward: float = 0.0
    own_reward: float = 0.0


@dataclass(frozen=True)
class Answer:
    """The best answer to a prompt: its text and safety reward."""

    text: str
    reward: float


def train(task: Task) -> None:
    """Inputs policy, safety_model and prompts, optionally teacher -> a policy, with
    distilled.jsonl beside it."""
    encoder = Encoder.of(task.job.input_path("policy"), task.config)
    lessons, figures = made_once(
        task, encoder, KEPT, Lesson, lambda: Distillation(task, encoder).lessons()
    )
    rows = [row for one in lessons if (row := encoder.encode(one.messages, one.completion))]
    files = files_of(KEPT, lessons, figures)
    model = task.policy_to_train().eval()  # dropout stays off
    loop = Loop(task, model, rows, FineTuning(), files)
    loop.probe.before = figures["metrics"]
    last = loop.run()
    task.publish_model(model, encoder.tokenizer, {KEPT: files[KEPT]})
    task.finish({**figures["metrics"], "train": last}, len(rows), figures["prompts_cut"])


class Distillation:
    """What is sampled, scored and chosen before anything is learned."""

    def __init__(self, task: Task, encoder: Encoder) -> None:
        self.task = task
        self.config: DistilConfig = task.config
        self.encoder = encoder
        folder = task.job.input_path("safety_model")
        self.safety = RewardModel(folder)
        self.judging = Encoder.of(folder, task.config)
        self.spread: dict[str, float] = {}  # of the model's heads, on what it scored last

    def lessons(self) -> tuple[list[Lesson], dict[str, float]]:
        """The answers to imitate, and the figures of their choice. Prompts that teach nothing are
        counted under ``not mined``, ``no answer`` (of the teacher, that ended by itself and fits)
        and ``safety did not rise``."""
        prompts = self._prompts()
        own = self._best(self._sampled("own answers", "policy", prompts), prompts, whole=False)
        mined = self._mined(prompts, own)
        told = [replace(one, messages=under(one, self.config)) for one in mined]
        teacher = "teacher" if "teacher" in self.task.job.inputs() else "policy"
        best = self._best(self._sampled("taught answers", teacher, told), mined, whole=True)
        lessons = [self._lesson(one, best.get(one.id), own) for one in mined]
        kept = [one for one in lessons if one is not None]
        figures = {
            "prompts": float(len(prompts)),
            "mined": float(len(mined)),
            "kept": float(len(kept)),
            "reward/own": _mean([one.reward for one in own.values()]),
            "reward/mined": _mean([own[one.id].reward for one in mined if one.id in own]),
            "reward/taught": _mean([one.reward for one in best.values()]),
            "reward/kept": _mean([one.reward for one in kept]),
            **self.spread,
        }
        return kept, figures

    def _prompts(self) -> list[PromptRecord]:
        """All prompts, or as many as the option asks for, drawn by the job's seed."""
        prompts = prompts_of(self.task)
        wanted = self.config.prompts
        if not wanted or wanted >= len(prompts):
            return prompts
        return random.Random(self.task.seed).sample(prompts, wanted)

    def _sampled(self, name: str, who: str, prompts: Sequence[PromptRecord]) -> list[Sample]:
        config = self.config
        sampler = Sampler(
            who, config.k, config.temperature, config.top_p, config.max_new_tokens, self.task.seed
        )
        folder: Path = self.task.job.input_path(who)
        unit = "prompts sampled"
        return sample(self.task.job, name, folder, prompts, sampler, config.sampling_batch, unit)

    def _best(
        self, samples: Sequence[Sample], prompts: Sequence[PromptRecord], *, whole: bool
    ) -> dict[int, Answer]:
        """{prompt: its safest answer}; with ``whole`` only of those that could be imitated."""
        by_id = {one.id: one for one in prompts}
        judged: list[tuple[Sample, Encoded]] = []
        for one in samples:
            messages, ended = by_id[one.prompt_id].messages, one.finish_reason != "length"
            if whole and not (ended and one.text.strip()):
                continue
            if whole and self.encoder.encode(messages, one.text) is None:
                continue
            row = self.judging.encode(messages, one.text, ended=ended)
            if row is not None:
                judged.append((one, row))
        found = self.safety.score([row for _, row in judged])
        if self.safety.heads > 1:
            self.spread = {SPREAD: _mean(found.spread)}
        scores = found.rewards
        best: dict[int, Answer] = {}
        for (one, _), score in zip(judged, scores, strict=True):
            if one.prompt_id not in best or score > best[one.prompt_id].reward:
                best[one.prompt_id] = Answer(one.text, score)
        return best

    def _mined(
        self, prompts: Sequence[PromptRecord], own: dict[int, Answer]
    ) -> list[PromptRecord]:
        """The share whose own answers are the least safe, in their order; not those whose answers
        are too long for the safety model."""
        known = [one for one in prompts if one.id in own]
        count = max(1, round(self.config.mined * len(known))) if known else 0
        worst = sorted(known, key=lambda one: own[one.id].reward)[:count]
        chosen = {one.id for one in worst}
        self.task.dropped["too long"] += len(prompts) - len(known)
        self.task.dropped["not mined"] += len(known) - len(chosen)
        return [one for one in known if one.id in chosen]

    def _lesson(
        self, prompt: PromptRecord, taught: Answer | None, own: dict[int, Answer]
    ) -> Lesson | None:
        before = own[prompt.id].reward
        if taught is None:
            self.task.dropped["no answer"] += 1
        elif taught.reward <= before + self.config.rise:
            self.task.dropped["safety did not rise"] += 1
        else:
            return Lesson(
                prompt.id, prompt.item, prompt.messages, taught.text, taught.reward, before
            )
        return None


def under(prompt: PromptRecord, config: DistilConfig) -> list[Message]:
    """The prompt with the preprompt of its first tag that has one, else the generic one, at the
    head of its system prompt."""
    others = by_tag(config.preprompts)
    said = next((others[tag] for tag in prompt.tags if tag in others), config.preprompt)
    if not said.strip():
        return prompt.messages
    first, *rest = prompt.messages
    if first["role"] == "system":
        return [{**first, "content": f"{said}\n\n{first['content']}"}, *rest]
    return [{"role": "system", "content": said}, *prompt.messages]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))

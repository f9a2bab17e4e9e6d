"""TRL's GRPOTrainer and RLOOTrainer on our prompts, our sampler and our rewards.

Their own generation encodes prompts with the template as it stands, never cuts one that leaves no
room in the context, and draws from the process's random numbers; here an answer is drawn as
everywhere else, keyed by (seed, step, place). A batch is sampled and learned from in one step, so
a checkpoint falls between two and resumes bit for bit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import trl
from datasets import Dataset
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from models_runtime.backends import LocalBackend
from models_runtime.phrases import stored
from models_runtime.records import Message, Sampler
from training.configs.online import Grouped, GRPOConfig, RLOOConfig
from training.reward_sources import Answer, RewardSource, refuse_other_than_numbers
from training.rollouts import Prompts, backend_of, draw
from training.run_guards import (
    CHOSEN,
    KL,
    LENGTH,
    SPREAD,
    VALID,
    RunGuards,
    Watched,
    said_of,
    spread_of,
    text_figures,
)
from training.task import Task
from training.trl_adapter.base import OurTrainer, Relay, arguments, fit

WALL_CLOCK = "step_time"  # would make two equal runs differ


class Drawing:
    """What a batch is asked, what was answered, and what that earned."""

    def __init__(
        self, task: Task, prompts: Prompts, source: RewardSource, watched: Watched
    ) -> None:
        self.config: Grouped = task.config
        self.watched = watched
        self.figures: dict[str, float] = {}
        self.prompts = prompts
        self.source = source
        c = self.config
        self.sampler = Sampler("policy", 1, c.temperature, 1.0, c.max_new_tokens, task.seed)
        self.places = {_key(r.messages): place for place, r in enumerate(prompts.records)}
        self.asked: list[int] = []
        self.answers: list[Answer] = []

    def encode(self, asked: Sequence[list[Message]]) -> list[list[int]]:
        self.asked = [self.places[_key(messages)] for messages in asked]
        return [self.prompts.ids[place] for place in self.asked]

    def draw(self, backend: LocalBackend, step: int) -> list[list[int]]:
        """Token ids of an answer to each of the prompts that were encoded last."""
        self.figures = self.watched.figures(backend.model, self.config)
        rows, self.answers = draw(_goes_on, backend, self.prompts, self.asked, self.sampler, step)
        return [row.ids[row.prompt_length :] for row in rows]

    def reward(self, log_metric: Callable[[str, float], None], **_: Any) -> list[float]:
        """Of the answers drawn last: the source's, less the penalty of those that did not end."""
        scores = self.source.scores(self.answers)
        figures = {VALID: text_figures(self.answers)[VALID], **self.figures}
        for name, value in {**figures, **spread_of(self.source)}.items():
            log_metric(name, value)
        refuse_other_than_numbers(scores)
        penalty = self.config.missing_eos_penalty
        return [s - penalty * (not a.ended) for s, a in zip(scores, self.answers, strict=True)]


def _goes_on() -> None:
    """A step is finished before the run stops: the relay then leaves a checkpoint."""


def _key(messages: Sequence[Message]) -> str:
    return json.dumps([[message["role"], message["content"]] for message in messages])


class _OurSampling(OurTrainer):
    """What both trainers are given: encoded prompts and our sampler."""

    drawing: Drawing

    def _tokenize_prompts(self, prompts: list[list[Message]]) -> tuple[Any, None, dict[str, Any]]:
        return self.drawing.encode(prompts), None, {}

    def _sample(self) -> list[list[int]]:
        model: Any = self.accelerator.unwrap_model(self.model)
        tokenizer: Any = self.processing_class
        training = model.training
        backend = backend_of(model, tokenizer, self.args.per_device_train_batch_size)
        found = self.drawing.draw(backend, self.state.global_step)
        model.train(training)  # the sampler left it in evaluation
        return found


class _RLOO(_OurSampling, trl.RLOOTrainer):
    def _generate_single_turn(self, *_: Any, **__: Any) -> list[list[int]]:
        return self._sample()


class _GRPO(_OurSampling, trl.GRPOTrainer):
    def _generate_single_turn(self, *_: Any, **__: Any) -> tuple[list[list[int]], None]:
        return self._sample(), None


class _GuardedRelay(Relay):
    """Metrics under the eyes of the guards; what was warned of is in ``warnings``."""

    def __init__(self, task: Task) -> None:
        super().__init__(task.job)
        self.guards = RunGuards(task.config)
        self.epochs: int = task.config.epochs
        self.warnings: list[str] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """A resumed run measures growth from where it began."""
        for row in state.log_history:
            if LENGTH in row:
                self.warnings += map(stored, self.guards.check(_figures(row), int(row["step"])))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **rest: Any,
    ) -> None:
        if not logs or LENGTH not in logs:
            super().on_log(args, state, control, logs, **rest)
            return
        logs.pop(WALL_CLOCK, None)
        logs["epoch"] = logs["epoch"] * self.epochs  # all passes are one to it
        super().on_log(args, state, control, logs, **rest)
        self.warnings += map(stored, self.guards.check(_figures(logs), state.global_step))


def _figures(logs: dict[str, Any]) -> dict[str, float]:
    """What the guards look at. The library's ``kl`` is a token's, the budget an answer's."""
    kl = float(logs.get("kl", 0.0)) * float(logs[LENGTH])
    names = ("loss", "grad_norm", CHOSEN, SPREAD)
    finite: dict[str, float] = {name: float(logs[name]) for name in names if name in logs}
    return {KL: kl, VALID: float(logs[VALID]), LENGTH: float(logs[LENGTH]), **finite}


def fit_rloo(
    task: Task,
    model: PreTrainedModel,
    reference: Path,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Prompts,
    source: RewardSource,
    watched: Watched,
) -> dict[str, Any]:
    """Train model by leave-one-out REINFORCE; the last step's metrics."""
    config: RLOOConfig = task.config
    args = trl.RLOOConfig(
        **_shared(task),
        beta=config.beta,
        normalize_advantages=config.standardise,
    )
    return _fit(_RLOO, args, task, model, reference, tokenizer, prompts, source, watched)


def fit_grpo(
    task: Task,
    model: PreTrainedModel,
    reference: Path,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Prompts,
    source: RewardSource,
    watched: Watched,
) -> dict[str, Any]:
    """Train model by group-relative policy optimisation; the last step's metrics."""
    config: GRPOConfig = task.config
    args = trl.GRPOConfig(
        **_shared(task),
        beta=config.beta,
        use_bias_correction_kl=config.unbiased_kl,
        scale_rewards=config.standardise,
        loss_type=config.loss,
    )
    return _fit(_GRPO, args, task, model, reference, tokenizer, prompts, source, watched)


def _shared(task: Task) -> dict[str, Any]:
    config: Grouped = task.config
    return {
        **arguments(task),
        "num_train_epochs": 1,
        "shuffle_dataset": False,
        "num_generations": config.k,
        "max_completion_length": config.max_new_tokens,
        "temperature": config.temperature,
        "disable_dropout": True,
    }


def _fit(
    kind: Any,
    args: Any,
    task: Task,
    model: PreTrainedModel,
    reference: Path,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Prompts,
    source: RewardSource,
    watched: Watched,
) -> dict[str, Any]:
    """The trainer takes no reference but loads the one that the model's config names."""
    relay = _GuardedRelay(task)
    drawing = Drawing(task, prompts, source, watched)

    def reward(**given: Any) -> list[float]:
        return drawing.reward(**given)

    reward.__name__ = task.config.reward  # the library's metrics are named by it
    named, model.config._name_or_path = model.config._name_or_path, str(reference)
    trainer = kind(
        model=model,
        reward_funcs=reward,
        args=args,
        train_dataset=Dataset.from_list(_asked(task, prompts)),
        processing_class=tokenizer,
        callbacks=[relay],
    )
    model.config._name_or_path = named
    trainer.drawing = drawing
    if trainer.ref_model is not None:
        if task.adapters.tuners and task.starts_as_reference():
            trainer.ref_model = task.adapters.without(model)  # the copy is given back
        else:
            task.hide_from(trainer.ref_model)
    last = fit(trainer, task)
    last.pop(WALL_CLOCK, None)
    return {**last, **said_of(relay.warnings)}


def _asked(task: Task, prompts: Prompts) -> list[dict[str, list[Message]]]:
    """The prompts of every step, in order: permutation after permutation, the last batch filled.

    The library's sampler would begin its first permutation anew in every process, so that a run
    resumed in its second pass went through it in the order of the first.
    """
    each = task.config.batch_size // task.config.k
    steps = math.ceil(task.config.epochs * len(prompts.records) / each)
    places = prompts.of_round(0, steps * each, task.seed)
    return [{"prompt": prompts.records[place].messages} for place in places]

"""Proximal policy optimisation (Schulman et al., 2017) as in Ziegler et al. (2019), Stiennon et
al. (2020) and InstructGPT (2022), and PPO-ptx.

Each round samples answers, scores them, and spreads what they earned over their tokens:

    r_t = -beta (log pi - log ref)_t, plus the score on the last real token
    A   = whiten(GAE(whiten(r), V)),  R = A + V before the whitening of A
    L   = mean over tokens of max(-A ratio, -A clip(ratio)) + vf max((V-R)^2, (V_clip-R)^2) / 2

and, as PPO-ptx, gamma times the cross-entropy a token on demonstrations. Log-probabilities are
taken at the sampling temperature, dropout is off, rewards are whitened without moving their mean.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.utils.rnn import pad_sequence

from models_runtime.chat import Encoded
from models_runtime.loading import load_policy, load_reward_model
from models_runtime.phrases import stored
from models_runtime.records import Demonstration, PromptRecord, Sampler
from training.advantages import KLController, gae, kl_estimates, token_rewards, whiten
from training.configs.online import PPOConfig
from training.data import Encoder
from training.demonstrations import demonstrations_of
from training.long_prompts import prompts_of
from training.loop import Sums
from training.policy_losses import clipped_policy, clipped_value, kl_in_loss
from training.precision import autocast, recomputing
from training.reward_sources import (
    Answer,
    RewardSource,
    refuse_other_than_numbers,
    rewardable,
    source_of,
)
from training.rollouts import (
    Padded,
    Prompts,
    Rollout,
    backend_of,
    batches_by_length,
    context_of,
    draw,
)
from training.rounds import Rounds, column
from training.run_guards import RunGuards, Watched, said_of, spread_of, text_figures
from training.scoring import completion_logps, refuse_another_tokenizer
from training.task import Task
from training.value import ActorCritic

FIRST_RATIO_TOLERANCE = 1e-3  # the same weights in another batch differ by less
OBJECTIVE = "objective/"


def train(task: Task) -> None:
    """Inputs policy, reference, prompts, snapshot, and by the option ``reward`` reward_model and
    safety_model -> a policy."""
    imitated = demonstrations_of(task)
    learn(task, source_of(task, imitated), imitated)


def learn(task: Task, source: RewardSource, imitated: Sequence[Demonstration]) -> None:
    """train, with the rewards of any source."""
    policy = task.job.input_path("policy")
    refuse_another_tokenizer(policy, task.job.input_path("reference"))
    encoder = Encoder.of(policy, task.config)
    prompts = rewardable(source, prompts_of(task), task.dropped)
    task.require(prompts)
    texts = pretraining_rows(task, imitated, encoder)
    model = ActorCritic(task.policy_to_train(), _trunk(task, policy)).eval()
    reference = _reference(task, model.policy)
    watched = Watched.of(task, imitated, encoder)
    collector = Collector(task, model, reference, encoder, prompts, source, watched)
    last = PPO(task, model, collector, texts).run()
    task.publish_model(model.policy, encoder.tokenizer)
    metrics = {"train": last, **said_of(collector.warnings)}
    task.finish(metrics, len(prompts), collector.prompts.cut)


def _trunk(task: Task, policy: Path) -> Module | None:
    """The value model's own trunk: the reward model's, as in InstructGPT, where one rewards."""
    if task.config.value == "shared":
        return None
    if task.config.reward in ("model", "piecewise") and _same_tokens(task, policy):
        judge = task.job.input_path("reward_model")
        whole = load_reward_model(judge, for_training=True, place=task.place)
    else:
        whole = load_policy(policy, for_training=True, place=task.place)
    trunk: Module = whole.base_model
    return task.adapters.put_on(trunk)


def _reference(task: Task, policy: Any) -> Module:
    """Beside an adapter, a policy that starts as its reference is that without it."""
    if task.adapters.tuners and task.starts_as_reference():
        return task.adapters.without(policy)
    return task.load_reference()


def _same_tokens(task: Task, policy: Path) -> bool:
    """A value model reads the policy's own tokens; another tokenizer's would mean other words."""
    files = [folder / "tokenizer.json" for folder in (policy, task.job.input_path("reward_model"))]
    return all(path.is_file() for path in files) and len({p.read_bytes() for p in files}) == 1


def pretraining_rows(
    task: Task, imitated: Sequence[Demonstration], encoder: Encoder
) -> list[Encoded]:
    """What PPO-ptx imitates beside; nothing where it has no weight."""
    if not task.config.ptx_coef:
        return []
    kept = [row for row in imitated if task.selection.keeps(row)]
    rows = [encoder.encode(row.messages, row.completion) for row in kept]
    fitting = [row for row in rows if row is not None]
    task.dropped["too long"] += len(rows) - len(fitting)
    task.require(fitting)
    return fitting


class Collector:
    """Samples a round, scores it, and works out what each token is credited with."""

    def __init__(
        self,
        task: Task,
        model: ActorCritic,
        reference: Module,
        encoder: Encoder,
        prompts: Sequence[PromptRecord],
        source: RewardSource,
        watched: Watched,
    ) -> None:
        self.job = task.job
        self.watched = watched
        self.seed = task.seed
        self.config: PPOConfig = task.config
        self.model = model
        self.reference = reference.eval().requires_grad_(False)
        self.source = source
        c = self.config
        context = context_of(model.policy)
        self.prompts = Prompts(prompts, encoder.tokenizer, context, c.max_new_tokens)
        self.backend = backend_of(model.policy, encoder.tokenizer, c.sampling_batch)
        self.sampler = Sampler("policy", 1, c.temperature, 1.0, c.max_new_tokens, task.seed)
        self.controller = KLController(c.kl_coef, c.kl_target, c.kl_horizon)
        self.guards = RunGuards(c)
        self.steps_a_round = c.epochs * math.ceil(c.rollouts / c.batch_size)
        self.warnings: list[str] = []

    def state(self) -> dict[str, Any]:
        return {
            "kl_coef": self.controller.value,
            "guards": self.guards.start,
            "warnings": self.warnings,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.controller.value = state["kl_coef"]
        self.guards.start = state["guards"]
        self.warnings = state["warnings"]

    def collect(self, number: int) -> tuple[list[Rollout], dict[str, float]]:
        """A round's rollouts and figures. Raises BadInput where a guard stops the run."""
        k = self.config.k
        asked = self.prompts.of_round(number, self.config.rollouts // k, self.seed)
        places = [place for place in asked for _ in range(k)]
        rows, answers = draw(
            self.job.check_stop, self.backend, self.prompts, places, self.sampler, number
        )
        scores = self._scores(answers)
        logps, values, ref_logps = self._per_token(rows)
        credited, figures = self._credited(logps, values, ref_logps, scores)
        figures |= {**text_figures(answers), **spread_of(self.source)}
        figures |= self.watched.figures(self.model.policy, self.config)
        figures["objective/kl_coef"] = self.controller.value
        said = self.guards.check(figures, number * self.steps_a_round + 1)  # the step that is next
        self.warnings += map(stored, said)  # plain texts: a checkpoint is read with weights_only
        self.controller.update(figures["objective/kl"], len(rows))
        pieces = zip(rows, logps, ref_logps, values, *credited, strict=True)
        return [Rollout(*piece) for piece in pieces], figures

    def _scores(self, answers: Sequence[Answer]) -> Tensor:
        """[N]: the source's, less the penalty of answers that did not end."""
        scores = self.source.scores(answers)
        refuse_other_than_numbers(scores)
        unended = torch.tensor([not answer.ended for answer in answers])
        return torch.tensor(scores) - self.config.missing_eos_penalty * unended

    @torch.no_grad()
    def _per_token(self, rows: Sequence[Encoded]) -> tuple[list[Tensor], ...]:
        """Log-probabilities, values, and the reference's log-probabilities: [T] an answer."""
        found: list[list[Tensor]] = [[torch.empty(0)] * len(rows) for _ in range(3)]
        device = self.backend.model.device
        for places in batches_by_length(rows):
            batch = Padded.of([rows[place] for place in places], device)
            with autocast(self.config, self.model):
                logits, values = self.model(batch.ids, batch.attention)
                theirs = self.reference(input_ids=batch.ids, attention_mask=batch.attention).logits
            laid = (
                batch.logps(logits, self.config.temperature),
                values[:, :-1],
                batch.logps(theirs, self.config.temperature),
            )
            for kind, tokens in zip(found, map(batch.of_answers, laid), strict=True):
                for place, one in zip(places, tokens, strict=True):
                    kind[place] = one
        return tuple(found)

    def _credited(
        self,
        logps: list[Tensor],
        values: list[Tensor],
        ref_logps: list[Tensor],
        scores: Tensor,
    ) -> tuple[tuple[list[Tensor], list[Tensor]], dict[str, float]]:
        """(advantages, returns), [T] an answer each, and TRL's figures of the objective."""
        lengths = [len(one) for one in logps]
        mask = pad_sequence([torch.ones(n) for n in lengths], batch_first=True)
        here, there, worth = (
            pad_sequence(x, batch_first=True) for x in (logps, ref_logps, values)
        )
        estimates = {name: kl * mask for name, kl in kl_estimates(here, there).items()}
        whitened = self.config.kl == "reward"  # beside a KL in the loss it would change its weight
        weight = self.controller.value if whitened else 0.0
        penalties = -weight * estimates["k1"]
        rewards = token_rewards(penalties, scores, mask)
        if whitened and self.config.whiten_rewards:
            rewards = whiten(rewards, mask, shift_mean=False)
        advantages, returns = gae(rewards, worth, mask, self.config.gamma, self.config.lam)
        if whitened:
            advantages = whiten(advantages, mask, shift_mean=True)
        figures = {
            "objective/kl": estimates["k1"].sum(dim=1).mean().item(),
            "objective/kl_k2": estimates["k2"].sum(dim=1).mean().item(),
            "objective/kl_k3": estimates["k3"].sum(dim=1).mean().item(),
            "objective/entropy": -(here * mask).sum(dim=1).mean().item(),
            "objective/scores": scores.mean().item(),
            "objective/non_score_reward": penalties.sum(dim=1).mean().item(),
            "objective/rlhf_reward": (scores + penalties.sum(dim=1)).mean().item(),
        }
        return (_unpadded(advantages, lengths), _unpadded(returns, lengths)), figures


def _unpadded(tokens: Tensor, lengths: Sequence[int]) -> list[Tensor]:
    return [row[:length].clone() for row, length in zip(tokens, lengths, strict=True)]


class PPOLoss:
    """The clipped losses of policy and value, a mean over the tokens of a batch."""

    def __init__(self, config: PPOConfig, collector: Collector) -> None:
        self.config = config
        self.collector = collector  # the KL's weight may be steered from round to round

    def units(self, example: Rollout) -> float:
        return float(len(example.logps))

    def sums(self, model: Module, examples: Sequence[Rollout]) -> Sums:
        c = self.config
        batch = Padded.of([one.row for one in examples], next(model.parameters()).device)
        logits, values = model(batch.ids, batch.attention)
        logps, values = batch.logps(logits, c.temperature), values[:, :-1]
        names = ("logps", "ref_logps", "values", "advantages", "returns")
        old, ref, before, advantages, returns = (
            batch.laid_out(column(examples, name)) for name in names
        )
        policy = clipped_policy(logps, old, advantages, c.clip) * batch.mask
        value = clipped_value(values, before, returns, c.value_clip) * batch.mask
        loss = policy.sum() + c.value_coef * value.sum()
        if c.kl != "reward":
            kl = kl_in_loss(c.kl, logps, old, ref) * batch.mask
            loss = loss + self.collector.controller.value * kl.sum()
        count = float(batch.mask.sum())
        return Sums(loss, _figures(batch.mask, logps.detach() - old, policy, value, count, c.clip))


def _figures(
    mask: Tensor, moved: Tensor, policy: Tensor, value: Tensor, count: float, clip: float
) -> dict[str, tuple[float, float]]:
    """TRL's names; ``moved`` is log pi - log pi_old, 0 off the answers."""
    ratio = torch.exp(moved)
    outside = ((ratio - 1).abs() > clip) * mask
    return {
        "loss/policy_avg": (policy.sum().item(), count),
        "loss/value_avg": (value.sum().item(), count),
        "policy/approxkl_avg": ((moved**2).sum().item() / 2, count),
        "policy/clipfrac_avg": (outside.sum().item(), count),
        "val/ratio": ((ratio * mask).sum().item(), count),
    }


class PPO(Rounds):
    """Rounds of PPO, with a share of imitation where ``texts`` has something to imitate."""

    def __init__(
        self,
        task: Task,
        model: ActorCritic,
        collector: Collector,
        texts: Sequence[Encoded] = (),
    ) -> None:
        super().__init__(task, model, collector, PPOLoss(task.config, collector))
        self.policy = model.policy
        self.texts = texts
        self._number = 0

    def _step(self, step: int, batch: list[Rollout]) -> dict[str, float]:
        self._number = step
        row = super()._step(step, batch)
        if step == 0:
            assert_ratio_1(row["val/ratio"])
        return row

    def _accumulate(self, batch: list[Rollout]) -> tuple[float, dict[str, tuple[float, float]]]:
        loss, metrics = super()._accumulate(batch)
        if not self.texts:
            return loss, metrics
        imitation, tokens = self._imitate(len(batch))
        metrics["loss/ptx"] = (imitation * tokens, tokens)
        return loss + self.settings.ptx_coef * imitation, metrics

    def _imitate(self, answers: int) -> tuple[float, float]:
        """Adds gamma times the gradient of the cross-entropy a token; (cross-entropy, tokens)."""
        draws = random.Random(f"{self.seed}/{self._number}")
        rows = draws.choices(self.texts, k=answers * self.settings.ptx_ratio)
        tokens = float(sum(sum(row.completion_mask) for row in rows))
        size = self.settings.micro_batch_size or answers
        total = 0.0
        for start in range(0, len(rows), size):
            with recomputing(self.config, self.policy):
                with autocast(self.config, self.policy):
                    nll = -completion_logps(self.policy, rows[start : start + size]).sum() / tokens
                (self.settings.ptx_coef * nll).backward()
            total += nll.item()
        return total, tokens


def assert_ratio_1(ratio: float) -> None:
    """The policy that is trained first is the one that sampled."""
    if abs(ratio - 1) > FIRST_RATIO_TOLERANCE:
        raise RuntimeError(
            f"the first ratio is {ratio:.6f} instead of 1: the policy that is trained is not the "
            "one that sampled"
        )

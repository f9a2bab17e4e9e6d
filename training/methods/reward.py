"""K-wise Bradley-Terry reward model (InstructGPT, 2022), with Llama 2's margins.

All pairs of a prompt travel in one batch element and every distinct answer goes forward once,
with the prompt read once for all of them where that pays (training.shared_prefix). Instead of
pairs the loss can be a choice: the best of all answers (Ziegler et al., 2019), or each among those
below it (Plackett-Luce). Starts from the policy with a fresh head; in the same job it is
measured on held-out comparisons and on reference samples.

An ensemble has several heads on one trunk: a reward costs one forward pass, the artefact stays one
model, and a killed run resumes as any other. Members with trunks of their own are more different
(Eisenstein et al., 2023), at their number times all three; those are runs with other seeds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models_runtime.jobdir import BadInput
from models_runtime.loading import load_reward_model
from models_runtime.phrases import phrase
from models_runtime.records import MARGINS, jsonl_line
from training import scoring, shared_prefix
from training.choices import Choices, with_a_best
from training.configs import RewardConfig
from training.data import (
    PREFERENCES,
    Encoder,
    Group,
    Pair,
    group_by_prompt,
    heldout_records,
    read_preferences,
    without_ties,
)
from training.long_prompts import Room
from training.loop import Loop, Sums
from training.losses import bradley_terry, centring, first_among, k_wise
from training.mixture import preferences_of
from training.references import References
from training.reward_models import NORMALISATION
from training.reward_report import judge, measure
from training.task import Task


def train(task: Task) -> None:
    """Inputs policy and snapshot -> a reward model in output, beside it heldout.jsonl and what
    its rewards came to on reference samples."""
    policy = task.job.input_path("policy")
    config: RewardConfig = task.config
    encoder = Encoder.of(policy, config)
    kept = preferences_of(task)
    groups = group_by_prompt(kept, encoder, task.dropped)
    groups = with_something_to_learn(groups, config, task.dropped)
    task.require(groups)
    answers = [row for group in groups for row in group.completions]
    references = References.of(task, encoder, kept, answers)
    torch.manual_seed(task.seed)  # the heads are drawn here
    fresh = load_reward_model(policy, for_training=True, heads=config.heads, place=task.place)
    model = task.adapters.put_on(fresh)
    shared, why = reads_once(model, groups, config.shared_prefix)
    objective = RewardObjective(config, task.seed, shared=shared)
    records = read_preferences(task.job.input_path("snapshot"))  # whatever is mixed with them
    unseen = heldout_records(records, task.selection)
    unseen, _ = Room(task).kept(unseen, records, PREFERENCES)
    heldout = group_by_prompt(unseen, encoder, Counter())
    measured = with_something_to_learn(heldout, config, Counter())
    last = Loop(task, model, groups, objective, heldout=measured).run()
    rows = judge(model, heldout)
    normalisation = references.normalisation(model)
    published = {"heldout.jsonl": "".join(map(jsonl_line, rows))}
    task.publish_model(
        model, encoder.tokenizer, {**published, NORMALISATION: normalisation.text()}
    )
    metrics = measure(rows, task.selection.iteration, margins=config.margin != "none")
    metrics["train"] = last
    metrics["shared_prefix"] = {"on": shared, "saving": shared_prefix.saving(groups), "why": why}
    metrics["normalisation"] = {"mean": normalisation.mean, "sd": normalisation.sd}
    task.finish(metrics, sum(len(group.pairs) for group in groups), encoder.prompts_cut)


def with_something_to_learn(
    groups: list[Group], config: RewardConfig, dropped: Counter[str]
) -> list[Group]:
    """What the loss can use: without ties unless they count, and with a best answer where it
    chooses the best."""
    if config.ties == "drop":
        groups = without_ties(groups, dropped)
    if config.loss == "best_of_n":
        groups = with_a_best(groups, dropped)
    return groups


def reads_once(model: torch.nn.Module, groups: Sequence[Group], wanted: str) -> tuple[bool, str]:
    """(whether a prompt is read once for all its answers, why not). Raises BadInput where that
    was asked for and this model cannot."""
    if wanted == "off" or (wanted == "auto" and shared_prefix.saving(groups) < shared_prefix.PAYS):
        return False, ""
    why = shared_prefix.refusal(model, groups)
    if why and wanted == "on":
        raise BadInput(
            phrase(
                "shared_prefix cannot be on: %(why)s. Choose auto or off.",
                why=why,
            )
        )
    return not why, why


@dataclass(frozen=True)
class _Batch:
    """The pairs of several groups as tensors; indices run over all their completions."""

    chosen: Tensor
    rejected: Tensor
    margin: Tensor
    weight: Tensor
    prompt: Tensor
    denominators: Tensor


class RewardObjective:
    """The mean over prompts of the mean over a prompt's stated pairs, or choices."""

    def __init__(self, config: RewardConfig, seed: int = 0, *, shared: bool = False) -> None:
        self.config = config
        self.seed = seed
        self.shared = shared
        self.margins = MARGINS[config.margin]

    def units(self, example: Group) -> float:
        """A prompt weighs one, however many pairs it has."""
        return 1.0

    def sums(self, model: torch.nn.Module, examples: Sequence[Group]) -> Sums:
        """One forward pass over every completion of the prompts."""
        scores = self._scores(model, examples)
        batch = self._batch(examples, scores)
        if scores.ndim == 1:
            total = self._prompt_losses(examples, batch, scores).sum()
            return Sums(total, _pair_metrics(batch, scores.detach()))
        drawn = self._draws(examples, scores)
        losses = [self._prompt_losses(examples, batch, column) for column in scores.unbind(dim=1)]
        total = (torch.stack(losses, dim=1) * drawn).sum() / scores.shape[1]
        return Sums(total, _pair_metrics(batch, scores.detach().mean(dim=1)))

    def _scores(self, model: torch.nn.Module, groups: Sequence[Group]) -> Tensor:
        if self.shared:
            return shared_prefix.rewards(model, groups)
        return scoring.rewards(model, [row for group in groups for row in group.completions])

    def _draws(self, groups: Sequence[Group], scores: Tensor) -> Tensor:
        """[prompts, heads]: how often each head drew each prompt, Poisson with mean 1 (a
        bootstrap of the prompts that needs no list of them); the same at every step."""
        rows = []
        for group in groups:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + group.prompt_id)
            rows.append(torch.poisson(torch.ones(scores.shape[1]), generator=generator))
        return torch.stack(rows).to(scores)

    def _prompt_losses(self, groups: Sequence[Group], batch: _Batch, scores: Tensor) -> Tensor:
        """[prompts], of one head's scores."""
        chosen, rejected = scores[batch.chosen], scores[batch.rejected]
        if self.config.loss == "pairs":
            losses = bradley_terry(chosen, rejected, batch.margin)
            if self.config.centring:
                losses = losses + self.config.centring * centring(chosen, rejected)
            return k_wise(losses, batch.weight, batch.prompt, batch.denominators)
        found = self._choice_losses(groups, scores)
        if self.config.centring:
            pulls = self.config.centring * centring(chosen, rejected)
            found = found + k_wise(pulls, batch.weight, batch.prompt, batch.denominators)
        return found

    def _choice_losses(self, groups: Sequence[Group], scores: Tensor) -> Tensor:
        """[prompts]: the mean over its choices, each of one answer among those below it."""
        best_only = self.config.loss == "best_of_n"
        found = Choices.of(groups, self.margins, scores, best_only=best_only)
        losses = first_among(
            scores[found.winner], scores[found.losers] + found.margin, found.present
        )
        zeros = scores.new_zeros(len(groups))
        weights = zeros.index_add(0, found.prompt, found.weight)
        return k_wise(losses, found.weight, found.prompt, weights)

    def _batch(self, groups: Sequence[Group], scores: Tensor) -> _Batch:
        chosen, rejected, margin, weight, prompt = [], [], [], [], []
        offset = 0
        for number, group in enumerate(groups):
            for pair in group.pairs:
                for winner, loser, share in self._directions(pair):
                    chosen.append(offset + winner)
                    rejected.append(offset + loser)
                    margin.append(0.0 if pair.tie else self.margins[pair.strength])
                    weight.append(share)
                    prompt.append(number)
            offset += len(group.completions)
        floats = scores.new_tensor
        return _Batch(
            torch.tensor(chosen, device=scores.device),
            torch.tensor(rejected, device=scores.device),
            floats(margin),
            floats(weight),
            torch.tensor(prompt, device=scores.device),
            floats([self._denominator(group) for group in groups]),
        )

    @staticmethod
    def _directions(pair: Pair) -> list[tuple[int, int, float]]:
        """A tie counts one half each way."""
        if not pair.tie:
            return [(pair.chosen, pair.rejected, pair.weight)]
        half = pair.weight / 2
        return [(pair.chosen, pair.rejected, half), (pair.rejected, pair.chosen, half)]

    def _denominator(self, group: Group) -> float:
        if self.config.mean_over == "all":
            return float(_possible_pairs(group.pairs))
        return sum(pair.weight for pair in group.pairs)


def _possible_pairs(pairs: Sequence[Pair]) -> int:
    """C(K, 2) summed over the comparisons, K being the answers that a comparison's pairs name.

    Two comparisons of two answers each are two pairs; ranked by one rater, the four would be six.
    """
    compared: dict[int, set[int]] = {}
    for pair in pairs:
        compared.setdefault(pair.comparison_id, set()).update((pair.chosen, pair.rejected))
    return sum(math.comb(len(answers), 2) for answers in compared.values())


def _pair_metrics(batch: _Batch, scores: Tensor) -> dict[str, tuple[float, float]]:
    chosen, rejected = scores[batch.chosen], scores[batch.rejected]
    count = float(len(chosen))
    margins = chosen - rejected
    correct = (margins > 0).float() + 0.5 * (margins == 0).float()
    return {
        "rewards/chosen": (chosen.sum().item(), count),
        "rewards/rejected": (rejected.sum().item(), count),
        "rewards/margins": (margins.sum().item(), count),
        "rewards/accuracies": (correct.sum().item(), count),
    }

"""Sixteen outcomes: which policy gradients end at pi* proportional to pi_ref exp(r / beta).

First in exact expectation, each outcome weighed by how likely the policy draws it, so that no
noise hides a wrong estimator; then whole runs that sample. Distances are total variation on the
outcomes; the policy starts at .33 of the optimum.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from models_runtime.loading import load_policy
from tests.training import toy
from training.advantages import kl_estimates
from training.grouped import learn_grouped
from training.methods import ppo
from training.policy_losses import clipped_policy, kl_in_loss
from training.trl_adapter.online import fit_grpo, fit_rloo

pytestmark = pytest.mark.training

BETA = toy.BETA
REWARDS = torch.tensor([toy.REWARDS[word] for word in toy.OUTCOMES])
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def expected(per_outcome: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """The mean over what the policy draws."""
    return (drawn.exp() * per_outcome).sum()


def surrogate(rewards: torch.Tensor, logps: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    advantages = rewards - expected(rewards, drawn)
    return clipped_policy(logps, drawn, advantages)


def kl_in_reward(logps: torch.Tensor, drawn: torch.Tensor, ref: torch.Tensor) -> torch.Tensor:
    return surrogate(REWARDS - BETA * kl_estimates(drawn, ref)["k1"], logps, drawn)


def k2_in_loss(logps: torch.Tensor, drawn: torch.Tensor, ref: torch.Tensor) -> torch.Tensor:
    return surrogate(REWARDS, logps, drawn) + BETA * kl_in_loss("loss_k2", logps, drawn, ref)


def k3_with_live_ratio(
    logps: torch.Tensor, drawn: torch.Tensor, ref: torch.Tensor
) -> torch.Tensor:
    return surrogate(REWARDS, logps, drawn) + BETA * kl_in_loss("loss_k3", logps, drawn, ref)


def k3_in_loss(logps: torch.Tensor, drawn: torch.Tensor, ref: torch.Tensor) -> torch.Tensor:
    return surrogate(REWARDS, logps, drawn) + BETA * kl_estimates(logps, ref)["k3"]


def k1_in_loss(logps: torch.Tensor, drawn: torch.Tensor, ref: torch.Tensor) -> torch.Tensor:
    return surrogate(REWARDS, logps, drawn) + BETA * kl_estimates(logps, ref)["k1"]


def learned(folder: Path, loss: Loss, steps: int = 150) -> float:
    """The distance to the optimum after gradient steps in exact expectation."""
    policy = toy.make_policy(folder / "policy")
    model = load_policy(policy, for_training=True)
    reference = toy.outcome_logits(model, policy).detach().log_softmax(-1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    for _ in range(steps):
        logps = toy.outcome_logits(model, policy).log_softmax(-1)
        drawn = logps.detach()
        optimizer.zero_grad()
        expected(loss(logps, drawn, reference), drawn).backward()
        optimizer.step()
        schedule.step()
    found = toy.outcome_logits(model, policy).detach().double().softmax(-1)
    return toy.distance(found, toy.optimum(reference.double().exp()))


@pytest.mark.parametrize("loss", [kl_in_reward, k2_in_loss, k3_with_live_ratio])
def test_the_right_places_for_the_kl_end_at_the_optimum(tmp_path: Path, loss: Loss) -> None:
    assert learned(tmp_path, loss) < 0.01


@pytest.mark.parametrize("loss", [k3_in_loss, k1_in_loss])
def test_the_wrong_ones_end_far_from_it(tmp_path: Path, loss: Loss) -> None:
    assert learned(tmp_path, loss) > 0.1


def start(folder: Path) -> float:
    policy = toy.policy_in(folder / "policy")
    return toy.distance(policy, toy.optimum(policy))


def end(folder: Path) -> float:
    reached = toy.policy_in(folder / "job" / "attempt-1" / "output")
    return toy.distance(reached, toy.optimum(toy.policy_in(folder / "policy")))


PPO: dict[str, Any] = {
    "rounds": 40,
    "rollouts": 256,
    "batch_size": 256,
    "sampling_batch": 256,
    "epochs": 2,
    "kl_coef": BETA,
    "learning_rate": 0.02,
    "schedule": "linear",
    "final_learning_rate": 0.01,
    "warmup": 0.0,
    "save_every": 1000,
}


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        {"reward": "length"},
        {"reward": "length", "value": "shared", "whiten_rewards": False},
        {"reward": "length", "kl": "loss_k2", "rounds": 80},
    ],
)
def test_a_run_of_ppo_ends_at_the_optimum(tmp_path: Path, options: dict[str, Any]) -> None:
    task = toy.task(tmp_path, "ppo", **{**PPO, **options})
    assert start(tmp_path) > 0.3
    ppo.learn(task, toy.Planted(), [])
    assert end(tmp_path) < 0.03


GROUPED: dict[str, Any] = {
    "k": 16,
    "batch_size": 256,
    "learning_rate": 0.02,
    "schedule": "linear",
    "final_learning_rate": 0.01,
    "warmup": 0.0,
    "beta": BETA,
    "reward": "length",
    "save_every": 1000,
    "epochs": 80,
}


@pytest.mark.long
def test_a_run_of_rloo_ends_at_the_optimum(tmp_path: Path) -> None:
    task = toy.task(tmp_path, "rloo", prompts=16, **GROUPED)
    learn_grouped(task, fit_rloo, toy.Planted())
    assert end(tmp_path) < 0.03


@pytest.mark.long
def test_unstandardised_grpo_ends_at_the_optimum(tmp_path: Path) -> None:
    task = toy.task(tmp_path, "grpo", prompts=16, **GROUPED, standardise="none")
    learn_grouped(task, fit_grpo, toy.Planted())
    assert end(tmp_path) < 0.03


@pytest.mark.long
def test_standardised_grpo_has_another_optimum_on_the_same_side(tmp_path: Path) -> None:
    task = toy.task(tmp_path, "grpo", prompts=16, **{**GROUPED, "epochs": 20})
    learn_grouped(task, fit_grpo, toy.Planted())
    best = toy.OUTCOMES.index(max(toy.REWARDS, key=toy.REWARDS.__getitem__))
    before = toy.policy_in(tmp_path / "policy")
    after = toy.policy_in(tmp_path / "job" / "attempt-1" / "output")
    assert after[best] > before[best]
    assert end(tmp_path) > 0.05

"""Sixteen outcomes: which methods end at pi* proportional to pi_ref exp(r / beta), and which must
not.

First in exact expectation on a table of logits, each outcome weighed by how likely it is drawn, so
that no noise hides a wrong estimator. Then whole runs of the trainers, whose answers are drawn as
often as they are likely (toy.drawn_evenly). Distances are total variation on the outcomes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training import toy
from tests.training.library import kto_loss
from training.advantages import kl_estimates
from training.grouped import learn_grouped
from training.losses import dpo
from training.methods import ppo
from training.pair_losses import batch_beta, odpo, orpo, pro, rank_hinge, simpo, slic, tdpo
from training.policy_losses import clipped_policy, kl_in_loss
from training.trl_adapter import online
from training.trl_adapter.online import fit_grpo, fit_rloo

pytestmark = [pytest.mark.training, pytest.mark.closed_form]

BETA = toy.BETA
REWARDS = torch.tensor([toy.REWARDS[word] for word in toy.OUTCOMES], dtype=torch.float64)
REFERENCE = (2 * torch.cos(torch.arange(16, dtype=torch.float64))).log_softmax(-1)
OPTIMUM = toy.optimum(REFERENCE.exp())
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


def k2_in_reward(logps: torch.Tensor, drawn: torch.Tensor, ref: torch.Tensor) -> torch.Tensor:
    return surrogate(REWARDS - BETA * kl_estimates(drawn, ref)["k2"], logps, drawn)


def learned(loss: Loss, steps: int = 300) -> float:
    """The distance to the optimum after steps along the natural gradient: of a table of logits
    that is the gradient over the probabilities."""
    logits = REFERENCE.clone()
    for _ in range(steps):
        table = logits.requires_grad_()
        logps = table.log_softmax(-1)
        drawn = logps.detach()
        (gradient,) = torch.autograd.grad(expected(loss(logps, drawn, REFERENCE), drawn), table)
        logits = table.detach() - (0.5 * gradient / drawn.exp()).clamp(-1, 1)
    return toy.distance(logits.softmax(-1), OPTIMUM)


def test_the_reference_is_far_from_the_optimum() -> None:
    assert toy.distance(REFERENCE.exp(), OPTIMUM) > 0.3


@pytest.mark.parametrize("loss", [kl_in_reward, k2_in_loss, k3_with_live_ratio])
def test_the_right_places_for_the_kl_end_at_the_optimum(loss: Loss) -> None:
    assert learned(loss) < 1e-6


@pytest.mark.parametrize("loss", [k3_in_loss, k1_in_loss, k2_in_reward])
def test_the_wrong_ones_end_far_from_it(loss: Loss) -> None:
    assert learned(loss) > 0.05


# -- learning from all that people would ever say -------------------------------------------------

FIRST, SECOND = torch.combinations(torch.arange(16), 2).T
SHARE = torch.sigmoid(REWARDS[FIRST] - REWARDS[SECOND])  # of people who prefer the first
Judge = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def population(judge: Judge, share: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """The mean of judge(h, chosen, rejected) over every pair, both ways round."""

    def loss(logps: torch.Tensor) -> torch.Tensor:
        ratios = logps - REFERENCE
        h, a, b = ratios[FIRST] - ratios[SECOND], logps[FIRST], logps[SECOND]
        return (share * judge(h, a, b) + (1 - share) * judge(-h, b, a)).mean()

    return loss


def at_rest(loss: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """The policy of least loss."""
    logits = REFERENCE.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [logits],
        max_iter=400,
        tolerance_grad=1e-10,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss(logits.log_softmax(-1))
        value.backward()
        return value

    optimizer.step(closure)
    return logits.detach().softmax(-1)


def test_dpo_of_all_labels_ends_at_the_optimum() -> None:
    found = at_rest(population(lambda h, *_: dpo(h, BETA), SHARE))
    assert toy.distance(found, OPTIMUM) < 1e-5


def test_odpo_without_a_margin_and_tdpo_without_a_kl_do_so_too() -> None:
    nothing = torch.zeros((), dtype=torch.float64)
    for judge in (
        lambda h, *_: odpo(h, BETA, 0.0),
        lambda h, *_: tdpo(h, nothing, nothing, BETA, 0.5),
    ):
        assert toy.distance(at_rest(population(judge, SHARE)), OPTIMUM) < 1e-5


@pytest.mark.parametrize(
    "judge",
    [
        lambda h, a, b: dpo(a - b, BETA),
        lambda h, *_: dpo(h, BETA / 2),
        lambda h, *_: dpo(-h, BETA),
    ],
    ids=["no reference", "half of beta", "the sign turned round"],
)
def test_a_wrong_dpo_ends_far_from_it(judge: Judge) -> None:
    assert toy.distance(at_rest(population(judge, SHARE)), OPTIMUM) > 0.05


def best_first(share: torch.Tensor) -> list[int]:
    """The outcomes by how often they are preferred."""
    wins = torch.zeros(16, dtype=torch.float64)
    wins = wins.index_add(0, FIRST, share).index_add(0, SECOND, 1 - share)
    order: list[int] = wins.argsort(descending=True).tolist()
    return order


def of_a_ranking(rank: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """A loss of one whole ranking, for a share of preferences that says it."""
    return lambda share: lambda logps: rank(logps[best_first(share)])


ABOVE = torch.ones(16, 16).triu(1).bool()
STEPS = torch.arange(16, 0, -1, dtype=torch.float64)


def ranked_hinge(means: torch.Tensor) -> torch.Tensor:
    return rank_hinge(means[FIRST], means[SECOND]).sum() - means[0]


def thumbs(share: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """KTO of the library: the better an outcome ranks, the more of its fifteen thumbs are up."""
    order = best_first(share)
    rows = torch.tensor(order).repeat_interleave(15)
    labels = [place < 15 - rank for rank in range(16) for place in range(15)]
    return lambda logps: kto_loss(logps[rows], REFERENCE[rows], labels, 0.0, BETA)


def pairwise(judge: Judge) -> Any:
    return lambda share: population(judge, share)


def sequential_kl(h: torch.Tensor, chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
    """TDPO1, whose KL of one position is every answer's."""
    none = torch.zeros_like(h)
    return tdpo(h, none, none, BETA)


OTHERS = {
    "cdpo": pairwise(lambda h, *_: 0.9 * dpo(h, BETA) + 0.1 * dpo(-h, BETA)),
    "hinge": pairwise(lambda h, *_: torch.relu(1 - BETA * h)),
    "odpo with a margin": pairwise(lambda h, *_: odpo(h, BETA, 1.0)),
    "tdpo": pairwise(sequential_kl),
    "beta_dpo": pairwise(lambda h, *_: dpo(h, float(batch_beta(h, h.new_zeros(()), BETA, 0.6)))),
    "simpo": pairwise(lambda h, a, b: simpo(a, b, 2.0, 1.0)),
    "orpo": pairwise(lambda h, a, b: orpo(a, b, 0.1)),
    "slic": pairwise(lambda h, a, b: slic(a, b, 1.0, 0.5)),
    "rrhf": of_a_ranking(ranked_hinge),
    "pro": of_a_ranking(lambda means: pro(means, STEPS, ABOVE) - means[0]),
    "kto": thumbs,
}


def some_way(loss: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """The policy after a few dozen small steps down the loss."""
    logits = REFERENCE.clone().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.02)
    for _ in range(40):
        optimizer.zero_grad()
        loss(logits.log_softmax(-1)).backward()
        optimizer.step()
    return logits.detach().softmax(-1)


@pytest.mark.parametrize("name", OTHERS)
def test_the_others_go_where_labels_point_and_the_other_way_where_they_are_turned(
    name: str,
) -> None:
    forth, back = (some_way(OTHERS[name](share)) for share in (SHARE, 1 - SHARE))
    assert (forth - REFERENCE.exp()) @ REWARDS > 0.02
    assert (forth - back) @ REWARDS > 0.04
    assert forth[15] > back[15]
    assert forth[0] < back[0]


@pytest.mark.parametrize("name", ["cdpo", "hinge", "odpo with a margin", "simpo", "orpo", "slic"])
def test_where_these_come_to_rest_is_another_optimum(name: str) -> None:
    assert toy.distance(at_rest(OTHERS[name](SHARE)), OPTIMUM) > 0.05


# -- whole runs ----------------------------------------------------------------------------------


def start(folder: Path) -> float:
    policy = toy.policy_in(folder / "policy")
    return toy.distance(policy, toy.optimum(policy))


def end(folder: Path) -> float:
    reached = toy.policy_in(folder / "job" / "attempt-1" / "output")
    return toy.distance(reached, toy.optimum(toy.policy_in(folder / "policy")))


@pytest.fixture
def evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    for trainer in (ppo, online):
        monkeypatch.setattr(trainer, "draw", toy.drawn_evenly)


PPO: dict[str, Any] = {
    "rounds": 60,
    "rollouts": 128,
    "batch_size": 128,
    "sampling_batch": 128,
    "kl_coef": BETA,
    "learning_rate": 0.02,
    "schedule": "cosine",
    "final_learning_rate": 0.0,
    "warmup": 0.0,
    "save_every": 1000,
    "panel": 0,
}
PPO_KINDS = [
    {"reward": "length"},
    {"reward": "length", "value": "shared", "whiten_rewards": False},
    {"reward": "length", "kl": "loss_k2", "rounds": 100},
]


@pytest.mark.usefixtures("evenly")
@pytest.mark.parametrize("options", PPO_KINDS)
def test_a_run_of_ppo_ends_at_the_optimum(tmp_path: Path, options: dict[str, Any]) -> None:
    task = toy.task(tmp_path, "ppo", **{**PPO, **options})
    assert start(tmp_path) > 0.3
    ppo.learn(task, toy.Planted(), [])
    assert end(tmp_path) < 0.005


@pytest.mark.long
def test_so_does_one_that_samples(tmp_path: Path) -> None:
    options = {**PPO, "rounds": 80, "rollouts": 256, "batch_size": 256, "reward": "length"}
    task = toy.task(tmp_path, "ppo", **options)
    ppo.learn(task, toy.Planted(), [])
    assert end(tmp_path) < 0.03


GROUPED: dict[str, Any] = {
    "k": 128,
    "batch_size": 128,
    "learning_rate": 0.03,
    "schedule": "cosine",
    "final_learning_rate": 0.0,
    "warmup": 0.0,
    "beta": BETA,
    "reward": "length",
    "save_every": 1000,
    "epochs": 100,
    "panel": 0,
}


@pytest.mark.usefixtures("evenly")
def test_a_run_of_rloo_ends_at_the_optimum(tmp_path: Path) -> None:
    task = toy.task(tmp_path, "rloo", **GROUPED)
    learn_grouped(task, fit_rloo, toy.Planted())
    assert end(tmp_path) < 0.005


@pytest.mark.usefixtures("evenly")
def test_unstandardised_grpo_ends_at_the_optimum(tmp_path: Path) -> None:
    task = toy.task(tmp_path, "grpo", **GROUPED, standardise="none")
    learn_grouped(task, fit_grpo, toy.Planted())
    assert end(tmp_path) < 0.005


@pytest.mark.usefixtures("evenly")
def test_standardised_grpo_has_another_optimum_on_the_same_side(tmp_path: Path) -> None:
    task = toy.task(tmp_path, "grpo", **{**GROUPED, "epochs": 20})
    learn_grouped(task, fit_grpo, toy.Planted())
    best = toy.OUTCOMES.index(max(toy.REWARDS, key=toy.REWARDS.__getitem__))
    before = toy.policy_in(tmp_path / "policy")
    after = toy.policy_in(tmp_path / "job" / "attempt-1" / "output")
    assert after[best] > before[best]
    assert end(tmp_path) > 0.05

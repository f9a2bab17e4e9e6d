"""Advantages, whitening, KL estimates and policy losses against figures worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from training.advantages import (
    KLController,
    gae,
    kl_estimates,
    masked_mean,
    token_rewards,
    whiten,
)
from training.policy_losses import clipped_policy, clipped_value, kl_in_loss

pytestmark = pytest.mark.closed_form


def tensor(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_gae_of_three_steps() -> None:
    rewards, values = tensor([-0.1, -0.2, 1.0]), tensor([0.5, 0.4, 0.3])
    advantages, returns = gae(rewards, values, torch.ones(1, 3))
    assert advantages[0].tolist() == pytest.approx([0.14675, 0.365, 0.7], abs=1e-9)
    assert returns[0].tolist() == pytest.approx([0.64675, 0.765, 1.0], abs=1e-9)


def test_lambda_1_is_what_was_earned_less_the_value_and_lambda_0_one_step() -> None:
    rewards, values = tensor([1.0, 2.0, 4.0]), tensor([0.5, 0.4, 0.3])
    mask = torch.ones(1, 3)
    whole, _ = gae(rewards, values, mask, lam=1.0)
    assert whole[0].tolist() == pytest.approx([6.5, 5.6, 3.7])
    step, _ = gae(rewards, values, mask, lam=0.0)
    assert step[0].tolist() == pytest.approx([1 + 0.4 - 0.5, 2 + 0.3 - 0.4, 4 - 0.3])


def test_a_shorter_answer_is_credited_as_if_it_were_alone() -> None:
    alone, _ = gae(tensor([1.0, 2.0]), tensor([0.5, 0.4]), torch.ones(1, 2))
    rewards, values = tensor([1.0, 2.0, 77.0], [0, 0, 1]), tensor([0.5, 0.4, 88.0], [0, 0, 0])
    padded, returns = gae(rewards, values, tensor([1, 1, 0], [1, 1, 1]))
    assert padded[0].tolist() == pytest.approx([*alone[0].tolist(), 0.0])
    assert returns[0, 2] == 0.0


def test_the_score_is_on_the_last_real_token() -> None:
    mask = tensor([1, 1, 0], [1, 1, 1])
    found = token_rewards(torch.full((2, 3), -0.1, dtype=torch.float64), tensor([5, 7])[0], mask)
    assert found.tolist() == [[-0.1, 4.9, 0.0], [-0.1, -0.1, 6.9]]


def test_whitening_keeps_the_mean_of_rewards_and_drops_that_of_advantages() -> None:
    rows = tensor([1.2, 1.3, 1.4], [1.5, 1.6, 1.7], [1.8, 1.9, 2.0])
    expected = [[0.0508, 0.4381, 0.8254], [1.2127, 1.6, 1.9873], [2.3746, 2.7619, 3.1492]]
    kept = whiten(rows, torch.ones(3, 3), shift_mean=False)
    torch.testing.assert_close(kept, tensor(*expected), atol=5e-5, rtol=0)
    dropped = whiten(rows, torch.ones(3, 3), shift_mean=True)
    torch.testing.assert_close(dropped, kept - 1.6)
    assert masked_mean(dropped**2, torch.ones(3, 3)).item() == pytest.approx(1.0, abs=1e-6)


def test_whitening_never_looks_under_the_padding() -> None:
    mask = tensor([1, 1, 0])
    one = whiten(tensor([1.0, 3.0, 50.0]), mask, shift_mean=True)
    assert one[0].tolist() == pytest.approx([-1.0, 1.0, 0.0], abs=1e-6)


def test_three_estimates_of_the_kl() -> None:
    found = {name: kl.item() for name, kl in kl_estimates(tensor([0.5]), tensor([0.0])).items()}
    assert found == pytest.approx({"k1": 0.5, "k2": 0.125, "k3": 0.106531}, abs=5e-7)


def test_k1_and_k3_are_right_on_average_and_k3_is_never_negative() -> None:
    policy, reference = torch.rand(2, 50, dtype=torch.float64).log_softmax(-1)
    exact = (policy.exp() * (policy - reference)).sum()
    found = kl_estimates(policy, reference)
    for name in ("k1", "k3"):
        torch.testing.assert_close((policy.exp() * found[name]).sum(), exact)
    assert found["k3"].min() >= 0


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "moves"),
    [
        (1.5, 1.0, -1.2, False),
        (1.5, -1.0, 1.5, True),
        (0.5, 1.0, -0.5, True),
        (0.5, -1.0, 0.8, False),
        (1.0, 2.0, -2.0, True),
    ],
)
def test_a_ratio_counts_no_farther_than_the_clip_where_that_would_pay(
    ratio: float, advantage: float, expected: float, moves: bool
) -> None:
    logps = tensor([math.log(ratio)]).requires_grad_()
    loss = clipped_policy(logps, tensor([0.0]), tensor([advantage]), clip=0.2)
    (gradient,) = torch.autograd.grad(loss.sum(), logps)
    assert loss.item() == pytest.approx(expected)
    assert (gradient.item() != 0) is moves


def test_a_value_counts_no_farther_than_the_clip() -> None:
    one, half, zero = tensor([1.0]), tensor([0.5]), tensor([0.0])
    assert clipped_value(one, half, one, 0.2).item() == pytest.approx(0.045)
    assert clipped_value(one, half, zero, 0.2).item() == pytest.approx(0.5)
    assert clipped_value(one, half, one, 0.0).item() == 0.0  # 0 does not clip


def test_the_kl_in_the_loss_has_the_kls_own_gradient() -> None:
    torch.manual_seed(0)
    logits, reference = torch.randn(2, 12, dtype=torch.float64)
    logits, reference = logits.requires_grad_(), reference.log_softmax(-1)
    logps = logits.log_softmax(-1)
    exact = (logps.exp() * (logps - reference)).sum()
    (wanted,) = torch.autograd.grad(exact, logits, retain_graph=True)
    drawn = logps.detach()
    for kind in ("loss_k2", "loss_k3"):
        term = (drawn.exp() * kl_in_loss(kind, logps, drawn, reference)).sum()
        (found,) = torch.autograd.grad(term, logits, retain_graph=True)
        torch.testing.assert_close(found, wanted)


def test_the_controller_steers_towards_its_target() -> None:
    controller = KLController(0.2, target=6.0, horizon=10_000)
    controller.update(kl=9.0, answers=512)
    assert controller.value == pytest.approx(0.2 * 1.01024)
    controller.update(kl=5.7, answers=512)
    assert controller.value == pytest.approx(0.2 * 1.01024 * (1 - 0.05 * 0.0512))


def test_a_fixed_coefficient_stays() -> None:
    controller = KLController(0.2)
    controller.update(kl=900.0, answers=512)
    assert controller.value == 0.2

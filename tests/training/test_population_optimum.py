"""DPO's optimum where all that people would ever say is known: pi* of the rewards behind it."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest

from models_runtime.chat import Encoded
from models_runtime.loading import load_policy
from tests.training import tiny, toy
from training.configs import Selection, parse
from training.loop import Loop
from training.pair_losses import odpo
from training.pairs import Judged, PairBatch, PairObjective, TextPair, with_reference
from training.task import Task

pytestmark = [pytest.mark.training, pytest.mark.closed_form]

OPTIONS = {
    "batch_size": 240,
    "epochs": 100,
    "learning_rate": 0.03,
    "schedule": "cosine",
    "final_learning_rate": 0.0,
    "beta": toy.BETA,
    "margin": "none",
    "save_every": 1000,
}


def answered(folder: Path) -> dict[str, Encoded]:
    prompt = toy.prompt_ids(folder)
    mask = [0] * len(prompt) + [1]
    ids = toy.support_ids(folder)
    return {
        word: Encoded([*prompt, one], mask) for word, one in zip(toy.OUTCOMES, ids, strict=True)
    }


def population(folder: Path) -> list[TextPair]:
    """Every ordered pair of outcomes, at the share of people who prefer the first."""
    rows = answered(folder)

    def share(first: str, second: str) -> float:
        return 1 / (1 + math.exp(toy.REWARDS[second] - toy.REWARDS[first]))

    return [
        TextPair(rows[first], rows[second], weight=share(first, second))
        for first, second in itertools.permutations(toy.OUTCOMES, 2)
    ]


def test_all_of_the_labels_lead_to_the_policy_that_the_rewards_imply(tmp_path: Path) -> None:
    folder = toy.make_policy(tmp_path / "policy")
    root = tiny.write_job(tmp_path / "job", "train", {"method": "odpo"}, {"policy": folder})
    task = Task(tiny.open_job(root), "odpo", parse("odpo", OPTIONS), Selection(), 7)
    pairs = with_reference(population(folder), load_policy(folder), task.config)
    model = load_policy(folder, for_training=True).eval()

    def judge(batch: PairBatch) -> Judged:
        return Judged(odpo(batch.h, toy.BETA, 0.0), *batch.ratios)

    Loop(task, model, pairs, PairObjective(judge)).run()
    wanted = toy.optimum(toy.policy_in(folder))
    reached = toy.outcome_logits(model, folder).detach().double().softmax(-1)
    assert toy.distance(toy.policy_in(folder), wanted) > 0.2
    assert toy.distance(reached, wanted) < 0.01
    assert len(tiny.metrics_of(tmp_path / "job")) == OPTIONS["epochs"]

"""How many labels adaptive overlap saves against three for every comparison, on simulated raters.

The rules are those of the product (statistics.stopping), and so is the order of things: raters'
accuracies are not known but learned from the labels so far, anew after each wave of comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from labeling.statistics import stopping
from labeling.statistics.estimates import Codes, Floats
from labeling.statistics.reliability import one_coin

FIXED = 3
MOST = 5  # labels a comparison may get where beliefs decide
RATERS = 20
WAVE = 100  # comparisons that are open at a time
UNKNOWN = 0.75  # the accuracy of a rater of whom nothing is known yet
AGREEMENTS = (0.63, 0.73, 0.81)  # of pairs of raters
MIXED = (0.55, 0.98)  # accuracies, spread evenly
SURE = 0.8  # believed enough to ask nobody else
REWARD_ACCURACY = 0.72  # of the reward model whose odds are the prior


@dataclass(frozen=True)
class Arm:
    """One seed of one way of asking: labels given, by how much fewer than three each, and the
    share of comparisons that came out right, of this and of majorities of three."""

    labels: int
    saved: float
    right: float
    right_of_fixed: float
    same_as_fixed: float


@dataclass(frozen=True)
class Crowd:
    """``votes`` (items, MOST): whose turn it is, and what they say; ``truth`` (items,)."""

    truth: Codes
    raters: Codes
    votes: Codes
    prior: Floats  # (items,) log odds of 1


def accuracy_for(agreement: float) -> float:
    """Of raters who are alike and err apart, from how often two of them agree: p^2 + (1 - p)^2.

    >>> round(accuracy_for(0.745), 3)
    0.85
    """
    return (1 + math.sqrt(2 * agreement - 1)) / 2


def run(seeds: int = 50, items: int = 2_000, start: int = 0) -> Iterator[dict[str, Any]]:
    """A row for each crowd: the means over seeds, each saving with its 95 % interval."""
    every = range(start, start + seeds)
    for agreement in AGREEMENTS:
        arms = [_of_majority(_alike(seed, items, agreement)) for seed in every]
        name = f"identical raters, {100 * agreement:.0f} % agree: majority rule"
        yield _row(name, arms)
    yield _row(
        f"mixed raters: {SURE:.0%} belief, accuracies learned",
        [_of_belief(_mixed(seed, items), SURE) for seed in every],
    )
    yield _row(
        f"mixed raters: {SURE:.0%} belief, with a reward model's odds",
        [_of_belief(_mixed(seed, items, informed=True), SURE) for seed in every],
    )


def _alike(seed: int, items: int, agreement: float) -> Crowd:
    rng = np.random.default_rng([seed, int(1000 * agreement)])
    return _crowd(rng, items, np.full(RATERS, accuracy_for(agreement)), np.zeros(items))


def _mixed(seed: int, items: int, informed: bool = False) -> Crowd:
    rng = np.random.default_rng([seed, 1 + informed])
    odds = _reward_odds(rng, items) if informed else np.zeros(items)
    return _crowd(rng, items, np.linspace(*MIXED, RATERS), odds)


def _crowd(rng: np.random.Generator, items: int, accuracy: Floats, prior: Floats) -> Crowd:
    truth = (rng.random(items) < 1 / (1 + np.exp(-prior))).astype(np.int64)
    raters = np.argsort(rng.random((items, len(accuracy))), axis=1)[:, :MOST]
    right = rng.random((items, MOST)) < accuracy[raters]
    return Crowd(truth, raters, np.where(right, truth[:, None], 1 - truth[:, None]), prior)


def _reward_odds(rng: np.random.Generator, items: int) -> Floats:
    """Margins of a calibrated reward model that is right in REWARD_ACCURACY of the pairs."""
    drawn = rng.normal(size=items)
    low, high = 0.0, 10.0
    for _ in range(40):
        middle = (low + high) / 2
        right = float((1 / (1 + np.exp(-np.abs(drawn * middle)))).mean())
        low, high = (middle, high) if right < REWARD_ACCURACY else (low, middle)
    return drawn * low


def _majority_of_three(crowd: Crowd) -> Codes:
    three: Codes = (2 * crowd.votes[:, :FIXED].sum(axis=1) > FIXED).astype(np.int64)
    return three


def _of_majority(crowd: Crowd) -> Arm:
    """Two labels, and a third where stopping.more_decide asks for one."""

    def enough(item: int, given: int) -> bool:
        ones = int(crowd.votes[item, :given].sum())
        return not stopping.more_decide([given - ones, ones], FIXED)

    given = np.array([_asked(item, 2, FIXED, enough) for item in range(len(crowd.truth))])
    ones = np.array([crowd.votes[item, :n].sum() for item, n in enumerate(given)])
    return _arm(crowd, given, (2 * ones > given).astype(np.int64))


def _of_belief(crowd: Crowd, sure: float) -> Arm:
    """One label or more, until the belief in an outcome is ``sure`` or MOST were given; what is
    believed in the end, with what is known of the raters in the end, is the verdict."""
    items = len(crowd.truth)
    given = np.zeros(items, dtype=np.int64)
    prior = (1 / (1 + np.exp(-crowd.prior))).tolist()
    raters, votes = crowd.raters.tolist(), crowd.votes.tolist()

    def believed(item: int, n: int) -> list[float]:
        said = [(votes[item][k], known[raters[item][k]]) for k in range(n)]
        return stopping.belief(said, [1 - prior[item], prior[item]])

    known = [UNKNOWN] * RATERS
    for start in range(0, items, WAVE):
        for item in range(start, min(start + WAVE, items)):
            given[item] = _asked(item, 1, MOST, lambda i, n: max(believed(i, n)) >= sure)
        known = _learned(crowd, given[: start + WAVE]).tolist()
    verdict = np.array([int(believed(item, n)[1] > 0.5) for item, n in enumerate(given.tolist())])
    return _arm(crowd, given, verdict)


def _asked(item: int, least: int, most: int, enough: Callable[[int, int], bool]) -> int:
    given = least
    while given < most and not enough(item, given):
        given += 1
    return given


def _learned(crowd: Crowd, given: Codes) -> Floats:
    """Each rater's accuracy by the labels so far; UNKNOWN of whom there are none."""
    there = np.arange(MOST)[None, :] < given[:, None]
    items = np.nonzero(there)[0]
    raters, votes = crowd.raters[: len(given)][there], crowd.votes[: len(given)][there]
    seen = np.unique(raters)
    found = one_coin(items, raters, votes, 2, paired=True)
    accuracy = np.full(RATERS, UNKNOWN)
    accuracy[seen] = found.accuracy[seen]
    return accuracy


def _arm(crowd: Crowd, given: Codes, verdict: Codes) -> Arm:
    fixed = _majority_of_three(crowd)
    labels = int(given.sum())
    return Arm(
        labels,
        1 - labels / (FIXED * len(given)),
        float((verdict == crowd.truth).mean()),
        float((fixed == crowd.truth).mean()),
        float((verdict == fixed).mean()),
    )


def _row(name: str, arms: list[Arm]) -> dict[str, Any]:
    table = np.array([list(asdict(arm).values()) for arm in arms], dtype=float)
    labels, saved, right, fixed, same = table.mean(axis=0)
    half = 1.96 * table[:, 1].std(ddof=1) / math.sqrt(len(arms)) if len(arms) > 1 else 0.0
    return {
        "crowd": name,
        "seeds": len(arms),
        "labels": float(labels),
        "saved": float(saved),
        "saved_low": float(saved - half),
        "saved_high": float(saved + half),
        "right": float(right),
        "right_of_fixed": float(fixed),
        "same_as_fixed": float(same),
    }

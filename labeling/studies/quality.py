"""Twenty simulated raters whose faults are known, through the functions of the quality page: do
its intervals hold what they say, and are spammers found?

Every rater is drawn anew in each seed: how often they are right, how far they lean to a side and
to the longer text, whether they get better or worse, answer at random, or hurry. A figure about
one rater is held against that rater; one about raters like these against the crowd they are
drawn from.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np

from labeling import quality
from labeling.agreement import wilson
from labeling.measures import Said
from labeling.statistics import latent
from labeling.statistics.estimates import Codes, Floats

RATERS, OVERLAP, WEEKS = 20, 5, 8
SPAMMERS, HURRYING = 0.25, 0.2  # shares of the crowd
ACCURACY = (0.65, 0.92)
SIDE = (0.03, 0.05)  # mean and spread of P(first) - 1/2
LONGER = (0.0, 0.2)  # how often a rater takes the longer text, whatever it says
DRIFTING, DRIFT = 0.3, 0.15  # a share of the crowd; log odds a week
SECONDS, HURRIED, SPREAD = 12.0, 1.5, 0.5  # medians, and the spread of their logarithm
DOUBLING = 1.0  # spread of the doublings by which one text is longer
PAIR = {"preference": {"type": "pairwise", "scale": "ab", "tie": False}}
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
WANTED = (0.92, 0.97)


@dataclass(frozen=True)
class Crowd:
    """What is known of each of the raters: arrays of as many as there are."""

    accuracy: Floats  # in the middle week, by judging; a half of whoever spams
    side: Floats
    longer: Floats
    drift: Floats
    spams: Any
    seconds: Floats

    def judging(self, weeks: Floats | float, raters: Any = slice(None)) -> Floats:
        """How often a rater is right who leans to nothing; of one week a rater."""
        odds = np.log(self.accuracy / (1 - self.accuracy))[raters]
        found: Floats = 1 / (1 + np.exp(-(odds + self.drift[raters] * (weeks - _middle()))))
        return found

    def right(self, weeks: Floats, favours: float) -> Floats:
        """(raters, weeks): how often each is right, where the longer text is the right one
        (``favours`` 1), the wrong one (-1), or either alike (0)."""
        judging = np.stack([self.judging(week) for week in weeks], axis=1)
        sided = (2 * np.abs(self.side))[:, None]
        longer = self.longer[:, None]
        rest = sided / 2 + (1 - sided) * judging
        found: Floats = longer * (1 + favours) / 2 + (1 - longer) * rest
        return found


def draw(rng: np.random.Generator, count: int = RATERS) -> Crowd:
    spams = rng.random(count) < SPAMMERS
    drifts = (rng.random(count) < DRIFTING) & ~spams
    return Crowd(
        accuracy=np.where(spams, 0.5, rng.uniform(*ACCURACY, count)),
        side=np.clip(rng.normal(*SIDE, count), -0.3, 0.3),
        longer=rng.uniform(*LONGER, count),
        drift=np.where(drifts, rng.choice([-DRIFT, DRIFT], count), 0.0),
        spams=spams,
        seconds=np.where(rng.random(count) < HURRYING, HURRIED, SECONDS),
    )


@cache
def population() -> dict[str, float]:
    """What the crowd that raters are drawn from comes to, by a million of them."""
    crowd = draw(np.random.default_rng(0), 1_000_000)
    weeks = np.array([float(week) for week in range(WEEKS)])
    agree = 0.0
    for favours in (-1.0, 1.0):
        m = crowd.right(weeks, favours).mean(axis=0)
        # Two labels of a pair are of any two weeks.
        agree += (m.mean() ** 2 + (1 - m.mean()) ** 2) / 2
    side = float(((1 - crowd.longer) * crowd.side).mean())
    return {"agreement": agree, "side": 0.5 + side, "length": _slope(float(crowd.longer.mean()))}


def _slope(longer: float) -> float:
    """The log odds a doubling that fit best to P(longer) = 1/2 + longer / 2 at any difference."""
    x = np.linspace(0.0, 6 * DOUBLING, 4_001)
    weight = np.exp(-((x / DOUBLING) ** 2) / 2)
    low, high = 0.0, 5.0
    for _ in range(60):
        slope = (low + high) / 2
        extra = (weight * x * (0.5 + longer / 2 - 1 / (1 + np.exp(-slope * x)))).sum()
        low, high = (slope, high) if extra > 0 else (low, slope)
    return low


@dataclass(frozen=True)
class Drawn:
    """An entry a label; ``doublings`` and ``better`` have one a pair."""

    items: Codes
    raters: Codes
    weeks: Codes
    first: Codes  # the completion shown first: 0 or 1
    chosen: Codes
    seconds: Floats
    better: Codes
    doublings: Floats


def label(rng: np.random.Generator, crowd: Crowd, labels: int) -> Drawn:
    """OVERLAP of the raters for each pair."""
    pairs = labels // OVERLAP
    items = np.repeat(np.arange(pairs), OVERLAP)
    raters = np.argsort(rng.random((pairs, RATERS)), axis=1)[:, :OVERLAP].ravel()
    better, doublings = rng.integers(2, size=pairs), rng.normal(0, DOUBLING, pairs)
    n = len(items)
    weeks, first = rng.integers(WEEKS, size=n), rng.integers(2, size=n)
    judging = crowd.judging(weeks.astype(float), raters)
    judged = np.where(rng.random(n) < judging, better[items], 1 - better[items])
    sided = np.where(crowd.side[raters] > 0, first, 1 - first)
    by_side = rng.random(n) < 2 * np.abs(crowd.side[raters])
    by_length = rng.random(n) < crowd.longer[raters]
    chosen = np.where(by_length, doublings[items] < 0, np.where(by_side, sided, judged))
    seconds = crowd.seconds[raters] * np.exp(SPREAD * rng.normal(size=n))
    return Drawn(items, raters, weeks, first, chosen.astype(int), seconds, better, doublings)


def said(drawn: Drawn) -> Iterator[Said]:
    """The labels as the quality job reads them; two pairs are of one prompt."""
    columns = (drawn.items, drawn.raters, drawn.weeks, drawn.first, drawn.chosen)
    for item, rater, week, first, chosen, spent in zip(
        *(column.tolist() for column in columns), drawn.seconds.tolist(), strict=True
    ):
        ids = [2 * item + 1, 2 * item + 2]
        stored: dict[str, Any] = {"type": "pairwise", "outcome": "prefer"}
        stored |= {"chosen": ids[chosen], "rejected": ids[1 - chosen]}
        order = [ids[first], ids[1 - first]]
        at = MONDAY + timedelta(days=7 * week)
        parts = {"preference": stored}
        yield Said(item, item // 2, rater, parts, order, int(1000 * spent), at)


def lengths(drawn: Drawn) -> dict[int, int]:
    """Of each completion's text, so long that rounding changes nothing."""
    found = {}
    for item, doublings in enumerate(drawn.doublings.tolist()):
        found[2 * item + 1] = round(1e6 * 2 ** (doublings / 2))
        found[2 * item + 2] = round(1e6 * 2 ** (-doublings / 2))
    return found


def study(seed: int, labels: int = 20_000) -> dict[str, Any]:
    """One seed: of each planted property how many intervals hold it, of how many; spammers found,
    missed and wrongly named; and how often the model and the majority are right."""
    rng = np.random.default_rng([2007, seed])
    crowd = draw(rng)
    drawn = label(rng, crowd, labels)
    report = quality.report(said(drawn), PAIR, lengths(drawn))
    return {"held": _held(report, crowd), **_named(report, crowd), **_verdicts(drawn)}


def run(seeds: int = 200, labels: int = 20_000, start: int = 0) -> dict[str, Any]:
    """The whole study: coverage of each property with its Wilson interval, and the rest."""
    every = [study(seed, labels) for seed in range(start, start + seeds)]
    held: dict[str, Counter[bool]] = defaultdict(Counter)
    for one in every:
        for name, counts in one["held"].items():
            held[name].update(counts)
    total = {name: sum(one[name] for one in every) for name in ("right", "missed", "wrong")}
    modelled, majority = (np.array([one[name] for one in every]) for name in ("model", "majority"))
    return {
        "seeds": seeds,
        "labels": labels,
        "coverage": {name: _coverage(counts) for name, counts in held.items()},
        "precision": total["right"] / max(total["right"] + total["wrong"], 1),
        "recall": total["right"] / max(total["right"] + total["missed"], 1),
        "dawid_skene": float(modelled.mean()),
        "majority": float(majority.mean()),
        "gain": float((modelled - majority).mean()),
    }


def _coverage(counts: Counter[bool]) -> dict[str, Any]:
    n, held = counts.total(), counts[True]
    low, high = wilson(held, n)
    return {"held": held, "of": n, "share": held / n, "low": low, "high": high}


def _held(report: dict[str, Any], crowd: Crowd) -> dict[str, Counter[bool]]:
    found: dict[str, Counter[bool]] = defaultdict(Counter)
    weeks = np.arange(WEEKS, dtype=float)
    right = crowd.right(weeks, 0.0)
    slopes = _slopes(right)
    first = 0.5 + (1 - crowd.longer) * crowd.side
    for row in report["raters"]:
        one = row["rater"]
        found["accuracy of a rater"][_holds(row["accuracy"], float(right[one].mean()))] += 1
        found["side of a rater"][_holds(row["side"]["share"], float(first[one]))] += 1
        found["median time of a rater"][_holds(row["speed"], float(crowd.seconds[one]))] += 1
        if not crowd.spams[one]:
            found["drift of a rater"][_holds(row["drift"], float(slopes[one]))] += 1
        else:
            found["accuracy of a spammer"][_holds(row["accuracy"], float(right[one].mean()))] += 1
    true = population()
    agree = report["measures"][0]["figures"]["percent"]
    low, high = agree["alike"]
    found["agreement of raters like these"][low <= true["agreement"] <= high] += 1
    found["side of raters like these"][_holds(report["side"]["share"], true["side"])] += 1
    found["length, of raters like these"][_holds(report["length"], true["length"])] += 1
    return found


def _holds(estimate: dict[str, Any], truth: float) -> bool:
    return estimate["low"] is not None and bool(estimate["low"] <= truth <= estimate["high"])


def _slopes(right: Floats) -> Floats:
    """(raters,): of the log odds of being right, a week, as they change on the average."""
    odds = np.log(right / (1 - right))
    apart = np.arange(WEEKS) - _middle()
    found: Floats = (odds * apart).sum(axis=1) / (apart**2).sum()
    return found


def _named(report: dict[str, Any], crowd: Crowd) -> dict[str, int]:
    """Spammers by the sign of answers that say little."""
    named = {row["rater"] for row in report["raters"] if "guessing" in row["signs"]}
    true = set(np.flatnonzero(crowd.spams).tolist())
    return {
        "right": len(named & true),
        "missed": len(true - named),
        "wrong": len(named - true),
    }


def _verdicts(drawn: Drawn) -> dict[str, float]:
    """The share of pairs whose better text is found, by the model of the quality page, and by
    the majority of the labels."""
    model = latent.dawid_skene(
        drawn.items, drawn.raters, drawn.chosen, 2, smoothing=0.01, tolerance=1e-6
    )
    ones = np.bincount(drawn.items, weights=drawn.chosen)
    return {
        "model": float((model.best == drawn.better).mean()),
        "majority": float(((2 * ones > OVERLAP) == drawn.better).mean()),
    }


def _middle() -> float:
    return (WEEKS - 1) / 2

"""What is counted of each rater while the labels go by, and what it says of how they work. Pure.

Nothing here depends on the order in which labels come: what does, pauses and runs, is of the
moments at which they were given.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from labeling import beside
from labeling.agreement import cluster_interval
from labeling.measures import Said
from labeling.statistics.biases import NO_CHOICE, ExactTest, binomial, length_effect, median
from labeling.statistics.estimates import Codes, Estimate, Floats, undefined
from labeling.statistics.ratios import ratio
from models_runtime.phrases import phrase

ENOUGH = 20  # cards of a rater before a sign is more than an accident
SPEEDING_SECONDS = 3.0
GUESSING = 0.25  # competence below which a rater's answers say next to nothing
PAUSE = 1800.0  # seconds without an answer after which somebody has gone, and does not idle
DAY = 86_400
NEITHER = -1  # the side of a tie in ``sides``; 1 is the text shown first, 0 the second
NO_SESSION = phrase("No two answers followed each other within half an hour.")
SIGNS = {
    "side": phrase("prefers a side"),
    "speeding": phrase("speeding"),
    "others": phrase("disagrees with others"),
    "guessing": phrase("answers that say little"),
    "drift": phrase("changes over the weeks"),
}


@dataclass
class Seen:
    """One rater's labels, counted. Where time was measured, ``moments`` are seconds since 1970 and
    ``active`` those on the card; ``run_at`` and ``sides`` are of each choice between two."""

    labels: int = 0
    first: int = 0
    sided: int = 0
    ties: int = 0
    strengths: Counter[str] = field(default_factory=Counter)
    moments: array[float] = field(default_factory=lambda: array("d"))
    active: array[float] = field(default_factory=lambda: array("d"))
    run_at: array[float] = field(default_factory=lambda: array("d"))
    sides: array[int] = field(default_factory=lambda: array("b"))

    def see(self, said: Said, stored: dict[str, Any] | None) -> None:
        self.labels += 1
        at = said.created_at.timestamp()
        if said.active_ms is not None:
            self.moments.append(at)
            self.active.append(said.active_ms / 1000)
        if stored is None or stored["outcome"] == "unsure":
            return
        side = NEITHER
        if stored["outcome"] == "prefer":
            if strength := stored.get("strength"):
                self.strengths[strength] += 1
            if said.order:
                side = int(stored["chosen"] == said.order[0])
                self.sided += 1
                self.first += side
        else:
            self.ties += 1
        self.run_at.append(at)
        self.sides.append(side)


class Lengths:
    """Preferences, each with how many doublings the text of the lower id is longer."""

    def __init__(self, lengths: Mapping[int, int]) -> None:
        self.lengths = lengths
        self.doublings, self.chosen = array("d"), array("b")
        self.prompts, self.raters = array("q"), array("q")

    def see(self, said: Said, stored: dict[str, Any]) -> None:
        if stored["outcome"] != "prefer":
            return
        one, other = sorted((stored["chosen"], stored["rejected"]))
        mine, theirs = self.lengths.get(one), self.lengths.get(other)
        if mine and theirs:
            self.doublings.append(math.log2(mine / theirs))
            self.chosen.append((stored["chosen"] == one) != said.turned)
            self.prompts.append(said.prompt)
            self.raters.append(said.rater)

    def effect(self) -> Estimate:
        """Of all raters: what a doubling does to the log odds of being preferred."""
        if not self.prompts:
            return undefined(NO_CHOICE)
        chosen = np.array(self.chosen, dtype=float)
        raters = np.array(self.raters) if len(set(self.raters)) > 1 else None
        return length_effect(np.array(self.doublings), chosen, np.array(self.prompts), raters)

    def by_rater(self) -> dict[int, Estimate]:
        """The same of each rater alone, with intervals that cluster by prompt."""
        if not self.raters:
            return {}
        raters = np.array(self.raters, dtype=np.int64)
        order = np.argsort(raters, kind="stable")
        people, starts = np.unique(raters[order], return_index=True)
        x, y = np.array(self.doublings), np.array(self.chosen, dtype=float)
        prompts = np.array(self.prompts, dtype=np.int64)
        return {
            int(rater): length_effect(x[own], y[own], prompts[own])
            for rater, own in zip(people, np.split(order, starts[1:]), strict=True)
        }


def first_share(firsts: Sequence[int], sideds: Sequence[int]) -> ExactTest:
    """The share of preferences for the text shown first, of raters with ``firsts`` of ``sideds``
    each. Each leans by themselves, so the interval clusters by rater (raters like these), and one
    rater's is exact (Clopper and Pearson 1934) with the exact p of no leaning."""
    counted = [(first, sided) for first, sided in zip(firsts, sideds, strict=True) if sided]
    if len(counted) < 2:
        return binomial(sum(first for first, _ in counted), sum(sided for _, sided in counted))
    first, sided = np.array(counted, dtype=float).T
    found = cluster_interval(first / sided, range(len(counted)), weights=sided)
    return ExactTest(Estimate(found.mean, found.low, found.high, int(sided.sum())), None)


def idle(moments: Floats, active: Floats) -> Estimate:
    """The share of the time at work in which a rater was not on the card: of the time between two
    answers no more than half an hour apart, what was not active. The interval clusters by day
    (UTC); ``n`` is of days.

    >>> idle(np.array([0.0, 20.0, 40.0]), np.array([5.0, 10.0, 10.0])).value
    0.5
    """
    order = np.argsort(moments, kind="stable")
    at, worked = moments[order], active[order]
    gaps = np.diff(at)
    here = (gaps > 0) & (gaps <= PAUSE)
    if not here.any():
        return undefined(NO_SESSION)
    rest = np.clip(gaps - worked[1:], 0, None)[here]
    days = np.unique((at[1:][here] // DAY).astype(np.int64), return_inverse=True)[1]
    found = ratio(np.bincount(days, rest), np.bincount(days, gaps[here]))
    high = None if found.high is None else min(found.high, 1.0)
    return Estimate(found.value, found.low, high, found.n)


def longest_run(moments: Floats, sides: Codes) -> int:
    """The most choices in a row for the same side, in the order in which they were made; a tie
    ends a run.

    >>> longest_run(np.array([3.0, 1.0, 2.0, 4.0]), np.array([1, 0, 1, 1]))
    3
    """
    if not len(sides):
        return 0
    row = sides[np.argsort(moments, kind="stable")]
    ends = np.flatnonzero(np.diff(row)) + 1
    starts = np.concatenate([[0], ends])
    lengths = np.diff(np.concatenate([starts, [len(row)]]))
    return int(lengths[row[starts] != NEITHER].max(initial=0))


def of_all(
    raters: Mapping[int, Seen], lengths: Lengths, found: Mapping[int, beside.Beside]
) -> list[dict[str, Any]]:
    """A row a rater, those with most labels first, as plain data; ``found`` is what is known of
    those who have others beside them."""
    longer = lengths.by_rater()
    rows = [
        {
            **_row(pk, one, found.get(pk, beside.NOT_BESIDE)),
            "length": asdict(longer.get(pk, undefined(NO_CHOICE))),
        }
        for pk, one in raters.items()
    ]
    return sorted(rows, key=lambda row: (-row["labels"], row["rater"]))


def _row(pk: int, one: Seen, others: beside.Beside) -> dict[str, Any]:
    active, sides = np.array(one.active), np.array(one.sides, dtype=np.int64)
    side, speed = binomial(one.first, one.sided), median(active)
    return {
        "rater": pk,
        "labels": one.labels,
        "seconds": speed.value,
        "speed": asdict(speed),
        "timed": len(active),
        "idle": asdict(idle(np.array(one.moments), active)),
        "agrees": asdict(others.agrees),
        "rest": others.rest,
        "competence": others.competence,
        "unknown": others.unknown if others.competence is None else "",
        "accuracy": asdict(others.accuracy),
        "drift": {**asdict(others.drift), "p": others.drift_p},
        "side": asdict(side),
        "run": longest_run(np.array(one.run_at), sides),
        "ties": one.ties / (one.ties + one.sided) if one.ties + one.sided else None,
        "tied": asdict(binomial(one.ties, one.ties + one.sided).share),
        "strengths": dict(one.strengths),
        "signs": _signs(side, speed, len(active), others),
    }


def _signs(side: ExactTest, speed: Estimate, timed: int, others: beside.Beside) -> list[str]:
    """What a lead might look into: each beyond what is an accident among five hundred raters."""
    seconds, enough = speed.value, others.agrees.n >= ENOUGH
    competence = others.competence
    signs = {
        "side": side.p is not None and side.share.n >= ENOUGH and side.p < 0.001,
        "speeding": seconds is not None and timed >= ENOUGH and seconds < SPEEDING_SECONDS,
        "others": enough and others.is_apart,
        "guessing": competence is not None
        and enough
        and competence < GUESSING
        and others.may_guess,
        "drift": others.drift_p is not None and others.drift_p < 0.001,
    }
    return [name for name, holds in signs.items() if holds]


def firsts(raters: Iterable[Seen]) -> ExactTest:
    """first_share of what was counted."""
    counted = list(raters)
    return first_share([one.first for one in counted], [one.sided for one in counted])

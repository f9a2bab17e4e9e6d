"""What a campaign's page says about the labels of its newest iteration: counts, speed, sides,
agreement, raters. The database counts; a web process reads no label one by one.

Every number comes with its interval or its definition. Only labels in force count; people and
simulated raters are never mixed.
"""

from __future__ import annotations

import datetime as dt
import math
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import (
    Case,
    Count,
    F,
    IntegerField,
    Max,
    QuerySet,
    When,
)
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from annotate import charts, pace
from annotate.shares import Share
from labeling import accepted, agreement, preferences_by_comparison, rater_figures
from labeling.agreement import Agreement
from labeling.iterations import plan_of
from labeling.judgements import Judged
from labeling.models import Campaign, Iteration, Label
from models_runtime.records import STRENGTHS

FRESH_SECONDS = 10.0  # a page that polls every 2 s does not count every label each time
SMALL = 300  # labels that are counted at every look
TIMED = 20_000  # labels whose times make the medians: the newest
AGREED = 2_000  # comparisons labelled twice that agreement is computed of: the newest
PACE_SECONDS = 20.0  # speed falls by itself when nobody labels: looked at again after so long
TIME_SHARE = 0.05  # of a process's time, at most, spent on the figures of many labels
_kept: dict[int, Kept] = {}
_agreed: dict[int, Agreed] = {}

Key = tuple[int, int, int, int]  # iteration, its labels by people, by others, its newest label


@dataclass(frozen=True)
class Tally:
    """Labels in force that are alike, counted by the database."""

    rater: int
    name: str
    source: str
    strength: str | None
    left: bool | None  # whether the left side was chosen; None for a tie
    n: int
    last: dt.datetime


@dataclass(frozen=True)
class Kept:
    """Figures with what they were computed from, when, and how long that took."""

    key: Key
    figures: Figures
    at: float
    seconds: float
    paced: float  # when speed was last looked at

    @property
    def is_fresh(self) -> bool:
        """Young enough to be shown though labels came since: where there are many."""
        many = self.figures.people + self.figures.others > SMALL
        age = time.monotonic() - self.at
        return many and age < max(FRESH_SECONDS, self.seconds / TIME_SHARE)


@dataclass(frozen=True)
class Agreed:
    """Agreement in an iteration, with what it was computed from."""

    doubles: tuple[int, ...]  # the iteration, its comparisons labelled twice, their newest label
    people: Agreement
    simulated: Agreement
    by_rater: dict[int, list[bool]]


@dataclass(frozen=True)
class RaterRow:
    name: str
    source: str
    labels: int
    median_seconds: float | None
    left: Share
    agrees: Share
    last: dt.datetime

    @property
    def signs(self) -> list[str]:
        """What a lead might look into; each needs enough labels to be no accident."""
        found = []
        if self.left.n >= 30 and self.left.p < 0.001:
            found.append(_("prefers a side"))
        if self.labels >= 20 and self.median_seconds is not None and self.median_seconds < 3:
            found.append(_("speeding"))
        if self.agrees.n >= 20 and self.agrees.high < 0.5:
            found.append(_("disagrees with others"))
        return found


@dataclass(frozen=True)
class Figures:
    people: int
    others: int
    left: Share
    agreement: Agreement
    simulated: Agreement
    raters: list[RaterRow]
    slots: list[pace.Slot]
    per: str  # what one bar of the chart is: "minute", "hour" or "day"
    hourly: float  # people's labels an hour, lately
    active_raters: int
    strengths: list[tuple[str, int]]

    @property
    def chart(self) -> charts.Bars | None:
        """Drawn for whoever looks: the figures are kept for everybody, in no language."""
        rows = [
            (pace.stamp(slot.start, self.per), slot.people, slot.others) for slot in self.slots
        ]
        return charts.bars(rows) if rows else None


def of(campaign: Campaign, iteration: Iteration | None) -> Figures:
    """The figures of an iteration's labels; at most ten seconds old while labels stream in."""
    key = _key(iteration)
    kept = _kept.get(campaign.pk)
    if kept and (kept.key == key or kept.key[0] == key[0] and kept.is_fresh):
        return _paced(campaign, iteration, kept)
    began = time.monotonic()
    figures = _compute(campaign, iteration)
    now = time.monotonic()
    _kept[campaign.pk] = Kept(key, figures, now, now - began, now)
    return figures


def _paced(campaign: Campaign, iteration: Iteration | None, kept: Kept) -> Figures:
    """What was kept, at the speed of now: an hour after the last label it is nought."""
    now = time.monotonic()
    if not kept.figures.hourly or now - kept.paced < PACE_SECONDS:
        return kept.figures
    hourly, active = pace.speed(_in_force(iteration))
    figures = replace(kept.figures, hourly=hourly, active_raters=active)
    _kept[campaign.pk] = replace(kept, figures=figures, paced=now)
    return figures


def _key(iteration: Iteration | None) -> Key:
    if iteration is None:
        return 0, 0, 0, 0
    newest = Label.objects.filter(comparison__iteration=iteration).order_by("-id")
    last = newest.values_list("id", flat=True).first() or 0
    return iteration.pk, iteration.labels_people, iteration.labels_others, last


def progress(iteration: Iteration | None) -> dict[str, Any]:
    """The bar of the iteration under way: counted labels, the target, the time it may take."""
    if iteration is None:
        return {"done": 0, "target": 0, "people": 0, "others": 0}
    plan = plan_of(iteration)
    done = iteration.labels_people + (iteration.labels_others if plan.count_simulated else 0)
    return {
        "done": done,
        "target": plan.target_labels,
        "people": iteration.labels_people,
        "others": iteration.labels_others,
        "count_simulated": plan.count_simulated,
        "start_training": plan.start_training,
    }


def _compute(campaign: Campaign, iteration: Iteration | None) -> Figures:
    labels = _in_force(iteration)
    tallies = _tallies(campaign, labels)
    people = [one for one in tallies if one.source == "person"]
    agreed = _agreement(campaign, iteration, labels)
    slots, per = pace.slots(labels)
    hourly, active = pace.speed(labels)
    strengths: Counter[str] = Counter()
    for one in people:
        strengths[one.strength or ""] += one.n
    return Figures(
        people=_count(people),
        others=_count(tallies) - _count(people),
        left=_left(people),
        agreement=agreed.people,
        simulated=agreed.simulated,
        raters=_raters(tallies, agreed.by_rater, _times(labels)),
        slots=slots,
        per=per,
        hourly=hourly,
        active_raters=active,
        strengths=[(name, strengths[name]) for name in STRENGTHS],
    )


def _in_force(iteration: Iteration | None) -> QuerySet[Label]:
    rows = accepted.of(Label.objects.all())
    return rows.filter(comparison__iteration=iteration) if iteration else rows.none()


def _tallies(campaign: Campaign, labels: QuerySet[Label]) -> list[Tally]:
    parts = campaign.question.parts if campaign.question else {"": {}}
    answered = KeyTransform(next(iter(parts)), KeyTransform("parts", "answer"))
    rows = labels.annotate(
        strength=KeyTextTransform("strength", answered),
        chosen=Cast(KeyTextTransform("chosen", answered), IntegerField()),
        first=Cast(KeyTextTransform("0", "order"), IntegerField()),
        left=Case(
            When(chosen__isnull=True, then=None), When(chosen=F("first"), then=True), default=False
        ),
    )
    kinds = rows.order_by().values_list("rater", "rater__username", "source", "strength", "left")
    counted = kinds.annotate(n=Count("pk"), last=Max("created_at"))
    return [Tally(*row) for row in counted]


def _count(tallies: Iterable[Tally]) -> int:
    return sum(one.n for one in tallies)


def _left(tallies: list[Tally]) -> Share:
    """The same function as on the quality page: with its interval over raters, and of one rater
    exact."""
    sided: Counter[int] = Counter()
    left: Counter[int] = Counter()
    for one in tallies:
        sided[one.rater] += one.n if one.left is not None else 0
        left[one.rater] += one.n if one.left else 0
    found = rater_figures.first_share([left[pk] for pk in sided], list(sided.values()))
    share, p = found.share, found.p
    low, high = (0.0, 1.0) if share.low is None or share.high is None else (share.low, share.high)
    return Share(share.value, low, high, share.n, math.nan if p is None else p)


def _times(labels: QuerySet[Label]) -> dict[int, list[float]]:
    """Seconds on a card by rater, of the newest labels."""
    found: dict[int, list[float]] = defaultdict(list)
    timed = labels.filter(active_ms__gt=0).order_by("-id")
    for rater, active_ms in timed.values_list("rater", "active_ms")[:TIMED]:
        found[rater].append((active_ms or 0) / 1000)
    return found


def _agreement(campaign: Campaign, iteration: Iteration | None, labels: QuerySet[Label]) -> Agreed:
    """Of the newest comparisons that two have labelled; computed anew when one came or changed."""
    twice = labels.order_by().values("comparison").annotate(n=Count("pk"), newest=Max("pk"))
    rows = list(twice.filter(n__gt=1).order_by("-newest").values_list("comparison", "newest"))
    newest = rows[0][1] if rows else 0
    doubles = (iteration.pk if iteration else 0, len(rows), newest)
    known = _agreed.get(campaign.pk)
    if known is None or known.doubles != doubles:
        among = [comparison for comparison, newest_label in rows[:AGREED]]
        known = _agreed[campaign.pk] = _agree(labels, among, doubles)
    return known


def _agree(labels: QuerySet[Label], among: list[int], doubles: tuple[int, ...]) -> Agreed:
    rows = preferences_by_comparison.of(labels, among) if among else []
    people, simulated = (agreement.agreement(rows, name) for name in ("person", "simulated"))
    return Agreed(doubles, people, simulated, _agreeing(rows))


def _agreeing(rows: list[Judged]) -> dict[int, list[bool]]:
    """By rater: whether each meeting with another rater of the same kind agreed."""
    met: dict[int, list[bool]] = defaultdict(list)
    for source in ("person", "simulated"):
        for meeting in agreement.meetings(rows, source):
            for rater in meeting.raters:
                met[int(rater)].append(meeting.agrees)
    return met


def _raters(
    tallies: list[Tally], agreeing: dict[int, list[bool]], times: dict[int, list[float]]
) -> list[RaterRow]:
    by_rater: dict[int, list[Tally]] = defaultdict(list)
    for one in tallies:
        by_rater[one.rater].append(one)
    rows = [
        _rater(own, agreeing.get(rater, []), times.get(rater, []))
        for rater, own in by_rater.items()
    ]
    return sorted(rows, key=lambda row: (row.source != "person", -row.labels))


def _rater(own: list[Tally], met: list[bool], times: list[float]) -> RaterRow:
    low, high = agreement.wilson(sum(met), len(met))
    return RaterRow(
        name=own[0].name,
        source=own[0].source,
        labels=_count(own),
        median_seconds=statistics.median(times) if times else None,
        left=_left(own),
        agrees=Share(sum(met) / len(met) if met else None, low, high, len(met)),
        last=max(one.last for one in own),
    )

"""What a campaign's page says about the labels of its newest iteration: counts, speed, sides,
agreement, raters. What grows with the labels is kept as sums (tallies.py); of what has to be
read, the newest is.

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

from django.db.models import Count, F, Max, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _

from annotate import charts, pace
from annotate.shares import Share
from labeling import accepted, agreement, preferences_by_comparison, rater_figures, tallies
from labeling.agreement import Agreement
from labeling.iterations import plan_of
from labeling.judgements import Judged
from labeling.models import Assignment, Campaign, Iteration, Label, Seat, User
from models_runtime.records import STRENGTHS

FRESH_SECONDS = 10.0  # a page that polls every 2 s does not count every label each time
SMALL = 300  # labels that are counted at every look
NEWEST = 5_000  # labels whose times make the medians, and whose comparisons may agree
AGREED = 1_000  # comparisons labelled twice that agreement is computed of: the newest
PACE_SECONDS = 20.0  # speed falls by itself when nobody labels: looked at again after so long
TIME_SHARE = 0.05  # of a process's time, at most, spent on the figures of many labels
_kept: dict[int, Kept] = {}
_agreed: dict[int, Agreed] = {}

Key = tuple[int, int, int, str]  # iteration, its labels by people, by others, when the last was


@dataclass(frozen=True)
class Tally:
    """Accepted labels that are alike."""

    rater: int
    name: str
    source: str
    strength: str
    left: bool | None  # whether the left side was chosen; None for a tie
    n: int
    last: dt.datetime | None  # of this rater, whatever was said


@dataclass(frozen=True)
class Newest:
    """What is looked at of one label."""

    comparison: int
    rater: int
    active_ms: int | None


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
    last: dt.datetime | None

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


def forget() -> None:
    """What this process keeps."""
    _kept.clear()
    _agreed.clear()


def _paced(campaign: Campaign, iteration: Iteration | None, kept: Kept) -> Figures:
    """What was kept, at the speed of now: an hour after the last label it is nought."""
    now = time.monotonic()
    if not kept.figures.hourly or now - kept.paced < PACE_SECONDS:
        return kept.figures
    hourly, active = pace.speed(campaign, _in_force(iteration))
    figures = replace(kept.figures, hourly=hourly, active_raters=active)
    _kept[campaign.pk] = replace(kept, figures=figures, paced=now)
    return figures


def _key(iteration: Iteration | None) -> Key:
    """By each rater's newest answer in the campaign, which an index finds."""
    if iteration is None:
        return 0, 0, 0, ""
    given = Assignment.objects.filter(
        rater=OuterRef("rater"), campaign=OuterRef("campaign"), submitted_at__isnull=False
    )
    newest = Subquery(given.order_by("-submitted_at", "-id").values("submitted_at")[:1])
    seats = Seat.objects.filter(campaign=iteration.campaign_id)
    last = seats.aggregate(last=Max(newest))["last"]
    return iteration.pk, iteration.labels_people, iteration.labels_others, str(last)


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
    said, hours = _sums(campaign, iteration)
    labels = _in_force(iteration)
    rows = _tallies(said, labels)
    people = [one for one in rows if one.source == "person"]
    newest = _newest(campaign, iteration)
    agreed = _agreement(campaign, iteration, newest)
    slots, per = pace.slots(_by_card(iteration), hours)
    hourly, active = pace.speed(campaign, labels)
    strengths: Counter[str] = Counter()
    for one in people:
        strengths[one.strength] += one.n
    return Figures(
        people=_count(people),
        others=_count(rows) - _count(people),
        left=_left(people),
        agreement=agreed.people,
        simulated=agreed.simulated,
        raters=_raters(rows, agreed.by_rater, _times(newest)),
        slots=slots,
        per=per,
        hourly=hourly,
        active_raters=active,
        strengths=[(name, strengths[name]) for name in STRENGTHS],
    )


def _in_force(iteration: Iteration | None) -> QuerySet[Label]:
    """Accepted labels of an iteration, found by what else is asked of them: the sum keeps the
    database from going through all of the iteration's cards."""
    rows = Label.objects.annotate(turn=F("comparison__iteration") + 0)
    return accepted.of(rows.filter(turn=iteration.pk if iteration else 0))


def _by_card(iteration: Iteration | None) -> QuerySet[Label]:
    """The same, found by the iteration's cards."""
    rows = accepted.of(Label.objects.all())
    return rows.filter(comparison__iteration=iteration) if iteration else rows.none()


def _sums(
    campaign: Campaign, iteration: Iteration | None
) -> tuple[list[tuple[tallies.Key, int]], list[pace.Slot]]:
    """What was said, and when, in accepted labels."""
    if iteration is None:
        return [], []
    wanted = tallies.Wanted(("said", "hour"), [campaign.pk], iteration=iteration.pk)
    found = [(key, one.n) for key, one in tallies.of(wanted).items() if not key.excluded]
    hours: dict[dt.datetime, Counter[bool]] = defaultdict(Counter)
    for key, n in found:
        if key.kind == "hour":
            hours[key.at][key.source == "person"] += n
    slots = [pace.Slot(at, hours[at][True], hours[at][False]) for at in sorted(hours)]
    return [(key, n) for key, n in found if key.kind == "said"], slots


def _tallies(sums: list[tuple[tallies.Key, int]], labels: QuerySet[Label]) -> list[Tally]:
    own = labels.filter(rater=OuterRef("pk")).order_by("-pk")
    users = User.objects.filter(pk__in={key.rater for key, _ in sums})
    named = users.annotate(last=Subquery(own.values("created_at")[:1]))
    raters = {pk: said for pk, *said in named.values_list("pk", "username", "last")}
    return [
        Tally(
            key.rater,
            raters[key.rater][0],
            key.source,
            key.strength,
            None if key.left < 0 else bool(key.left),
            n,
            raters[key.rater][1],
        )
        for key, n in sums
    ]


def _newest(campaign: Campaign, iteration: Iteration | None) -> list[Newest]:
    """The iteration's among the NEWEST accepted labels of its campaign."""
    if iteration is None:
        return []
    rows = accepted.of(Label.objects.filter(assignment__campaign=campaign)).order_by("-pk")
    read = rows.values_list("comparison__iteration", "comparison", "rater", "active_ms")
    return [
        Newest(comparison, rater, active_ms)
        for turn, comparison, rater, active_ms in read[:NEWEST]
        if turn == iteration.pk
    ]


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


def _times(newest: list[Newest]) -> dict[int, list[float]]:
    """Seconds on a card by rater."""
    found: dict[int, list[float]] = defaultdict(list)
    for one in newest:
        if one.active_ms:
            found[one.rater].append(one.active_ms / 1000)
    return found


def _agreement(campaign: Campaign, iteration: Iteration | None, newest: list[Newest]) -> Agreed:
    """Of the newest comparisons that two have labelled; computed anew when one came or changed."""
    labels = accepted.of(Label.objects.filter(comparison__in={one.comparison for one in newest}))
    twice = labels.order_by().values("comparison").annotate(n=Count("pk"), newest=Max("pk"))
    rows = list(twice.filter(n__gt=1).order_by("-newest").values_list("comparison", "newest"))
    last = rows[0][1] if rows else 0
    doubles = (iteration.pk if iteration else 0, len(rows), last)
    known = _agreed.get(campaign.pk)
    if known is None or known.doubles != doubles:
        among = [comparison for comparison, _ in rows[:AGREED]]
        known = _agreed[campaign.pk] = _agree(among, doubles)
    return known


def _agree(among: list[int], doubles: tuple[int, ...]) -> Agreed:
    labels = accepted.of(Label.objects.all())
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
    tallied: list[Tally], agreeing: dict[int, list[bool]], times: dict[int, list[float]]
) -> list[RaterRow]:
    by_rater: dict[int, list[Tally]] = defaultdict(list)
    for one in tallied:
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
        last=own[0].last,
    )

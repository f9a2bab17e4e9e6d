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
from dataclasses import dataclass
from typing import Any

from django.db.models import (
    Case,
    Count,
    F,
    IntegerField,
    Max,
    Min,
    Q,
    QuerySet,
    When,
)
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast, Trunc
from django.utils import timezone
from scipy import special

from annotate import charts
from labeling import agreement, snapshots
from labeling.agreement import Agreement
from labeling.iterations import plan_of
from labeling.judgements import Judged
from labeling.models import Campaign, Iteration, Label, User
from models_runtime.models import Job
from models_runtime.records import STRENGTHS

FRESH_SECONDS = 10.0  # a page that polls every 2 s does not count every label each time
SMALL = 300  # labels that are counted at every look
TIMED = 20_000  # labels whose times make the medians: the newest
SLOTS = 60  # bars of the chart, at most
AGREED = 2_000  # comparisons labelled twice that agreement is computed of: the newest
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
class Share:
    """A share of n with its 95 % interval."""

    share: float | None
    low: float
    high: float
    n: int
    p: float = math.nan


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
            found.append("prefers a side")
        if self.labels >= 20 and self.median_seconds is not None and self.median_seconds < 3:
            found.append("speeding")
        if self.agrees.n >= 20 and self.agrees.high < 0.5:
            found.append("disagrees with others")
        return found


@dataclass(frozen=True)
class Figures:
    people: int
    others: int
    left: Share
    agreement: Agreement
    simulated: Agreement
    raters: list[RaterRow]
    chart: charts.Bars | None
    per: str  # what one bar of the chart is: "minute", "hour" or "day"
    hourly: float  # people's labels an hour, lately
    active_raters: int
    strengths: list[tuple[str, int]]


def of(campaign: Campaign, iteration: Iteration | None) -> Figures:
    """The figures of an iteration's labels; at most ten seconds old while labels stream in."""
    key = _key(iteration)
    kept = _kept.get(campaign.pk)
    if kept and (kept.key == key or kept.key[0] == key[0] and kept.is_fresh):
        return kept.figures
    began = time.monotonic()
    figures = _compute(campaign, iteration)
    now = time.monotonic()
    _kept[campaign.pk] = Kept(key, figures, now, now - began)
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


def time_left(done: int, target: int, hourly: float) -> float | None:
    """Seconds until the target at this speed; None when nobody is labelling or it is met."""
    return (target - done) / hourly * 3600 if hourly > 0 and done < target else None


def binomial(successes: int, n: int) -> Share:
    """A share with the exact (Clopper-Pearson) interval and the exact p that it is one half."""
    if n == 0:
        return Share(None, 0.0, 1.0, 0)
    k, misses = successes, n - successes
    low = float(special.betaincinv(k, misses + 1, 0.025)) if k else 0.0
    high = float(special.betaincinv(k + 1, misses, 0.975)) if misses else 1.0
    p = min(1.0, 2 * float(special.bdtr(min(k, misses), n, 0.5)))
    return Share(k / n, low, high, n, p)


def _compute(campaign: Campaign, iteration: Iteration | None) -> Figures:
    labels = _in_force(iteration)
    tallies = _tallies(campaign, labels)
    people = [one for one in tallies if one.source == "person"]
    agreed = _agreement(campaign, iteration, labels)
    chart, per = _chart(labels)
    hourly, active = _speed(labels)
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
        chart=chart,
        per=per,
        hourly=hourly,
        active_raters=active,
        strengths=[(name, strengths[name]) for name in STRENGTHS],
    )


def _in_force(iteration: Iteration | None) -> QuerySet[Label]:
    rows = Label.objects.filter(kind="answer", superseded_by=None)
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
    sided = [one for one in tallies if one.left is not None]
    return binomial(_count(one for one in sided if one.left), _count(sided))


def _times(labels: QuerySet[Label]) -> dict[int, list[float]]:
    """Seconds on a card by rater, of the newest labels."""
    found: dict[int, list[float]] = defaultdict(list)
    timed = labels.filter(active_ms__gt=0).order_by("-id")
    for rater, active_ms in timed.values_list("rater", "active_ms")[:TIMED]:
        found[rater].append((active_ms or 0) / 1000)
    return found


def _speed(labels: QuerySet[Label]) -> tuple[float, int]:
    """People's labels an hour and raters at work, over the last hour or since the first in it."""
    now = timezone.now()
    lately = labels.filter(source="person", created_at__gt=now - dt.timedelta(hours=1))
    working = Q(created_at__gt=now - dt.timedelta(minutes=10))
    found = lately.aggregate(
        n=Count("pk"),
        first=Min("created_at"),
        at_work=Count("rater", distinct=True, filter=working),
    )
    if found["first"] is None:
        return 0.0, 0
    hours = max((now - found["first"]).total_seconds(), 60) / 3600
    return int(found["n"] or 0) / hours, int(found["at_work"] or 0)


def _chart(labels: QuerySet[Label]) -> tuple[charts.Bars | None, str]:
    """Labels per minute, hour or day, whichever gives at most some thirty bars."""
    ends = labels.aggregate(first=Min("created_at"), last=Max("created_at"))
    if ends["first"] is None:
        return None, ""
    length = (ends["last"] - ends["first"]).total_seconds()
    per, seconds, form = next(
        unit
        for unit in (("minute", 60, "%H:%M"), ("hour", 3600, "%H:00"), ("day", 86400, "%d %b"))
        if length / unit[1] < 30 or unit[0] == "day"
    )
    last = int(ends["last"].timestamp()) // seconds
    first = max(int(ends["first"].timestamp()) // seconds, last - SLOTS + 1)
    counts = _per_slot(labels, per, seconds, first)
    rows = [
        (_stamp(slot * seconds, form), counts[slot, True], counts[slot, False])
        for slot in range(first, last + 1)
    ]
    return charts.bars(rows), per


def _per_slot(
    labels: QuerySet[Label], per: str, seconds: int, first: int
) -> Counter[tuple[int, bool]]:
    """Labels by slot of time since 1970, and whether people gave them."""
    since = dt.datetime.fromtimestamp(first * seconds, dt.UTC)
    at = Trunc("created_at", per, tzinfo=dt.UTC)
    rows = labels.filter(created_at__gte=since).annotate(at=at).order_by()
    counts: Counter[tuple[int, bool]] = Counter()
    for start, source, n in rows.values_list("at", "source").annotate(n=Count("pk")):
        counts[int(start.timestamp()) // seconds, source == "person"] += n
    return counts


def _stamp(seconds: int, form: str) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime(form)


def _agreement(campaign: Campaign, iteration: Iteration | None, labels: QuerySet[Label]) -> Agreed:
    """Of the newest comparisons that two have labelled; computed anew when one came or changed."""
    twice = labels.order_by().values("comparison").annotate(n=Count("pk"), newest=Max("pk"))
    rows = list(twice.filter(n__gt=1).order_by("-newest").values_list("comparison", "newest"))
    newest = rows[0][1] if rows else 0
    doubles = (iteration.pk if iteration else 0, len(rows), newest)
    known = _agreed.get(campaign.pk)
    if known is None or known.doubles != doubles:
        among = [comparison for comparison, _ in rows[:AGREED]]
        known = _agreed[campaign.pk] = _agree(campaign, among, doubles)
    return known


def _agree(campaign: Campaign, among: list[int], doubles: tuple[int, ...]) -> Agreed:
    rows = list(snapshots.judged(campaign, among=among)) if among else []
    people, simulated = (agreement.agreement(rows, name) for name in ("person", "simulated"))
    return Agreed(doubles, people, simulated, _agreeing(campaign, rows))


def _agreeing(campaign: Campaign, rows: list[Judged]) -> dict[int, list[bool]]:
    """By rater: whether each meeting with another rater of the same kind agreed."""
    met: dict[str, list[bool]] = defaultdict(list)
    for source in ("person", "simulated"):
        for meeting in agreement.meetings(rows, source):
            for rater in meeting.raters:
                met[rater].append(meeting.agrees)
    key = campaign.project.pseudonym_key
    raters = User.objects.filter(assignments__comparison__campaign=campaign).distinct()
    return {user.pk: met.get(snapshots.pseudonym(key, user), []) for user in raters}


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


def certainty(n: int) -> dict[str, Any] | None:
    """How little n labels can show: the exact interval of a share when half of n say so. None
    from a thousand on, when it is within three points."""
    if not 0 < n < 1000:
        return None
    half = binomial(n // 2, n)
    return {
        "n": n,
        "amount": "little" if n < 200 else "only so much",
        "low": half.low,
        "high": half.high,
        "points": (half.high - half.low) / 2,
    }


# When this process first saw a running job in its present phase: (phase, done, monotonic seconds).
_phases: dict[int, tuple[str, int, float]] = {}

KINDS = {
    "sample": "Sampling answers",
    "train": "Training",
    "evaluate": "Evaluating",
    "check_model": "Checking a model",
    "row": "Simulated raters",
}


def job_progress(job: Job) -> dict[str, Any]:
    """What a job's bar shows."""
    done, total = job.progress.get("done") or 0, job.progress.get("total") or 0
    spent = (timezone.now() - job.started_at).total_seconds() if job.started_at else 0.0
    return {
        "title": _title(job),
        "done": done,
        "total": total,
        "unit": job.progress.get("unit", "").rstrip(" 0123456789"),  # "first samples 1": a draw
        "note": job.progress.get("note", ""),
        "left": _remaining(job, done, total),
        "spent": spent if job.finished_at is None else took(job),
    }


def _title(job: Job) -> str:
    """The kind of work; for training also what is trained, since three runs follow each other."""
    method = job.config.get("method") if job.kind == "train" else None
    title = KINDS.get(job.kind, job.kind)
    if method is None:
        return title
    return f"{title}: {'reward model' if method == 'reward' else 'policy, ' + method.upper()}"


def _remaining(job: Job, done: int, total: int) -> float | None:
    """Seconds until this phase of a job ends, by its speed since it was first looked at; None
    before it has moved. Start-up, earlier phases and earlier attempts say nothing about it."""
    if job.state != "running" or not total:
        _phases.pop(job.pk, None)
        return None
    phase, now = f"{job.attempt} {job.progress.get('unit')}", time.monotonic()
    known = _phases.get(job.pk)
    if known is None or known[0] != phase or done < known[1]:
        _phases[job.pk] = (phase, done, now)
        return None
    moved = done - known[1]
    return (now - known[2]) / moved * (total - done) if moved and done < total else None


def took(job: Job) -> float | None:
    """Wall seconds of the last attempt."""
    if job.started_at is None or job.finished_at is None:
        return None
    return (job.finished_at - job.started_at).total_seconds()

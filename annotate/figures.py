"""What a campaign's page says about its labels: counts, speed, sides, agreement, raters.

Every number comes with its interval or its definition. Only labels in force count; people and
simulated raters are never mixed.
"""

from __future__ import annotations

import datetime as dt
import math
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

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
_kept: dict[int, tuple[float, int, Figures]] = {}


@dataclass(frozen=True)
class Given:
    """One label in force, as far as the page's statistics need it."""

    rater: int
    name: str
    source: str
    at: dt.datetime
    active_ms: int | None
    left: bool | None  # whether the left side was chosen; None for a tie
    strength: str | None


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


def of(campaign: Campaign) -> Figures:
    """The campaign's figures; at most ten seconds old while labels stream in."""
    newest = Label.objects.filter(comparison__campaign=campaign).order_by("-id")
    last = newest.values_list("id", flat=True).first() or 0
    kept = _kept.get(campaign.pk)
    if kept and (kept[1] == last or time.monotonic() - kept[0] < FRESH_SECONDS and last > 300):
        return kept[2]
    figures = _compute(campaign)
    _kept[campaign.pk] = (time.monotonic(), last, figures)
    return figures


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


def _compute(campaign: Campaign) -> Figures:
    given = _given(campaign)
    people = [g for g in given if g.source == "person"]
    rows = list(snapshots.judged(campaign))
    chart, per = _chart(given)
    hourly, active = _speed(people)
    strengths = Counter(g.strength for g in people if g.strength)
    return Figures(
        people=len(people),
        others=len(given) - len(people),
        left=_left(people),
        agreement=agreement.agreement(rows, "person"),
        simulated=agreement.agreement(rows, "simulated"),
        raters=_raters(given, _agreeing(campaign, rows)),
        chart=chart,
        per=per,
        hourly=hourly,
        active_raters=active,
        strengths=[(name, strengths[name]) for name in STRENGTHS],
    )


def _given(campaign: Campaign) -> list[Given]:
    rows = Label.objects.filter(
        comparison__campaign=campaign, kind="answer", superseded_by=None
    ).order_by("id")
    fields = (
        "rater_id",
        "rater__username",
        "source",
        "created_at",
        "active_ms",
        "order",
        "answer",
    )
    return [
        Given(rater, name, source, at, active_ms, *_side_and_strength(order, answer))
        for rater, name, source, at, active_ms, order, answer in rows.values_list(*fields)
    ]


def _side_and_strength(order: list[int], answer: dict[str, Any]) -> tuple[bool | None, str | None]:
    for part in answer["parts"].values():
        if part.get("outcome") == "prefer" and len(order) == 2:
            return part["chosen"] == order[0], part.get("strength")
    return None, None


def _left(rows: list[Given]) -> Share:
    sided = [g.left for g in rows if g.left is not None]
    return binomial(sum(sided), len(sided))


def _speed(people: list[Given]) -> tuple[float, int]:
    """Labels an hour and raters at work, over the last hour or since the first label in it."""
    now = timezone.now()
    lately = [g for g in people if now - g.at < dt.timedelta(hours=1)]
    if not lately:
        return 0.0, 0
    hours = max((now - lately[0].at).total_seconds(), 60) / 3600
    working = {g.rater for g in lately if now - g.at < dt.timedelta(minutes=10)}
    return len(lately) / hours, len(working)


def _chart(given: list[Given]) -> tuple[charts.Bars | None, str]:
    """Labels per minute, hour or day, whichever gives at most some thirty bars."""
    if not given:
        return None, ""
    length = given[-1].at - given[0].at
    per, seconds, form = next(
        unit
        for unit in (("minute", 60, "%H:%M"), ("hour", 3600, "%H:00"), ("day", 86400, "%d %b"))
        if length.total_seconds() / unit[1] < 30 or unit[0] == "day"
    )
    counts = Counter((int(g.at.timestamp()) // seconds, g.source == "person") for g in given)
    first = int(given[0].at.timestamp()) // seconds
    last = int(given[-1].at.timestamp()) // seconds
    slots = range(max(first, last - 59), last + 1)
    rows = [
        (_stamp(slot * seconds, form), counts[slot, True], counts[slot, False]) for slot in slots
    ]
    return charts.bars(rows), per


def _stamp(seconds: int, form: str) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime(form)


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


def _raters(given: list[Given], agreeing: dict[int, list[bool]]) -> list[RaterRow]:
    by_rater: dict[int, list[Given]] = defaultdict(list)
    for one in given:
        by_rater[one.rater].append(one)
    rows = [_rater(labels, agreeing) for labels in by_rater.values()]
    return sorted(rows, key=lambda row: (row.source != "person", -row.labels))


def _rater(labels: list[Given], agreeing: dict[int, list[bool]]) -> RaterRow:
    times = [g.active_ms / 1000 for g in labels if g.active_ms]
    met = agreeing.get(labels[0].rater, [])
    low, high = agreement.wilson(sum(met), len(met))
    return RaterRow(
        name=labels[0].name,
        source=labels[0].source,
        labels=len(labels),
        median_seconds=statistics.median(times) if times else None,
        left=_left(labels),
        agrees=Share(sum(met) / len(met) if met else None, low, high, len(met)),
        last=labels[-1].at,
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

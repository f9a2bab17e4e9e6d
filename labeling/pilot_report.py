"""What a pilot shows: how far raters agree, how long a label takes and what it costs, what they
flagged and skipped, and how many labels the whole campaign needs.

Of people's accepted labels on the pilot's items alone: at most pilots.LARGEST of nine each.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, QuerySet

from labeling import accepted, pilots, quality
from labeling.measures import Said
from labeling.models import Assignment, Campaign, Flag, Label, Pilot
from labeling.pay import HOUR_MS
from labeling.statistics.estimates import Estimate
from labeling.statistics.planning import items_for_agreement, labels_for_share
from labeling.statistics.ratios import ratio

PRECISIONS = (0.02, 0.03, 0.05, 0.1)  # half widths that may be asked for
AGREED = ("percent",)  # which figures are planned with: the first there is
CORRELATED = ("alpha_outcome", "alpha")


@dataclass(frozen=True)
class Needed:
    """Labels for a share within ± ``precision``, at so many labels an item that correlate by
    ``icc`` (None: unknown, and taken as 1), and what they take. ``doubles``: items labelled twice
    for percent agreement within the same."""

    precision: float
    labels: int
    items: int
    icc: float | None
    doubles: int | None
    hours: Estimate
    money: Estimate | None


@dataclass(frozen=True)
class Flagged:
    """One prompt that somebody flagged, with the codes and how often."""

    comparison: int
    messages: list[dict[str, str]]
    codes: dict[str, int]


@dataclass(frozen=True)
class Report:
    """``complete`` of ``drawn`` items have all their labels. ``quality`` is quality.report's.
    ``seconds`` and ``cost`` are of one label, with intervals over raters."""

    drawn: int
    complete: int
    labels: int
    wanted: int
    raters: int
    quality: dict[str, Any]
    agreement: Estimate
    seconds: Estimate
    median: float | None
    cost: Estimate | None
    flags: list[Flagged]
    skips: dict[str, int]

    @property
    def is_complete(self) -> bool:
        return 0 < self.drawn == self.complete


def of(pilot: Pilot) -> Report:
    """The report as of now."""
    campaign, items = pilot.campaign, pilots.items_of(pilot)
    rows = list(_labels(pilot))
    said = quality.report(_said(rows), pilot.question.parts)
    wanted = items.values_list("state", "overlap")
    seconds = _seconds(rows)
    return Report(
        drawn=len(wanted),
        complete=sum(state == "complete" for state, _ in wanted),
        labels=len(rows),
        wanted=sum(overlap for _, overlap in wanted),
        raters=len({row[2] for row in rows}),
        quality=said,
        agreement=_figure(said, AGREED),
        seconds=seconds,
        median=statistics.median([row[5] / 1000 for row in rows if row[5]] or [0]) or None,
        cost=_cost(campaign, seconds),
        flags=_flags(pilot),
        skips=_skips(pilot),
    )


def needed(report: Report, pilot: Pilot, precision: float) -> Needed:
    """How much it takes to know a win rate that well, going by the pilot."""
    found = _figure(report.quality, CORRELATED)
    per_item = max(1, pilot.campaign.labels_per_comparison)
    icc = None if found.value is None else min(max(found.value, 0.0), 1.0)
    labels = labels_for_share(precision, per_item=per_item, icc=1.0 if icc is None else icc)
    agrees = report.agreement.value
    return Needed(
        precision,
        labels,
        -(-labels // per_item),
        icc,
        None if agrees is None else items_for_agreement(precision, agrees),
        _times(report.seconds, labels / 3600),
        _times(report.cost, labels) if report.cost else None,
    )


def _labels(pilot: Pilot) -> QuerySet[Label, tuple[Any, ...]]:
    rows = accepted.of(Label.objects.filter(comparison__in=pilots.items_of(pilot)))
    return rows.filter(source="person").values_list(
        "comparison_id",
        "comparison__prompt_id",
        "rater_id",
        "answer",
        "order",
        "active_ms",
        "created_at",
        "question_version__trains_on",
    )


def _said(rows: list[tuple[Any, ...]]) -> Iterator[Said]:
    for comparison, prompt, rater, answer, order, active_ms, at, asks in rows:
        parts, turned = answer.get("parts", {}), asks == "rejected"
        yield Said(comparison, prompt, rater, parts, order, active_ms, at, turned)


def _seconds(rows: list[tuple[Any, ...]]) -> Estimate:
    """Of one label, a cluster a rater; labels without a time say nothing."""
    total: dict[int, float] = defaultdict(float)
    count: Counter[int] = Counter()
    for row in rows:
        if row[5]:
            total[row[2]] += row[5] / 1000
            count[row[2]] += 1
    return ratio([total[rater] for rater in count], list(count.values()))


def _cost(campaign: Campaign, seconds: Estimate) -> Estimate | None:
    if not campaign.pay_per:
        return None
    if campaign.pay_per == "label":
        rate = float(campaign.pay_amount)
        return Estimate(rate, rate, rate, seconds.n)
    return _times(seconds, float(campaign.pay_amount * 1000 / Decimal(HOUR_MS)))


def _times(one: Estimate, factor: float) -> Estimate:
    if one.value is None:
        return one
    low, high = (None if end is None else end * factor for end in (one.low, one.high))
    return Estimate(one.value * factor, low, high, one.n)


def _figure(said: dict[str, Any], names: tuple[str, ...]) -> Estimate:
    """The first of these figures of what raters are held against each other by."""
    judged_by = said["judged_by"]
    for one in said["measures"]:
        if [one["part"], one["name"]] == judged_by:
            found = next((one["figures"][name] for name in names if name in one["figures"]), None)
            if found:
                return Estimate(*(found[field] for field in ("value", "low", "high", "n")))
    return Estimate(None)


def _flags(pilot: Pilot) -> list[Flagged]:
    """What is flagged and not settled, the most flagged first."""
    rows = Flag.objects.filter(comparison__in=pilots.items_of(pilot), resolved_at=None)
    found: dict[int, Counter[str]] = defaultdict(Counter)
    messages = {}
    for comparison, said, code in rows.values_list(
        "comparison_id", "comparison__prompt__messages", "code"
    ):
        found[comparison][code] += 1
        messages[comparison] = said
    flagged = [Flagged(pk, messages[pk], dict(codes)) for pk, codes in found.items()]
    return sorted(flagged, key=lambda one: (-sum(one.codes.values()), one.comparison))


def _skips(pilot: Pilot) -> dict[str, int]:
    rows = Assignment.objects.filter(
        comparison__in=pilots.items_of(pilot), state="skipped"
    ).order_by()
    return dict(rows.values_list("skip_reason").annotate(n=Count("pk")).order_by("-n"))

"""How well a rater does, for themselves alone: items, tests, what was sent back, and whether they
say of a card shown twice what they said before, month by month. Nobody else's figures stand
beside it, and no time.

Hidden gold and repeats count up to yesterday and from a few answers on: a figure that moved with
the last answer would tell which card it was.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import TruncMonth
from django.utils import timezone

from labeling import accepted, gold, gold_results, send_backs
from labeling.checks import Score
from labeling.models import Campaign, GoldResult, Label, Qualification, Seat, SendBack, User

LEAST = 5  # answers to hidden items before their figure is shown
MOST = 2_000  # of the newest repeats


@dataclass
class Month:
    """``gold``: hidden items answered as expected; ``repeats``: cards said alike twice."""

    starts: dt.date
    gold: Score = Score()
    repeats: Score = Score()


@dataclass
class Results:
    """One rater's in one campaign; None where there is too little to tell."""

    campaign: Campaign
    training: Score = Score()
    gold: Score | None = None
    repeats: Score | None = None
    tests: list[Qualification] = field(default_factory=list)
    sent_back: int = 0
    sent_back_open: int = 0
    months: list[Month] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        told = (self.training.n, self.gold, self.repeats, self.tests, self.sent_back)
        return not any(told)


def of(rater: User, now: dt.datetime | None = None) -> list[Results]:
    """By campaign, the newest first. As many queries for any number of them."""
    day = (now or timezone.now()).astimezone(dt.UTC).replace(hour=0, minute=0, second=0)
    day = day.replace(microsecond=0)
    seats = Seat.objects.filter(rater=rater).select_related("campaign__project")
    found = {seat.campaign_id: Results(seat.campaign) for seat in seats.order_by("-campaign")}
    by_gold = _add_items(rater, found, day)
    by_repeat = _repeats(rater, day)
    for pk, results in found.items():
        results.gold = _enough(by_gold[pk].values())
        results.repeats = _enough(by_repeat[pk].values())
        results.months = _months(
            by_gold[pk] if results.gold else {}, by_repeat[pk] if results.repeats else {}
        )
    for test in Qualification.objects.filter(rater=rater).order_by("attempt"):
        if test.campaign_id in found:
            found[test.campaign_id].tests.append(test)
    sent = SendBack.objects.filter(rater=rater, taken_back_at=None).order_by()
    waiting = send_backs.counts(rater)
    for pk, n in sent.values_list("campaign").annotate(n=Count("pk")):
        if pk in found:
            found[pk].sent_back, found[pk].sent_back_open = n, waiting[pk]
    return list(found.values())


ByMonth = dict[dt.date, Score]


def _add_items(
    rater: User, found: dict[int, Results], day: dt.datetime
) -> defaultdict[int, ByMonth]:
    """Training is added at once; hidden gold of before today is returned, by campaign."""
    rows = GoldResult.objects.filter(gold_results.in_force(), rater=rater).exclude(right=None)
    shown = rows.filter(~Q(gold__purpose="gold") | Q(created_at__lt=day)).order_by()
    said = shown.annotate(month=TruncMonth("created_at", tzinfo=dt.UTC)).values_list(
        "gold__campaign", "gold__purpose", "month"
    )
    hidden: defaultdict[int, ByMonth] = defaultdict(dict)
    for pk, purpose, month, good, n in said.annotate(
        good=Count("pk", filter=Q(right=True)), n=Count("pk")
    ):
        if purpose == "gold":
            hidden[pk][month.date()] = Score(good, n)
        elif purpose == "training" and pk in found:
            before = found[pk].training
            found[pk].training = Score(before.right + good, before.n + n)
    return hidden


def _repeats(rater: User, day: dt.datetime) -> defaultdict[int, ByMonth]:
    """By campaign and month: cards of which the same was preferred on both occasions."""
    again = _answers(rater).filter(assignment__occasion=1, created_at__lt=day)
    later = list(again.order_by("-pk")[:MOST])
    cards = [label.comparison_id for label in later]
    first = {
        label.comparison_id: label
        for label in _answers(rater).filter(assignment__occasion=0, comparison__in=cards)
    }
    seen: defaultdict[tuple[int, dt.date], Counter[bool]] = defaultdict(Counter)
    for label in later:
        before = first.get(label.comparison_id)
        if before is None or before.question_version_id != label.question_version_id:
            continue
        gists = gold.gist(before), gold.gist(label)
        if None not in gists:
            month = label.created_at.astimezone(dt.UTC).date().replace(day=1)
            seen[label.comparison.campaign_id, month][gists[0] == gists[1]] += 1
    found: defaultdict[int, ByMonth] = defaultdict(dict)
    for (pk, month), counts in seen.items():
        found[pk][month] = Score(counts[True], counts.total())
    return found


def _answers(rater: User) -> Any:
    rows = Label.objects.filter(
        accepted.in_force(), rater=rater, comparison__purpose="work", adjudication__isnull=True
    )
    return rows.select_related("question_version", "comparison")


def _enough(scores: Iterable[Score]) -> Score | None:
    scores = list(scores)
    whole = Score(sum(one.right for one in scores), sum(one.n for one in scores))
    return whole if whole.n >= LEAST else None


def _months(by_gold: ByMonth, by_repeat: ByMonth) -> list[Month]:
    """The newest first."""
    return [
        Month(month, by_gold.get(month, Score()), by_repeat.get(month, Score()))
        for month in sorted({*by_gold, *by_repeat}, reverse=True)
    ]

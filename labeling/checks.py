"""How a campaign trains and checks its raters: the lead's settings, and how its raters do."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from labeling import accepted, gold_results
from labeling.measures import Said
from labeling.models import (
    Assignment,
    Campaign,
    Gold,
    GoldResult,
    Label,
    Qualification,
    Seat,
    User,
)
from models_runtime import audit
from models_runtime.phrases import phrase

CHUNK = 500  # labels in memory at a time
MOST_SHARE = 0.5  # of a rater's cards, gold and repeats together: the rest is work


@dataclass(frozen=True)
class Checks:
    """A campaign's settings. ``pass_mark``: percent of the test; 0 gives none. Shares are of a
    rater's new cards, and ``repeat_after`` the fewest cards between a card and its repeat."""

    trains_raters: bool = False
    pass_mark: int = 0
    gold_share: float = 0.0
    gold_feedback: bool = False
    repeat_share: float = 0.0
    repeat_after: int = 20


@dataclass(frozen=True)
class Score:
    """Of so many answers that could be right, so many were."""

    right: int = 0
    n: int = 0


@dataclass
class Doing:
    """How one rater does: what is kept of them here, their answers to items by purpose, and the
    newest try of the test that is over."""

    seat: Seat
    scores: dict[str, Score] = field(default_factory=dict)
    test: Qualification | None = None


def of(campaign: Campaign) -> Checks:
    return Checks(
        campaign.trains_raters,
        campaign.pass_mark,
        campaign.gold_share,
        campaign.gold_feedback,
        campaign.repeat_share,
        campaign.repeat_after,
    )


def settle(*, campaign: Campaign, settings: Checks, actor: User | None = None) -> None:
    """Put settings in force, from the next card on. Raises ValueError, one sentence, for settings
    that cannot be."""
    check(settings)
    if settings == of(campaign):
        return
    stored = asdict(settings)
    with transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(**stored)
        audit.record(verb="checks settled", obj=campaign, actor=actor, data=stored)
    campaign.refresh_from_db(fields=list(stored))


def check(settings: Checks) -> None:
    if not 0 <= settings.pass_mark <= 100:
        raise ValueError(phrase("The pass mark is a whole number from 0 to 100 percent."))
    shares = (settings.gold_share, settings.repeat_share)
    if min(shares) < 0 or not sum(shares) <= MOST_SHARE:
        raise ValueError(phrase("Gold and repeats together are at most half of the cards."))
    if not 1 <= settings.repeat_after <= 1000:
        raise ValueError(phrase("Between a card and its repeat lie 1 to 1000 others."))


def are_in_use(campaign: Campaign) -> bool:
    used = campaign.trains_raters or campaign.pass_mark
    return bool(used or campaign.gold_share or campaign.repeat_share)


def seats_of(campaign: Campaign) -> QuerySet[Seat]:
    """The people at work in a campaign, those who wait for a lead first."""
    rows = Seat.objects.filter(campaign=campaign, rater__kind="person").select_related("rater")
    return rows.order_by("stage", "-answered", "pk")


def doing(campaign: Campaign, seats: Collection[Seat]) -> list[Doing]:
    """How these raters do, in their order. Two queries, however many they are."""
    found = {seat.rater_id: Doing(seat) for seat in seats}
    rows = GoldResult.objects.filter(
        gold_results.in_force(), rater__in=list(found), gold__campaign=campaign
    ).exclude(right=None)
    said = rows.order_by().values_list("rater", "gold__purpose")
    for rater, purpose, right, n in said.annotate(
        good=Count("pk", filter=Q(right=True)), n=Count("pk")
    ):
        found[rater].scores[purpose] = Score(right, n)
    tests = Qualification.objects.filter(rater__in=list(found), campaign=campaign)
    for test in tests.order_by("attempt"):
        found[test.rater_id].test = test
    return list(found.values())


def by_stage(campaign: Campaign) -> dict[str, int]:
    """How many people are at each stage."""
    rows = Seat.objects.filter(campaign=campaign, rater__kind="person").order_by()
    return dict(rows.values_list("stage").annotate(n=Count("pk")))


def scores_of(golds: Collection[int]) -> dict[int, Score]:
    """By item: the answers to it in force."""
    rows = GoldResult.objects.filter(gold_results.in_force(), gold__in=golds).exclude(right=None)
    said = (
        rows.order_by()
        .values_list("gold")
        .annotate(good=Count("pk", filter=Q(right=True)), n=Count("pk"))
    )
    return {pk: Score(right, n) for pk, right, n in said}


def gold_scores(campaign: Campaign, source: str) -> dict[int, Score]:
    """By rater of this kind, their answers in force to hidden gold."""
    rows = GoldResult.objects.filter(
        gold_results.in_force(),
        gold__campaign=campaign,
        gold__purpose="gold",
        label__source=source,
    ).exclude(right=None)
    said = rows.order_by().values_list("rater")
    counted = said.annotate(good=Count("pk", filter=Q(right=True)), n=Count("pk"))
    return {pk: Score(right, n) for pk, right, n in counted}


def repeats(campaign: Campaign, source: str) -> Iterator[tuple[Said, Said]]:
    """What a rater said of a card of the campaign's work, and of the same card again, both in
    force and asked alike, by id. Memory stays flat."""
    rows = Label.objects.filter(
        accepted.in_force(),
        assignment__campaign=campaign,
        assignment__occasion=1,
        comparison__purpose="work",
        adjudication__isnull=True,
        source=source,
    ).order_by("id")
    for chunk in _chunks(rows.select_related("comparison", "question_version").iterator(CHUNK)):
        earlier = {
            (label.comparison_id, label.rater_id): label
            for label in Label.objects.filter(
                accepted.in_force(),
                comparison__in=[label.comparison_id for label in chunk],
                assignment__occasion=0,
            ).select_related("comparison", "question_version")
        }
        for label in chunk:
            first = earlier.get((label.comparison_id, label.rater_id))
            if first and first.question_version_id == label.question_version_id:
                yield _said(first), _said(label)


def _chunks(labels: Iterator[Label]) -> Iterator[list[Label]]:
    while chunk := list(islice(labels, CHUNK)):
        yield chunk


def _said(label: Label) -> Said:
    return Said(
        comparison=label.comparison_id,
        prompt=label.comparison.prompt_id,
        rater=label.rater_id,
        parts=label.answer.get("parts", {}),
        order=label.order,
        active_ms=label.active_ms,
        created_at=label.created_at,
        turned=label.question_version.trains_on == "rejected",
    )


def answers(campaign: Campaign) -> QuerySet[Label]:
    """Everything in force that checks a rater: answers to items, and hidden repeats."""
    rows = Label.objects.filter(
        accepted.in_force(), assignment__campaign=campaign, adjudication__isnull=True
    )
    return rows.exclude(comparison__purpose="work", assignment__occasion=0)


def answers_by_kind(campaign: Campaign) -> dict[str, int]:
    """How many of them there are: of each purpose, and "repeat". The answers to items are looked
    up by item, and repeats among cards alone: the labels of work are not gone through."""
    rows = Label.objects.filter(accepted.in_force(), adjudication__isnull=True).order_by()
    items = Gold.objects.filter(campaign=campaign).values("comparison")
    said = rows.filter(comparison__in=items).values_list("comparison__purpose")
    found = {str(purpose): n for purpose, n in said.annotate(n=Count("pk"))}
    again = Assignment.objects.filter(
        campaign=campaign, occasion__gt=0, comparison__purpose="work"
    ).values("pk")
    if repeated := rows.filter(assignment__in=again).count():
        found["repeat"] = repeated
    return found

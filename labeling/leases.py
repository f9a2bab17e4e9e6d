"""Handing out comparisons: a card in hand and two ahead, never more than there are slots.

A lease is advice: a label that comes after its end is kept (see labels.record_label).
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F, FilteredRelation, Q, QuerySet
from django.utils import timezone

from labeling import admission, asides, boundaries, confirmations, seats, slots
from labeling.boundaries import Limits
from labeling.models import (
    Assignment,
    Campaign,
    Comparison,
    ComparisonCompletion,
    User,
)
from labeling.questions import live
from labeling.seats import Work
from labeling.standing import Standing
from models_runtime import states
from models_runtime.phrases import phrase

MOST = 3  # live leases of a rater in a campaign: the card in hand, and two ahead of it
# A pair of a talk is its rater's until the talk ends: nobody else may have it.
TALK = timedelta(days=36_500)
LOOK_BACK = 20  # expired cards of a rater that may come back to them
_draw = random.SystemRandom()  # a side that could be predicted would not be blind


class NoCards(ValueError):
    """The campaign's raters talk with models: it has no cards to hand out."""


@dataclass(frozen=True)
class Hand:
    """What a rater has after an act: the next card (None when there is none now), whether it is
    the first time, and what their answers in the campaign come to. ``waits``: nothing comes
    before what they are told was read, or what they hold was answered."""

    card: Assignment | None
    work: Work
    is_new: bool = False
    waits: bool = False


def claim_next(
    *,
    rater: User,
    campaign: Campaign,
    have: Collection[uuid.UUID] = (),
    now: datetime | None = None,
) -> Assignment | None:
    """The next comparison for rater, leased; None when there is nothing for them now.

    What they hold already comes first, the oldest before the others, then what they let expire
    while it still needs labels. ``have`` are public ids of cards that their browser shows or
    keeps: these are not handed out again, and are leased again when they had expired. Nobody
    holds more than MOST leases.
    """
    return hand(rater=rater, campaign=campaign, have=have, now=now).card


def hand(
    *,
    rater: User,
    campaign: Campaign,
    have: Collection[uuid.UUID] = (),
    now: datetime | None = None,
) -> Hand:
    """claim_next, with what else the page says. Both raise NoCards."""
    if _is_talk(campaign):
        raise NoCards(phrase("This campaign hands out no cards: its raters talk with models."))
    with transaction.atomic():
        work = seats.hold(rater.pk, campaign.pk)
        return hand_within(rater, campaign, work, have=have, now=now)


def hand_within(
    rater: User,
    campaign: Campaign,
    work: Work,
    *,
    have: Collection[uuid.UUID] = (),
    now: datetime | None = None,
    wait: bool = True,
    after: Comparison | None = None,
) -> Hand:
    """The same inside a transaction that holds the rater's seat. Without ``wait`` (in one that
    holds a comparison too, and must not wait for a second) it may find nothing although
    something is left. ``after`` is the comparison that they just answered."""
    now = now or timezone.now()
    limits = boundaries.of(rater, campaign, now)
    if _is_barred(rater, campaign, work, limits):
        return Hand(None, work, waits=confirmations.is_pending(rater, campaign, work))
    held = _held(rater, campaign, have, limits)
    ends = until(campaign, now)
    live = [card for card in held if card.state == "leased"]
    for card in live:
        if card.public_id not in have and _prolong(card, ends):
            return Hand(_whole(card.pk), work)
    room = 0 if limits and limits.resumes_at else MOST - len(live)
    room = admission.room(rater, campaign, work.answered, len(live), now).of(room)
    expired = [card for card in held if card.state == "expired"][:room]
    if expired and not wait:
        return Hand(None, work)
    again = next((card for card in expired if _lease_again(card, ends)), None)
    if again is not None:
        if again.public_id not in have:
            return Hand(_whole(again.pk), work)
        room, wait = room - 1, False
    if room <= 0:
        return Hand(None, work, is_new=True)
    place = _Place(rater, campaign, work, bool(live or again), wait, after, now)
    return _new(place, limits)


@dataclass(frozen=True)
class _Place:
    """Where a rater is when they are handed something new. ``in_hand``: they hold a card."""

    rater: User
    campaign: Campaign
    work: Work
    in_hand: bool
    wait: bool
    after: Comparison | None
    now: datetime


def _new(at: _Place, limits: Limits | None) -> Hand:
    """A card that the rater has not had, of the campaign's checks of them or of its work."""
    rater, campaign = at.rater, at.campaign
    left, unread = boundaries.unless_left(limits), admission.unless_unread(rater, campaign)
    unless = f"{left[0]} {unread[0]}", left[1] + unread[1]
    if asides.are_in_use(campaign, rater):
        step = asides.next_for(rater, campaign, at.work, in_hand=at.in_hand, unless=unless)
        if isinstance(step, asides.Aside):
            return Hand(_lease_aside(step, rater, campaign, at.now), at.work, is_new=True)
        if step is not None:
            return Hand(None, at.work, is_new=True, waits=True)
    first = slots.take_first(campaign, rater, wait=at.wait, unless=unless, after=at.after)
    new = _lease(*first, rater, campaign, at.now) if first else None
    return Hand(new, at.work, is_new=True)


def renew(assignment: Assignment, *, now: datetime | None = None) -> bool:
    """Give the rater the whole lease again. False when it had expired and others took its slot
    or its rater holds as many as may be, when the assignment is no longer open, and when its
    rater may not be shown it any more: what they gave back stays given back. A card in hand may
    be answered under a new rule while its lease lasts, and no longer."""
    now = now or timezone.now()
    limits = boundaries.of(assignment.rater, assignment.campaign, now)
    if limits and not limits.may_see(assignment.comparison.prompt):
        return False
    if admission.bar(assignment.rater, assignment.campaign):
        return False
    if confirmations.is_pending_now(assignment.rater, assignment.campaign):
        return False
    ends = ends_of(assignment.comparison, now)
    if _prolong(assignment, ends):
        return True
    if limits and limits.resumes_at:
        return False
    with transaction.atomic():
        seats.hold(assignment.rater_id, assignment.campaign_id)
        return _live(assignment).count() < MOST and _lease_again(assignment, ends)


def release(assignment: Assignment) -> None:
    """Give a card back that is not being read: its slot is free at once. It comes back to its
    rater while it needs labels; an answer to it is kept as late. Repeating it changes nothing,
    and neither does giving back a talk's pair, which ends with its talk."""
    with transaction.atomic():
        fresh = slots.locked(assignment.pk)
        if fresh.comparison.conversation_id is None:
            _expire(fresh)


def make_room_for(assignment: Assignment) -> None:
    """Give back the newest of what its rater holds besides it, down to MOST leases in all."""
    others = _live(assignment).exclude(pk=assignment.pk)
    for ahead in others.order_by("id")[MOST - 1 :]:
        release(ahead)


def _live(assignment: Assignment) -> QuerySet[Assignment]:
    """The cards that its rater holds in its campaign."""
    return Assignment.objects.filter(
        rater=assignment.rater_id,
        campaign=assignment.campaign_id,
        state="leased",
        comparison__conversation=None,
    )


def release_expired(now: datetime | None = None) -> int:
    """Give back the slots of leases that are over. Returns how many."""
    now = now or timezone.now()
    over = Assignment.objects.filter(
        state="leased", leased_until__lt=now, comparison__conversation=None
    )
    return sum(_release(assignment, now) for assignment in list(over.only("pk")))


def until(campaign: Campaign, now: datetime) -> datetime:
    """When a lease that starts now ends."""
    return now + timedelta(seconds=campaign.lease_seconds)


def ends_of(comparison: Comparison, now: datetime) -> datetime:
    """The same for a comparison that may be a talk's."""
    return until(comparison.campaign, now) if comparison.conversation_id is None else now + TALK


def draw_order(completion_ids: list[int], earlier: Iterable[list[int]] = ()) -> list[int]:
    """A display order. The completion shown first to the fewest earlier raters of the same
    comparison comes first, so that sides balance; everything else is drawn. A card may have
    none."""
    if not completion_ids:
        return []
    times_first = Counter(order[0] for order in earlier)
    fewest = min(times_first[pk] for pk in completion_ids)
    first = _draw.choice([pk for pk in completion_ids if times_first[pk] == fewest])
    rest = [pk for pk in completion_ids if pk != first]
    _draw.shuffle(rest)
    return [first, *rest]


def one_at_a_time(rater: User) -> None:
    """Hold the rater until the transaction ends."""
    User.objects.select_for_update(no_key=True).only("pk").get(pk=rater.pk)


def _is_talk(campaign: Campaign) -> bool:
    return campaign.question is not None and live.of(campaign.question.parts) is not None


def _is_barred(rater: User, campaign: Campaign, work: Work, limits: Limits | None) -> bool:
    """Whether no card of the campaign may be shown to this rater at all."""
    if (limits and not limits.consented) or _is_talk(campaign):
        return True
    return confirmations.is_pending(rater, campaign, work) or bool(admission.bar(rater, campaign))


def _held(
    rater: User, campaign: Campaign, have: Collection[uuid.UUID], limits: Limits | None
) -> list[Assignment]:
    """What this rater holds, the oldest first; then what they let expire and others left, first
    what the browser keeps. Of what expired only the newest are looked at."""
    newest = _NEWEST.rows(rater=rater.pk, campaign=campaign.pk)
    known = all(card.state == "leased" and card.public_id in have for card in newest)
    if newest and not (known and len(newest) < MOST):
        newest = _that_are_open(newest, rater, limits)
    return sorted(newest, key=lambda card: (card.public_id not in have, card.pk))


def _newest(rater: int, campaign: int) -> QuerySet[Assignment]:
    rows = Assignment.objects.filter(
        rater=rater,
        campaign=campaign,
        state__lte="leased",  # "expired" too, and as a range the index gives them in order
    ).only("public_id", "state", "comparison_id", "occasion")
    return rows.order_by("-state", "-id")[: MOST + LOOK_BACK]


_NEWEST = Standing(_newest, rater=int, campaign=int)


def _that_are_open(
    cards: list[Assignment], rater: User, limits: Limits | None
) -> list[Assignment]:
    """Those whose comparison its rater may answer now."""
    collects = Q(iteration=None) | Q(iteration__state="collecting", iteration__paused_at=None)
    rows = Comparison.objects.filter(
        collects,
        pk__in=[card.comparison_id for card in cards],
        state__in=("open", "complete"),  # complete ones for repeats alone
        campaign__state="open",
        conversation=None,
    )
    if rater.kind != "person":
        rows = rows.filter(audience="any")
    if limits and limits.left:
        met = [row for row in rows.select_related("prompt") if not limits.allow(row.prompt)]
        rows = rows.exclude(pk__in=[row.pk for row in met])
    found = {row[0]: row[1:] for row in rows.values_list("pk", "state", "slots_left", "purpose")}
    return [
        card
        for card in cards
        if card.comparison_id in found and _may_answer(card, *found[card.comparison_id])
    ]


def _may_answer(card: Assignment, state: str, slots_left: int, purpose: str) -> bool:
    """What is leased, and what expired while somebody is wanted; a check of its rater needs no
    slot, and a repeat of theirs no open comparison."""
    if card.occasion or purpose != "work":
        return state == "open" or purpose == "work"
    return state == "open" and (card.state == "leased" or slots_left > 0)


def _prolong(assignment: Assignment, ends: datetime) -> bool:
    rows = Assignment.objects.filter(pk=assignment.pk, state="leased")
    return bool(rows.update(leased_until=ends))


def _lease_again(assignment: Assignment, ends: datetime) -> bool:
    """Lease an expired card, if its comparison has a slot to spare."""
    try:
        states.advance(assignment, "leased", where=Q(state="expired"), leased_until=ends)
    except states.StaleState:
        return False
    if assignment.is_aside or slots.take(assignment.comparison_id):
        return True
    states.advance(assignment, "expired")
    return False


def _whole(pk: int) -> Assignment:
    """A card with all that is shown of it, but for its texts."""
    rows = Assignment.objects.select_related(
        "rater", "comparison__campaign__question", "comparison__prompt", "comparison__iteration"
    )
    return rows.get(pk=pk)


def _lease_aside(step: asides.Aside, rater: User, campaign: Campaign, now: datetime) -> Assignment:
    """The card of an aside, its sides drawn as if nobody had seen it."""
    if step.expired is not None:
        rows = Assignment.objects.filter(pk=step.expired, state="expired")
        rows.update(state="leased", leased_until=until(campaign, now))
        return _whole(step.expired)
    return _lease(step.comparison, True, rater, campaign, now, step.occasion)


def _lease(
    comparison_id: int,
    alone: bool,
    rater: User,
    campaign: Campaign,
    now: datetime,
    occasion: int = 0,
) -> Assignment:
    """A card of a comparison whose slot was just taken, with all that is shown of it."""
    items = _ITEMS[alone].rows(comparison_id=comparison_id)
    comparison = items[0].comparison if items else _without_items(comparison_id)
    comparison.campaign = campaign
    completions = {item.completion_id: item.completion for item in items}
    orders = {item.other: item.order for item in items if not alone and item.other}
    assignment = Assignment.objects.create(
        comparison=comparison,
        rater=rater,
        campaign=campaign,
        occasion=occasion,
        order=draw_order(list(completions), orders.values()),
        leased_at=now,
        leased_until=until(campaign, now),
    )
    assignment.completions = completions
    return assignment


# What a new card is made of: of the seventy columns of its rows, these. All of them would cost a
# third more; another one that is asked for comes with a query of its own.
_SHOWN = (
    "comparison__campaign",
    "comparison__conversation",
    "comparison__state",
    "comparison__purpose",
    "comparison__overlap",
    "comparison__suggestion",
    "comparison__prompt__messages",
    "comparison__prompt__category",
    "comparison__prompt__tags",
    "comparison__iteration__plan",
    "comparison__iteration__labels_people",
    "comparison__iteration__labels_others",
    "completion__text",
    "completion__html",
    "completion__renderer",
    "completion__finish_reason",
)


def _items(comparison_id: int, alone: bool) -> QuerySet[ComparisonCompletion, Any]:
    """A comparison's completions, with its prompt and iteration, and where others have it too,
    once for each of them with the order they see: all in one query."""
    rows = ComparisonCompletion.objects.filter(comparison=comparison_id).order_by()
    rows = rows.select_related("completion", "comparison__prompt", "comparison__iteration")
    rows = rows.only(*_SHOWN)
    if alone:
        return rows
    others = FilteredRelation(
        "comparison__assignments",
        condition=Q(comparison__assignments__state__in=("leased", "submitted")),
    )
    return rows.annotate(others=others, other=F("others__id"), order=F("others__order"))


# By whether a card's comparison is nobody else's.
_ITEMS: dict[bool, Standing[Any]] = {
    alone: Standing(partial(_items, alone=alone), comparison_id=int) for alone in (True, False)
}


def _without_items(comparison_id: int) -> Comparison:
    return Comparison.objects.select_related("prompt", "iteration").get(pk=comparison_id)


def _release(assignment: Assignment, now: datetime) -> int:
    with transaction.atomic():
        fresh = slots.locked(assignment.pk)
        if fresh.state != "leased" or fresh.leased_until >= now:
            return 0  # renewed or answered since it was found
        return _expire(fresh)


def _expire(assignment: Assignment) -> int:
    """End a locked assignment's lease."""
    if assignment.state != "leased":
        return 0
    states.advance(assignment, "expired")
    if not assignment.is_aside:
        slots.give_back(assignment.comparison)
    return 1

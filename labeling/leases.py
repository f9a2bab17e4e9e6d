"""Handing out comparisons: one open lease at a time for a rater, never more than there are slots.

A lease is advice: a label that comes after its end is kept (see labels.record_label).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from labeling import slots
from labeling.models import Assignment, Campaign, Comparison, User
from models_runtime import states

_draw = random.SystemRandom()  # a side that could be predicted would not be blind


def claim_next(
    *,
    rater: User,
    campaign: Campaign,
    now: datetime | None = None,
    besides: Assignment | None = None,
) -> Assignment | None:
    """The next comparison for rater, leased; None when there is nothing for them now.

    What they hold already comes first, then what they let expire while it still needs labels.
    ``besides`` is a card in hand that should not be handed out again (for prefetching the one
    after it).
    """
    now = now or timezone.now()
    with transaction.atomic():
        # Two tabs of one rater claim one after the other, so that both get the same card.
        User.objects.select_for_update(no_key=True).only("pk").get(pk=rater.pk)
        return _held(rater, campaign, now, besides) or _lease_new(rater, campaign, now)


def renew(assignment: Assignment, *, now: datetime | None = None) -> bool:
    """Give the rater the whole lease again. False when it had expired and others took its slot,
    or when the assignment is no longer open."""
    with transaction.atomic():
        return _renew(assignment, now or timezone.now())


def release_expired(now: datetime | None = None) -> int:
    """Give back the slots of leases that are over. Returns how many."""
    now = now or timezone.now()
    over = Assignment.objects.filter(state="leased", leased_until__lt=now)
    return sum(_release(assignment, now) for assignment in list(over.only("pk")))


def until(campaign: Campaign, now: datetime) -> datetime:
    """When a lease that starts now ends."""
    return now + timedelta(seconds=campaign.lease_seconds)


def draw_order(completion_ids: list[int], earlier: Iterable[list[int]] = ()) -> list[int]:
    """A display order. The completion shown first to the fewest earlier raters of the same
    comparison comes first, so that sides balance; everything else is drawn."""
    times_first = Counter(order[0] for order in earlier)
    fewest = min(times_first[pk] for pk in completion_ids)
    first = _draw.choice([pk for pk in completion_ids if times_first[pk] == fewest])
    rest = [pk for pk in completion_ids if pk != first]
    _draw.shuffle(rest)
    return [first, *rest]


def _open_to(rater: User, campaign: Campaign, prefix: str = "") -> Q:
    """Comparisons that rater may answer now, seen through ``prefix``."""
    fits = {"campaign": campaign, "campaign__state": "open", "state": "open"}
    if rater.kind != "person":
        fits["audience"] = "any"
    collecting = {"iteration__state": "collecting", "iteration__paused_at__isnull": True}
    running = Q(**{f"{prefix}iteration__isnull": True}) | Q(
        **{prefix + name: value for name, value in collecting.items()}
    )
    return running & Q(**{prefix + name: value for name, value in fits.items()})


def _held(
    rater: User, campaign: Campaign, now: datetime, besides: Assignment | None
) -> Assignment | None:
    """A card this rater has had and not finished, its lease renewed."""
    unfinished = Q(state="leased") | Q(state="expired", comparison__slots_left__gt=0)
    rows = Assignment.objects.filter(
        unfinished,
        _open_to(rater, campaign, "comparison__"),
        rater=rater,
        state__in=("leased", "expired"),  # for the index: the OR above reads all they ever did
    )
    if besides is not None:
        rows = rows.exclude(pk=besides.pk)
    # "leased" sorts after "expired", and comes first.
    for assignment in rows.select_related(
        "comparison__campaign__question", "comparison__prompt"
    ).order_by("-state", "id"):
        if _renew(assignment, now):
            return assignment
    return None


def _renew(assignment: Assignment, now: datetime) -> bool:
    ends = until(assignment.comparison.campaign, now)
    if Assignment.objects.filter(pk=assignment.pk, state="leased").update(leased_until=ends):
        assignment.state, assignment.leased_until = "leased", ends
        return True
    fresh = slots.locked(assignment)
    if fresh.state != "expired" or not slots.take(fresh.comparison):
        return False
    states.advance(assignment, "leased", leased_until=ends)
    return True


def _lease_new(rater: User, campaign: Campaign, now: datetime) -> Assignment | None:
    had = Assignment.objects.filter(comparison=OuterRef("pk"), rater=rater)
    queue = (
        Comparison.objects.filter(_open_to(rater, campaign), ~Exists(had), slots_left__gt=0)
        .select_related("campaign__question", "prompt")
        .order_by("-priority", "shuffle", "id")
    )
    # Each lost race means that somebody else got a slot, so this ends.
    while (comparison := queue.first()) and not slots.take(comparison):
        pass
    return _insert(comparison, rater, now) if comparison else None


def _insert(comparison: Comparison, rater: User, now: datetime) -> Assignment:
    earlier: list[list[int]] = []
    if comparison.overlap > 1:
        live = comparison.assignments.filter(state__in=("leased", "submitted"))
        earlier = list(live.values_list("order", flat=True))
    ids = list(comparison.items.values_list("completion_id", flat=True))
    return Assignment.objects.create(
        comparison=comparison,
        rater=rater,
        order=draw_order(ids, earlier),
        leased_at=now,
        leased_until=until(comparison.campaign, now),
    )


def _release(assignment: Assignment, now: datetime) -> int:
    with transaction.atomic():
        fresh = slots.locked(assignment)
        if fresh.state != "leased" or fresh.leased_until >= now:
            return 0  # renewed or answered since it was found
        states.advance(fresh, "expired")
        slots.give_back(fresh.comparison)
        return 1

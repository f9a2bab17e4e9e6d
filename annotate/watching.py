"""Whom what happened concerns: the audit log, read once by a tick, for notices and for webhooks.

Every act and every move of a state writes an event, so nothing else has to tell anybody. Numbers
of events are given out before their transactions end, and those may end in another order: the
newest ten minutes are looked through again each time, less what was seen in them. One transaction
holds the place and all that follows from the events, so each is acted on once.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.utils import timezone

from annotate import occasions
from annotate.occasions import members
from labeling import notices, spend, webhooks
from labeling.models import Budget, Campaign, Comparison, Flag, Watch
from models_runtime.models import AuditEvent
from models_runtime.phrases import phrase

log = logging.getLogger(__name__)
OVERTAKEN = timedelta(minutes=10)  # a transaction is shorter
MOST = 500  # events in one look
VERBS = sorted({*occasions.NOTICES, *webhooks.VERBS})


def look(now: datetime | None = None) -> int:
    """Act on the events that came since the last look; how many. Nothing from before the first
    look is told. Of two looks at once the second waits, and finds nothing."""
    now = now or timezone.now()
    _begin()
    with transaction.atomic():
        row = Watch.objects.select_for_update().get(name="audit")
        fresh = AuditEvent.objects.filter(pk__gt=row.after, verb__in=VERBS)
        rows = fresh.exclude(pk__in=row.seen).select_related("actor", "project").order_by("pk")
        found = list(rows[:MOST])
        for event in found:
            _act(event)
        _advance(row, found, now)
    return len(found)


def look_at_budgets() -> int:
    """Tell the leads of campaigns that have spent most of what they may; how many notices."""
    told = 0
    limited = Budget.objects.filter(campaign__state="open").select_related("campaign__project")
    for campaign in [row.campaign for row in limited]:
        share = spend.share_used(campaign)
        if share is not None and spend.MARK <= share < 1:
            text = phrase(
                "%(campaign)s has used %(percent)s %% of its budget.",
                campaign=campaign.name, percent=str(int(share * 100)),
            )  # fmt: skip
            key = f"budget:{campaign.pk}:{_limit(campaign)}"
            people = members(campaign.project, "lead")
            told += notices.tell(people, "budget", key=key, text=text, obj=campaign)
    return told


def _begin() -> None:
    if not Watch.objects.filter(name="audit").exists():
        newest = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first()
        Watch.objects.get_or_create(name="audit", defaults={"after": newest or 0})


def _act(event: AuditEvent) -> None:
    """An event that cannot be told of, what it is about being gone, holds up no other."""
    try:
        with transaction.atomic():
            _tell(event)
    except (ObjectDoesNotExist, LookupError, ValueError):
        log.exception("nobody was told of event %s", event.pk)
    webhooks.enqueue(event)


def _tell(event: AuditEvent) -> None:
    for told in occasions.of(event):
        others = [user for user in told.users if user.pk != event.actor_id]
        notices.tell(others, told.kind, key=told.key, text=told.text, obj=told.obj)


def _advance(row: Watch, found: list[AuditEvent], now: datetime) -> None:
    """The place goes on to the last event that none can come before any more."""
    seen = sorted({*row.seen, *(event.pk for event in found)})
    old = AuditEvent.objects.filter(pk__gt=row.after, at__lt=now - OVERTAKEN)
    settled = old.order_by("-pk").values_list("pk", flat=True).first() or row.after
    if len(found) == MOST:  # there are more
        settled = min(settled, found[-1].pk)
    row.after, row.seen = settled, [pk for pk in seen if pk > settled]
    row.save(update_fields=["after", "seen"])


def _limit(campaign: Campaign) -> str:
    """Another limit is another occasion."""
    limits = spend.limits_of(campaign)
    return f"{limits.labels}/{limits.hours}/{limits.money}"


def look_at_flags(now: datetime | None = None) -> int:
    """Tell leads of what raters flagged and nobody has looked at, a campaign once a day; how many
    notices. A flag is a rater's press on the way of answers: it writes no event."""
    now = now or timezone.now()
    raised = Flag.objects.filter(resolved_at=None, created_at__gte=now - OVERTAKEN)
    flagged = Comparison.objects.filter(flags__in=raised).values("campaign")
    day, told = timezone.localtime(now).date(), 0
    for campaign in Campaign.objects.filter(pk__in=flagged).select_related("project"):
        text = phrase("Raters have flagged cards of %(campaign)s.", campaign=campaign.name)
        people, key = members(campaign.project, "lead"), f"flags:{campaign.pk}:{day}"
        told += notices.tell(people, "waiting", key=key, text=text, obj=campaign, now=now)
    return told

"""The audit trail: one append-only row for each act, and beside it an erasable one that says where
the act came from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from models_runtime import acting
from models_runtime.models import AuditEvent, AuditPlace, Project

FORGOTTEN_AT_ONCE = 5_000  # rows in one statement of the sweep


def record(
    *,
    verb: str,
    obj: models.Model,
    actor: models.Model | None = None,
    project: Project | None = None,
    from_state: str = "",
    to_state: str = "",
    reason: str = "",
    data: dict[str, Any] | None = None,
) -> AuditEvent:
    """Append an event. ``reason`` and ``data`` are codes, counts and our own sentences: typed
    text belongs to RaterText, which can be erased; this table cannot."""
    event = AuditEvent(
        project=project if project is not None else getattr(obj, "project", None),
        actor_id=getattr(actor, "pk", None),
        verb=verb,
        object_type=obj._meta.label_lower,
        object_id=str(obj.pk or ""),
        from_state=from_state,
        to_state=to_state,
        reason=reason[:500],
        data=data or {},
    )
    with transaction.atomic(savepoint=False):
        event.save(force_insert=True)
        _note_place(event)
    return event


def forget_places() -> int:
    """Empty the addresses and browsers that were kept for their time
    (AUDIT_PLACE_DAYS); how many. Repeating it changes nothing."""
    cutoff = timezone.now() - timedelta(days=settings.AUDIT_PLACE_DAYS)
    forgotten = 0
    while True:
        old = AuditPlace.objects.filter(kept_since__lt=cutoff).order_by("kept_since")
        some = list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
        forgotten += _empty(AuditPlace.objects.filter(pk__in=some))
        if len(some) < FORGOTTEN_AT_ONCE:
            return forgotten


def forget_places_of(user: models.Model) -> int:
    """Empty where somebody acted from, and where others acted on them, as who tried their
    password; how many."""
    theirs = AuditEvent.objects.filter(
        Q(actor=user.pk) | Q(object_type=user._meta.label_lower, object_id=str(user.pk))
    )
    kept = AuditPlace.objects.exclude(kept_since=None)
    return _empty(kept.filter(event__in=theirs.values("pk")))


def _note_place(event: AuditEvent) -> None:
    """Of a person's whereabouts nothing, where they are to be kept for no day."""
    place = acting.place()
    kept = place if settings.AUDIT_PLACE_DAYS else acting.Place(place.channel)
    AuditPlace.objects.create(
        event=event,
        channel=kept.channel,
        address=kept.address,
        agent=kept.agent,
        kept_since=event.at if kept.address or kept.agent else None,
    )


def _empty(rows: models.QuerySet[AuditPlace]) -> int:
    return rows.update(address=None, agent="", kept_since=None)

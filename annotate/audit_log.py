"""Reading the audit trail: what a project's leads and researchers look for, page by page.

The order is time's, then the id's: a project's events in time, its events of one verb and of one
person each lie in an index, so a page costs the same however many there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import CharField, Q, QuerySet
from django.db.models.functions import Cast

from annotate import language
from annotate.audit_words import VERBS
from labeling.models import (
    Campaign,
    CardQuestion,
    Comparison,
    Exclusion,
    PayDispute,
    SendBack,
    User,
)
from models_runtime.models import AuditEvent, Job, Project
from training.models import TrainingRun

CHUNK = 2_000  # rows of an export in memory
MOST_NAMES = 200  # people whom a search may mean


@dataclass(frozen=True)
class Filter:
    """What is looked for; an empty field asks nothing. ``until`` itself is not included."""

    project: Project | None = None
    verb: str = ""
    person: User | None = None
    campaign: Campaign | None = None
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""


def events(wanted: Filter) -> QuerySet[AuditEvent]:
    """Newest first, with who and from where."""
    rows = AuditEvent.objects.select_related("actor", "place").order_by("-at", "-id")
    exact: dict[str, Any] = {
        "project": wanted.project,
        "verb": wanted.verb,
        "actor": wanted.person,
        "object_type": wanted.kind,
        "at__gte": wanted.since,
        "at__lt": wanted.until,
    }
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if wanted.campaign is not None:
        rows = rows.filter(_of_campaign(wanted.campaign))
    return rows.filter(_said(wanted.text)) if wanted.text else rows


def older(rows: QuerySet[AuditEvent], than: AuditEvent) -> QuerySet[AuditEvent]:
    """The rows after this one in the order of the log. ``at__lte`` alone is what an index
    understands."""
    before = Q(at__lt=than.at) | Q(id__lt=than.pk)
    return rows.filter(before, at__lte=than.at)


def newer(rows: QuerySet[AuditEvent], than: AuditEvent) -> QuerySet[AuditEvent]:
    """The rows before this one in the order of the log, nearest first."""
    after = Q(at__gt=than.at) | Q(id__gt=than.pk)
    return rows.filter(after, at__gte=than.at).order_by("at", "id")


def every(rows: QuerySet[AuditEvent]) -> Iterator[AuditEvent]:
    """All of them, newest first, with CHUNK in memory and no cursor held open meanwhile."""
    chunk = list(rows[:CHUNK])
    while chunk:
        yield from chunk
        chunk = list(older(rows, chunk[-1])[:CHUNK]) if len(chunk) == CHUNK else []


def as_row(event: AuditEvent) -> dict[str, Any]:
    """One event for a file: words of the program, ids, and who it is called now."""
    place = getattr(event, "place", None)
    return {
        "id": event.pk,
        "at": event.at.isoformat(),
        "verb": event.verb,
        "person": event.actor.username if event.actor else None,
        "person_id": str(event.actor.public_id) if event.actor else None,
        "project": event.project_id,
        "object_type": event.object_type,
        "object_id": event.object_id,
        "from_state": event.from_state,
        "to_state": event.to_state,
        "reason": event.reason,
        "data": event.data,
        "channel": place.channel if place else None,
        "address": place.address if place else None,
        "agent": place.agent if place else None,
    }


def _said(text: str) -> Q:
    """An id, a word of what was done, or part of a name."""
    if text.isascii() and text.isdigit():
        return Q(object_id=text) | (Q(pk=int(text)) if len(text) < 18 else Q())
    low = text.casefold()
    verbs = [v for v in VERBS if low in v.casefold() or low in language.translated(v).casefold()]
    named = User.objects.filter(Q(username__icontains=text) | _public(text))
    people = list(named.values_list("pk", flat=True)[:MOST_NAMES])
    about = Q(object_type="labeling.user", object_id__in=[str(pk) for pk in people])
    return Q(verb__in=[str(v) for v in verbs]) | Q(actor__in=people) | about


def _public(text: str) -> Q:
    """The public id that exports and links name."""
    bare = text.replace("-", "").lower()
    whole = len(bare) == 32 and set(bare) <= set("0123456789abcdef")
    return Q(public_id=bare) if whole else Q(pk=None)


def _of_campaign(campaign: Campaign) -> Q:
    """The campaign's own events, and those of what belongs to it."""
    jobs = Job.objects.filter(
        Q(sampling_batch__iteration__campaign=campaign)
        | Q(training_run__campaign=campaign)
        | Q(evaluation__iteration__campaign=campaign)
    )
    parts = {
        "labeling.iteration": campaign.iterations.all(),
        "labeling.snapshot": campaign.snapshots.all(),
        "labeling.comparison": Comparison.objects.filter(campaign=campaign),
        "labeling.exclusion": Exclusion.objects.filter(campaign=campaign),
        "labeling.sendback": SendBack.objects.filter(campaign=campaign),
        "labeling.cardquestion": CardQuestion.objects.filter(campaign=campaign),
        "labeling.paydispute": PayDispute.objects.filter(campaign=campaign),
        "training.trainingrun": TrainingRun.objects.filter(campaign=campaign),
        "models_runtime.job": jobs,
    }
    found = Q(object_type="labeling.campaign", object_id=str(campaign.pk))
    for kind, rows in parts.items():
        names = rows.order_by().values(name=Cast("pk", CharField()))
        found |= Q(object_type=kind, object_id__in=names)
    return found

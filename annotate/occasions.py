"""What an event is to people: whom it concerns, and in which words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from django.db import models
from django.db.models import QuerySet
from django.utils import timezone

from labeling import admission
from labeling.models import (
    Campaign,
    CardQuestion,
    Contest,
    Iteration,
    PayDispute,
    Seat,
    SendBack,
    User,
)
from models_runtime.models import AuditEvent, Job, Project
from models_runtime.phrases import phrase
from training.models import TrainingRun


@dataclass(frozen=True)
class Told:
    """One occasion: ``notices.tell``'s arguments."""

    users: Iterable[User]
    kind: str
    key: str
    text: str
    obj: models.Model


def of(event: AuditEvent) -> Iterator[Told]:
    if event.verb in NOTICES:
        yield from NOTICES[event.verb](event)


def members(project: Project | None, *roles: str) -> QuerySet[User]:
    """Everybody who has one of the roles in the project."""
    rows = User.objects.filter(memberships__project=project, memberships__role__in=roles)
    return rows.filter(is_active=True, erased_at=None).distinct()


def _campaign_moved(event: AuditEvent) -> Iterator[Told]:
    if event.to_state == "open":
        yield from _work(event, Campaign.objects.get(pk=event.object_id))


def _iteration_moved(event: AuditEvent) -> Iterator[Told]:
    row = Iteration.objects.select_related("campaign").get(pk=event.object_id)
    said = {"campaign": row.campaign.name, "number": row.number}
    if event.to_state == "collecting" and event.from_state != "failed":
        yield from _work(event, row.campaign)
    elif event.to_state == "review":
        people = members(event.project, "researcher", "lead")
        text = phrase("Iteration %(number)s of %(campaign)s waits for a decision.", **said)
        yield Told(people, "decision", f"review:{event.pk}", text, row)
    elif event.to_state == "failed":
        text = phrase("Iteration %(number)s of %(campaign)s failed.", **said)
        yield Told(members(event.project, "researcher"), "run", f"failed:{event.pk}", text, row)


def _work(event: AuditEvent, campaign: Campaign) -> Iterator[Told]:
    text = phrase("There are cards for you in %(campaign)s.", campaign=campaign.name)
    raters = members(event.project, "rater")
    people = [rater for rater in raters if admission.bar(rater, campaign) != "groups"]
    yield Told(people, "work", f"work:{campaign.pk}:{_day(event)}", text, campaign)


def _guidelines(event: AuditEvent) -> Iterator[Told]:
    row = Campaign.objects.get(pk=event.object_id)
    seated = Seat.objects.filter(campaign=row).values("rater")
    people = members(event.project, "rater").filter(pk__in=seated)
    text = phrase("The guidelines of %(campaign)s have changed.", campaign=row.name)
    yield Told(people, "guidelines", f"guidelines:{event.pk}", text, row)


def _job_moved(event: AuditEvent) -> Iterator[Told]:
    """Of a run that somebody waits for; not the rounds of a recipe."""
    if event.to_state not in ("succeeded", "failed"):
        return
    runs = TrainingRun.objects.filter(job__pk=event.object_id).exclude(role="round")
    run = runs.select_related("campaign", "job").first()
    if run is None:
        return
    said = {"method": run.method, "campaign": run.campaign.name if run.campaign else "–"}
    done = phrase("A run of %(method)s for %(campaign)s finished.", **said)
    failed = phrase("A run of %(method)s for %(campaign)s failed.", **said)
    text = done if event.to_state == "succeeded" else failed
    people = members(event.project, "researcher")
    yield Told(people, "run", f"job:{event.pk}", text, Job.objects.get(pk=event.object_id))


def _budget_reached(event: AuditEvent) -> Iterator[Told]:
    row = Campaign.objects.get(pk=event.object_id)
    said = {"campaign": row.name, "why": phrase(event.reason)}
    text = phrase("%(campaign)s is paused. %(why)s", **said)
    yield Told(members(event.project, "lead"), "budget", f"reached:{event.pk}", text, row)


def _contested(event: AuditEvent) -> Iterator[Told]:
    row = Campaign.objects.get(pk=event.object_id)
    text = phrase("Raters disagree with gold items of %(campaign)s.", campaign=row.name)
    yield Told(
        members(event.project, "lead"), "waiting", f"contests:{row.pk}:{_day(event)}", text, row
    )


def _contest_decided(event: AuditEvent) -> Iterator[Told]:
    row = Contest.objects.select_related("campaign").filter(pk=event.data["contest"]).first()
    if row is None:  # emptied with its rater
        return
    said = {"campaign": row.campaign.name}
    text = phrase("Your objection in %(campaign)s was decided.", **said)
    yield Told([row.rater], "replies", f"contest:{event.pk}", text, row.campaign)


def _disputed(event: AuditEvent) -> Iterator[Told]:
    row = PayDispute.objects.select_related("campaign").get(pk=event.object_id)
    text = phrase("Raters dispute their pay in %(campaign)s.", campaign=row.campaign.name)
    key = f"disputes:{row.campaign_id}:{_day(event)}"
    yield Told(members(event.project, "lead"), "waiting", key, text, row.campaign)


def _dispute_answered(event: AuditEvent) -> Iterator[Told]:
    row = PayDispute.objects.select_related("campaign", "rater").get(pk=event.object_id)
    said = {"campaign": row.campaign.name}
    text = phrase("What you disputed of your pay in %(campaign)s is answered.", **said)
    yield Told([row.rater], "replies", f"dispute:{event.pk}", text, row)


def _sent_back(event: AuditEvent) -> Iterator[Told]:
    row = SendBack.objects.select_related("campaign", "rater").get(pk=event.object_id)
    text = phrase("A card of %(campaign)s was sent back to you.", campaign=row.campaign.name)
    yield Told([row.rater], "replies", f"back:{event.pk}", text, row.campaign)


def _asked(event: AuditEvent) -> Iterator[Told]:
    row = CardQuestion.objects.select_related("campaign").get(pk=event.object_id)
    text = phrase("Raters ask about cards of %(campaign)s.", campaign=row.campaign.name)
    key = f"questions:{row.campaign_id}:{_day(event)}"
    yield Told(members(event.project, "lead"), "waiting", key, text, row.campaign)


def _answered(event: AuditEvent) -> Iterator[Told]:
    row = CardQuestion.objects.select_related("campaign", "rater").get(pk=event.object_id)
    said = {"campaign": row.campaign.name}
    text = phrase("Your question about a card of %(campaign)s is answered.", **said)
    yield Told([row.rater], "replies", f"question:{event.pk}", text, row.campaign)


def _day(event: AuditEvent) -> str:
    return str(timezone.localtime(event.at).date())


NOTICES: dict[str, Callable[[AuditEvent], Iterator[Told]]] = {
    "campaign moved": _campaign_moved,
    "iteration moved": _iteration_moved,
    "guideline revised": _guidelines,
    "job moved": _job_moved,
    "budget reached": _budget_reached,
    "gold contested": _contested,
    "contest upheld": _contest_decided,
    "contest rejected": _contest_decided,
    "pay disputed": _disputed,
    "pay dispute answered": _dispute_answered,
    "label sent back": _sent_back,
    "card question asked": _asked,
    "card question answered": _answered,
}

"""The row job that freezes a campaign's labels by a rule: pressed on a page, done by a worker."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from labeling import aggregated_rows, snapshots
from labeling.models import Campaign, Snapshot, User
from models_runtime import jobs
from models_runtime.jobdir import BadInput, JobDir
from models_runtime.models import Job
from models_runtime.phrases import phrase

CALL = "freeze"
UNDER_WAY = ("queued", "running")


def run(job: JobDir) -> None:
    """The row job "freeze": config {"campaign": id, "rule": name, "actor": id or null}."""
    config = job.spec()["config"]
    campaign = Campaign.objects.filter(pk=config["campaign"]).select_related("project").first()
    if campaign is None:
        raise BadInput(phrase("There is no campaign %(pk)s.", pk=str(config["campaign"])))
    actor = User.objects.filter(pk=config.get("actor")).first()
    try:
        snapshot = snapshots.freeze(campaign=campaign, actor=actor, rule=config["rule"])
    except ValueError as error:
        raise BadInput(str(error)) from error
    job.finish({"snapshot": snapshot.pk})


def start(campaign: Campaign, rule: str, actor: User | None) -> Job | None:
    """A job that freezes the labels by ``rule``; None while one is under way. Raises ValueError
    for a rule that there is not."""
    aggregated_rows.check(rule)
    with transaction.atomic():
        Campaign.objects.select_for_update().only("pk").get(pk=campaign.pk)
        if _rows(campaign).filter(state__in=UNDER_WAY).exists():
            return None
        config = {"call": CALL, "campaign": campaign.pk, "rule": rule}
        return jobs.submit(
            project=campaign.project,
            kind="row",
            queue="default",
            config={**config, "actor": actor.pk if actor else None},
            actor=actor,
        )


def newest(campaign: Campaign) -> Job | None:
    """The last job of the campaign's, whatever became of it."""
    return _rows(campaign).order_by("-id").first()


def aggregated(campaign: Campaign, most: int = 5) -> list[Snapshot]:
    """The newest snapshots that were made by a rule."""
    rows = campaign.snapshots.filter(counts__has_key="aggregated")
    return list(rows.order_by("-id")[:most])


def _rows(campaign: Campaign) -> QuerySet[Job]:
    return Job.objects.filter(
        project=campaign.project_id, kind="row", config__call=CALL, config__campaign=campaign.pk
    )

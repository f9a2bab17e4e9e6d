"""The row job that counts how good a campaign's labels are, and where its newest result lies.

Its memory grows with what the labels say in numbers, and never with their texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Length

from labeling import quality, snapshots
from labeling.judgements import SOURCES
from labeling.measures import Said
from labeling.models import Campaign, ComparisonCompletion, Label, User
from labeling.questions import Parts
from models_runtime import jobs
from models_runtime.jobdir import BadInput, JobDir
from models_runtime.models import Job
from models_runtime.phrases import phrase
from models_runtime.records import Progress

CALL = "quality"
CHUNK = 5_000
LENGTHS = 200_000  # completions whose lengths are looked at, the newest
UNDER_WAY = ("queued", "running")


def run(job: JobDir) -> None:
    """The row job "quality": config {"campaign": id}."""
    config = job.spec()["config"]
    campaign = Campaign.objects.filter(pk=config["campaign"]).select_related("question").first()
    if campaign is None:
        raise BadInput(phrase("There is no campaign %(pk)s.", pk=str(config["campaign"])))
    with snapshots.consistent_read():
        found = reports(campaign, lambda done: _tell(job, done))
    job.finish(found)


def reports(campaign: Campaign, told: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
    """quality.report of each kind of rater that has labelled, by its name."""
    lengths = dict(_lengths(campaign))
    done = 0
    found: dict[str, Any] = {}

    def counted(rows: Iterator[Said]) -> Iterator[Said]:
        nonlocal done
        for said in rows:
            yield said
            done += 1
            if done % CHUNK == 0:
                told(done)

    for source in SOURCES:
        one = quality.report(counted(_said(campaign, source)), _parts(campaign), lengths)
        if one["labels"]:
            found[source] = one
    return found


def report(campaign: Campaign, source: str, only: int | None = None) -> dict[str, Any]:
    """quality.report of one kind of rater, of all iterations or of the one numbered ``only``."""
    return quality.report(
        _said(campaign, source, only), _parts(campaign), dict(_lengths(campaign))
    )


def _parts(campaign: Campaign) -> Parts:
    return campaign.question.parts if campaign.question else {}


def start(campaign: Campaign, actor: User) -> Job | None:
    """A job that counts anew; None while one is under way."""
    with transaction.atomic():
        Campaign.objects.select_for_update().only("pk").get(pk=campaign.pk)
        if _rows(campaign).filter(state__in=UNDER_WAY).exists():
            return None
        return jobs.submit(
            project=campaign.project,
            kind="row",
            queue="default",
            config={"call": CALL, "campaign": campaign.pk},
            actor=actor,
        )


def newest(campaign: Campaign) -> Job | None:
    """The last job of the campaign's, whatever became of it."""
    return _rows(campaign).order_by("-id").first()


def counted(campaign: Campaign) -> Job | None:
    """The last that was finished: its result holds the reports."""
    return _rows(campaign).filter(state="succeeded").order_by("-id").first()


def _rows(campaign: Campaign) -> QuerySet[Job]:
    return Job.objects.filter(
        project=campaign.project_id, kind="row", config__call=CALL, config__campaign=campaign.pk
    )


def _tell(job: JobDir, done: int) -> None:
    job.check_stop()
    job.progress(Progress(done, 0, "labels"))


def _said(campaign: Campaign, source: str, only: int | None = None) -> Iterator[Said]:
    """Labels in force of one kind of rater, hidden repeats left out."""
    scope = {} if only is None else {"comparison__iteration__number": only}
    rows = Label.objects.filter(
        **scope,
        comparison__campaign=campaign,
        kind="answer",
        superseded_by=None,
        source=source,
        assignment__occasion=0,
    ).exclude(comparison__state="discarded")
    said = rows.values_list(
        "comparison_id",
        "comparison__prompt_id",
        "rater_id",
        "answer",
        "order",
        "active_ms",
        "created_at",
        "question_version__trains_on",
    )
    for comparison, prompt, rater, answer, order, active_ms, at, asks in said.iterator(CHUNK):
        parts, turned = answer.get("parts", {}), asks == "rejected"
        yield Said(comparison, prompt, rater, parts, order, active_ms, at, turned)


def _lengths(campaign: Campaign) -> Iterator[tuple[int, int]]:
    rows = ComparisonCompletion.objects.filter(comparison__campaign=campaign)
    newest_first = rows.order_by("-completion_id").annotate(length=Length("completion__text"))
    yield from newest_first.values_list("completion_id", "length")[:LENGTHS].iterator(CHUNK)

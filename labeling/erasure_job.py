"""The row job that erases a rater: a lead asks for it on a page, and a worker does it, with what
other files still hold their words as its result."""

from __future__ import annotations

from django.db import transaction

from labeling import erasure, people, remains
from labeling.models import User
from models_runtime import jobs
from models_runtime.jobdir import BadInput, JobDir
from models_runtime.models import Job, Project
from models_runtime.phrases import phrase

CALL = "erase"


def run(job: JobDir) -> None:
    """The row job "erase": config {"rater": id, "actor": id}. Repeating it changes nothing."""
    config = job.spec()["config"]
    rater = User.objects.filter(pk=config["rater"]).first()
    if rater is None:
        raise BadInput(phrase("There is nobody with the number %(pk)s.", pk=str(config["rater"])))
    actor = User.objects.filter(pk=config["actor"]).first()
    try:
        texts = erasure.erase(rater=rater, actor=actor)
    except people.NotPossible as error:
        raise BadInput(error.args[0]) from error
    rater.refresh_from_db()
    found = remains.find(rater)
    remains.mark(found, actor)
    job.finish(
        {
            "texts": texts,
            "snapshots": [one.pk for one in found.snapshots],
            "jobs": [one.pk for one in found.jobs],
            "unread": found.unread,
        }
    )


def start(*, project: Project, rater: User, actor: User) -> Job:
    """A job that erases them; the one under way where there is one. Raises NotPossible for
    somebody who is more than a rater, or works beyond the projects that ``actor`` leads."""
    check(rater, actor)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).only("pk").get(pk=rater.pk)
        if found := under_way(project, rater):
            return found
        return jobs.submit(
            project=project,
            kind="row",
            queue="default",
            config={"call": CALL, "rater": rater.pk, "actor": actor.pk},
            actor=actor,
        )


def check(rater: User, actor: User) -> None:
    """Raises NotPossible where this lead is not to empty that account."""
    people.check_answers_for(rater, actor, phrase("Whoever runs this installation can do it"))
    erasure.refuse_staff(rater)


def under_way(project: Project, rater: User) -> Job | None:
    rows = Job.objects.filter(
        project=project, kind="row", config__call=CALL, config__rater=rater.pk
    )
    return rows.filter(state__in=("queued", "running")).order_by("-pk").first()

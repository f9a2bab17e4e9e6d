"""``python manage.py jobs``: look at the queue, stop a job, queue it again, cancel it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from models_runtime import jobs
from models_runtime.models import Job
from models_runtime.states import StaleState

NONE = "There is no job yet."
NONE_OPEN = "Every job has succeeded or was cancelled: jobs list --all shows them."
ACTS = {"stop": jobs.request_stop, "retry": jobs.requeue, "cancel": jobs.cancel}


class Command(BaseCommand):
    help = "List jobs, or stop, retry or cancel one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=["list", *ACTS])
        parser.add_argument("job", type=int, nargs="?")
        parser.add_argument("--all", action="store_true", help="list ended ones too")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["act"] == "list":
            self.list(everything=options["all"])
            return
        job = Job.objects.filter(pk=options["job"] or 0).first()
        if job is None:
            raise CommandError("Name a job by its number: manage.py jobs list shows them.")
        try:
            ACTS[options["act"]](job)
        except StaleState as error:
            raise CommandError(f"Job {job.pk} is {job.state}: {error}") from error
        self.stdout.write(f"job {job.pk}: {job.state}{_stopping(job)}")

    def list(self, *, everything: bool) -> None:
        rows = Job.objects.order_by("id")
        if not everything:
            rows = rows.exclude(state__in=("succeeded", "cancelled"))
        if not rows:
            self.stdout.write(NONE_OPEN if Job.objects.exists() else NONE)
        for job in rows:
            where = f"{job.pk:>6}  {job.kind:<12} {job.queue:<8} {job.state:<10}"
            self.stdout.write(f"{where} attempt {job.attempt}  {_done(job)}{job.error}")


def _done(job: Job) -> str:
    if not job.progress:
        return ""
    return f"{job.progress.get('done')}/{job.progress.get('total')} {job.progress.get('unit')}  "


def _stopping(job: Job) -> str:
    return ", stopping" if job.state == "running" and job.stop_requested_at else ""

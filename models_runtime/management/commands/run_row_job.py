"""The job entry of row jobs: ``python manage.py run_row_job ID`` runs Django code under the same
leash and exit codes as the tensor side's entries."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from models_runtime import acting, jobs
from models_runtime.jobdir import JobDir, run_in
from models_runtime.models import Job


class Command(BaseCommand):
    help = "Run a queued row job's function in its job directory (workers start this)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        job = Job.objects.filter(pk=options["job"], kind="row").first()
        if job is None:
            raise CommandError(f"There is no row job {options['job']}.")
        sys.exit(run_in(str(jobs.folder(job)), _call))


def _call(attempt: JobDir) -> None:
    with acting.at_work():
        import_string(jobs.ROW_CALLS[attempt.spec()["config"]["call"]])(attempt)

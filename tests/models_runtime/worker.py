"""A worker process for the tests: ``python -m tests.models_runtime.worker``

execute JOB        claim one job and run its attempt, as a Celery task does
celery ARGUMENTS   the real Celery worker, with the counting kind of job added
"""

from __future__ import annotations

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
django.setup()

from models_runtime import attempts, jobs, tasks  # noqa: E402  after setup()

jobs.KINDS["count"] = ("-m", "tests.models_runtime.children", "{dir}")
attempts.BEAT_SECONDS = 0.1
jobs.CONFIRM_SECONDS = 0.3


def main(act: str, *arguments: str) -> None:
    if act == "execute":
        sys.stdout.write(f"{jobs.execute(int(arguments[0]))}\n")
        return
    from annotate.celery import app

    if act == "ring":
        for _ in range(int(arguments[0])):
            tasks.dispatch_jobs()
        sys.stdout.write(f"{tasks.waiting('gpu')}\n")
        return
    app.worker_main(list(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A busy installation in a process of its own, for the tests of backups: four raters label and a
fifth thread registers checkpoints, until the process is ended.

    python -m tests.annotate.busy       (DATABASE_URL and CONCORD_DATA say where)

Prints the public id of every label once it is acknowledged.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
django.setup()

from django.contrib.sessions.models import Session  # noqa: E402  after setup()
from django.core.management import call_command  # noqa: E402  after setup()
from django.db import transaction  # noqa: E402  after setup()
from django.utils import timezone  # noqa: E402  after setup()

from labeling import labels, leases  # noqa: E402  after setup()
from labeling.models import Campaign, User  # noqa: E402  after setup()
from models_runtime import artifacts  # noqa: E402  after setup()
from models_runtime.models import Checkpoint, Job, Project  # noqa: E402  after setup()
from tests import factories  # noqa: E402  after setup()

COMPARISONS = 400


def main() -> None:
    call_command("migrate", interactive=False, verbosity=0)
    with transaction.atomic():
        cast = factories.make_cast()
        factories.open_comparisons(cast.campaign, COMPARISONS, overlap=2)
    raters = [factories.MembershipFactory(project=cast.project).user for _ in range(4)]
    Session.objects.create(session_key="signed-in", session_data="", expire_date=timezone.now())
    leave_an_output(cast.project)
    threads = [threading.Thread(target=rate, args=(who, cast.campaign)) for who in raters]
    register(cast.project, range(3))
    threads.append(threading.Thread(target=register, args=(cast.project, itertools.count(3))))
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join()


def rate(rater: User, campaign: Campaign) -> None:
    while (assignment := leases.claim_next(rater=rater, campaign=campaign)) is not None:
        label = labels.record_label(
            assignment=assignment,
            parts={"preference": {"choice": "0:slightly"}},
            idempotency_key=uuid.uuid4(),
        )
        sys.stdout.write(f"{label.public_id}\n")
        sys.stdout.flush()


def register(project: Project, numbers: Iterable[int]) -> None:
    """Checkpoints as the registry makes them: first the artefact, then the row that names it."""
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            Path(folder, "model.safetensors").write_bytes(f"weights {number}".encode() * 5000)
            uri, manifest = artifacts.put_folder(Path(folder), f"weights/{number}")
            Checkpoint.objects.create(
                project=project,
                kind="policy",
                name=f"weights-{number}",
                uri=uri,
                manifest=manifest,
                sha256=artifacts.identity(manifest),
                state="ready",
            )
            time.sleep(0.05)


def leave_an_output(project: Project) -> None:
    """A sample job that has succeeded and whose completions nobody has taken in yet."""
    job = Job.objects.create(
        project=project, kind="sample", state="succeeded", attempt=1, dir="sample-1"
    )
    output = Path(os.environ["CONCORD_DATA"], "jobs", job.dir, "attempt-1", "output")
    output.mkdir(parents=True)
    (output / "completions.jsonl").write_text('{"text": "hello"}\n', encoding="utf-8")


if __name__ == "__main__":
    main()

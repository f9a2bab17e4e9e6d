"""Jobs: rows that workers claim. The database is the queue; Celery only rings (tasks.py).

Whatever runs is a command line on a job directory (models_runtime.jobdir), so any package's work
starts without being imported here. attempts.py watches over one attempt; this file moves rows.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from models_runtime import artifacts, attempts, audit, handover, states
from models_runtime.artifacts import Manifest
from models_runtime.metrics import rows_of
from models_runtime.models import Checkpoint, Job, Project
from models_runtime.phrases import phrase

# What each kind runs, after the interpreter. A row job is Django code; the others are torch's.
KINDS: dict[str, tuple[str, ...]] = {
    "train": ("-m", "training.run", "{dir}"),
    "evaluate": ("-m", "training.run", "{dir}"),
    "publish": ("-m", "training.run", "{dir}"),
    "reward": ("-m", "training.run", "{dir}"),
    "sample": ("-m", "models_runtime.sample", "{dir}"),
    "row": ("manage.py", "run_row_job", "{id}"),
}
# What a training job runs where accelerators share its work (CONCORD_LAUNCH).
LAUNCH = ("-m", "training.launch", "{dir}", "{how}", "{processes}")
# config["call"] of a row job: a function of the jobdir.JobDir, like every other job entry.
ROW_CALLS: dict[str, str] = {
    "simulate": "labeling.simulation.run",
    "quality": "labeling.quality_job.run",
    "freeze": "labeling.freezing.run",
    "erase": "labeling.erasure_job.run",
    "keep": "training.keeping.run",
}
WORKER_LOST = phrase("The worker that ran the job disappeared.")
AGAIN = "again"  # in the result of a cancelled job: the one that runs in its place
# A clock that was stepped makes every heartbeat look old: look twice before taking a job away.
CONFIRM_SECONDS = 3.0


class Frozen(Protocol):
    """Anything kept in the artefact store that has an address and a manifest (a Snapshot)."""

    uri: str
    manifest: Manifest


def submit(
    *,
    project: Project,
    kind: str,
    config: dict[str, Any],
    inputs: Sequence[dict[str, Any]] = (),
    queue: str = "gpu",
    seed: int = 0,
    priority: int = 0,
    actor: models.Model | None = None,
) -> Job:
    """A queued job. Raises ValueError on a kind, or a row job's call, that nothing can run."""
    if kind not in KINDS:
        raise ValueError(phrase("There is no kind of job named %(kind)s.", kind=kind))
    if kind == "row" and config.get("call") not in ROW_CALLS:
        raise ValueError(
            phrase("There is no row job named %(config)s.", config=config.get("call"))
        )
    with transaction.atomic():
        job = Job.objects.create(
            project=project,
            kind=kind,
            config=config,
            inputs=list(inputs),
            queue=queue,
            seed=seed,
            priority=priority,
            created_by_id=getattr(actor, "pk", None),
            dir=_new_dir(kind),
        )
        audit.record(verb="job submitted", obj=job, actor=actor, to_state="queued")
    return job


def due(queue: str | None = None) -> QuerySet[Job]:
    """Queued jobs whose turn has come, the most urgent first."""
    now = timezone.now()
    # A backoff further away than any backoff can be was written before the clock was stepped.
    far = now + timedelta(seconds=2 * attempts.MAX_BACKOFF_SECONDS)
    ready = Q(not_before=None) | Q(not_before__lte=now) | Q(not_before__gt=far)
    rows = Job.objects.filter(ready, state="queued").order_by("-priority", "id")
    return rows if queue is None else rows.filter(queue=queue)


def claim(job_id: int, worker: str = "") -> Job | None:
    """Take a queued job for one attempt; None when it is not there to be taken.

    One conditional update: of two workers, one wins. The new token fences the attempt before.
    """
    job = due().filter(pk=job_id).first()
    return None if job is None else _take(job, worker or this_worker())


def claim_next(queue: str, worker: str = "") -> Job | None:
    """Take the most urgent job that is due in a queue."""
    for job in due(queue)[:20]:
        if taken := _take(job, worker or this_worker()):
            return taken
    return None


def execute(job_id: int, worker: str = "") -> str:
    """Claim a job and run it to the end of one attempt; the state it is left in, "" when it was
    not to be had or was lost on the way."""
    job = claim(job_id, worker)
    return "" if job is None else _run(job)


def execute_next(queue: str, worker: str = "") -> str:
    """execute() on the most urgent job of a queue."""
    job = claim_next(queue, worker)
    return "" if job is None else _run(job)


def request_stop(job: Job, actor: models.Model | None = None) -> None:
    """Ask a job to checkpoint and end, to be queued again later. One that waits stops at once,
    one that has ended already stays as it is."""
    running = Job.objects.filter(pk=job.pk, state="running", stop_requested_at=None)
    if running.update(stop_requested_at=timezone.now()):
        audit.record(verb="job stop requested", obj=job, actor=actor)
    elif Job.objects.filter(pk=job.pk, state="queued").exists():
        _move(job, "stopped", actor, Q(state="queued"), finished_at=timezone.now())
    job.refresh_from_db()


def requeue(job: Job, actor: models.Model | None = None) -> None:
    """Queue a stopped or failed job again, with all its attempts before it; it resumes from its
    newest complete checkpoint. Raises states.StaleState when it is neither."""
    _move(
        job,
        "queued",
        actor,
        Q(state__in=("stopped", "failed")),
        attempts_without_progress=0,
        stop_requested_at=None,
        not_before=None,
        finished_at=None,
        error="",
    )


def cancel(job: Job, actor: models.Model | None = None) -> None:
    """End a job for good. A running one is fenced: its worker kills the child at its next beat.
    Raises states.StaleState when it has ended."""
    _move(job, "cancelled", actor, Q(), finished_at=timezone.now())


def run_again(job: Job, actor: models.Model | None = None) -> Job:
    """A new job that does from its beginning what a cancelled one was to do. Cancelled stays for
    good: what it left may be deleted at any moment. Its result names the new one, of which there
    is never a second. Raises states.StaleState when it was not cancelled, or runs again already.
    """
    with transaction.atomic():
        held = Job.objects.select_for_update().get(pk=job.pk)
        if held.state != "cancelled" or AGAIN in held.result:
            raise states.StaleState(phrase("Job %(pk)s cannot run again.", pk=str(job.pk)))
        made = submit(
            project=held.project,
            kind=held.kind,
            config=held.config,
            inputs=held.inputs,
            queue=held.queue,
            seed=held.seed,
            priority=held.priority,
            actor=actor,
        )
        Job.objects.filter(pk=job.pk).update(result={AGAIN: made.pk})
        audit.record(verb="job run again", obj=held, actor=actor, data={AGAIN: made.pk})
    return made


def sweep(now: datetime | None = None) -> list[int]:
    """Take running jobs from workers that no longer give signs of life; the ids.

    Each is queued again, or failed when its attempts are used up, under a new token.
    """
    suspects = list(_silent(now or timezone.now()))
    if suspects:
        time.sleep(CONFIRM_SECONDS)
    return [job.pk for job in suspects if _take_away(job)]


def forget_progress(now: datetime | None = None) -> list[int]:
    """Delete what jobs that are over for good left in the artefact store to resume from; the ids.

    A lease after their end: a worker that lost one may still be in the midst of a copy.
    """
    before = (now or timezone.now()) - timedelta(seconds=settings.JOB_LEASE_SECONDS)
    over = Job.objects.filter(state__in=("succeeded", "cancelled"), finished_at__lt=before)
    found = list(over.filter(keeps_progress=True))
    for job in found:
        handover.forget(job.dir)
        Job.objects.filter(pk=job.pk).update(keeps_progress=False)
    return [job.pk for job in found]


def input_of_checkpoint(name: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """An entry of Job.inputs: the checkpoint's folder."""
    return {"name": name, "uri": checkpoint.uri, "sha256": checkpoint.manifest}


def input_of_snapshot(name: str, snapshot: Frozen) -> dict[str, Any]:
    """An entry of Job.inputs: the snapshot's folder."""
    return {"name": name, "uri": snapshot.uri, "sha256": snapshot.manifest}


def input_of_file(name: str, path: Path) -> dict[str, Any]:
    """An entry of Job.inputs: one file, copied into the artefact store."""
    key = f"inputs/{artifacts.identity({path.name: artifacts.sha256(path)})}"
    uri, manifest = artifacts.put_files({path.name: path}, key)
    return {"name": name, "uri": uri, "sha256": manifest, "file": path.name}


def input_of_output(name: str, job: Job) -> dict[str, Any]:
    """An entry of Job.inputs: what a job that succeeded put into output/. Raises ValueError."""
    key = f"jobs/{job.dir}/attempt-{job.attempt}"
    uri, manifest = artifacts.put_folder(output_folder(job), key)
    return {"name": name, "uri": uri, "sha256": manifest}


def folder(job: Job) -> Path:
    """The job's directory on this machine."""
    return attempts.folder_of(job)


def output_folder(job: Job) -> Path:
    """What the attempt that succeeded put into output/, from this disk or the artefact store.

    Raises ValueError when the job has not succeeded or left nothing."""
    if job.state != "succeeded":
        raise ValueError(
            phrase("Job %(pk)s has no output: it is %(state)s.", pk=str(job.pk), state=job.state)
        )
    local = attempts.attempt_folder(job) / "output"
    if local.is_dir():
        return local
    if not (stored := job.result.get("output")):
        raise ValueError(phrase("Job %(pk)s left no output.", pk=str(job.pk)))
    cache = Path(settings.DATA_DIR) / "cache"
    return artifacts.fetch_folder(stored["uri"], stored["sha256"], cache)


def metrics(job: Job) -> list[dict[str, Any]]:
    """The job's metrics as one curve, whatever was resumed."""
    return rows_of(job)


def this_worker() -> str:
    """Host, boot, process namespace and process: enough for another process of this machine to
    see that this one is gone."""
    return f"{_machine()}:{os.getpid()}"


def _new_dir(kind: str) -> str:
    """A folder name that no other job ever had: a database begun afresh repeats its ids, and a
    job must never resume from another's checkpoints."""
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def _take(job: Job, worker: str) -> Job | None:
    now = timezone.now()
    try:
        states.advance(
            job,
            "running",
            where=Q(token=job.token),
            token=uuid.uuid4(),
            worker=worker[:200],
            attempt=F("attempt") + 1,
            attempts_without_progress=F("attempts_without_progress") + 1,
            dir=job.dir or _new_dir(job.kind),
            progress={},
            keeps_progress=True,
            started_at=now,
            heartbeat_at=now,
            progress_at=now,
            finished_at=None,
        )
    except states.StaleState:
        return None
    job.refresh_from_db(fields=["attempt", "attempts_without_progress"])
    return job


def _run(job: Job) -> str:
    words = {"dir": str(folder(job).resolve()), "id": str(job.pk)}
    parts = LAUNCH if job.kind == "train" and settings.TRAINING_LAUNCH else KINDS[job.kind]
    words |= {"how": settings.TRAINING_LAUNCH, "processes": str(settings.TRAINING_PROCESSES)}
    command = [sys.executable, *(part.format(**words) for part in parts)]
    return attempts.run(job, command, secrets=job.kind == "row")


def _move(job: Job, to: str, actor: models.Model | None, where: Q, **changes: Any) -> None:
    with transaction.atomic():
        before = Job.objects.values_list("state", flat=True).get(pk=job.pk)
        states.advance(job, to, where=where, token=uuid.uuid4(), **changes)
        audit.record(verb="job moved", obj=job, actor=actor, from_state=before, to_state=to)


def _silent(now: datetime) -> list[Job]:
    """Running jobs whose heartbeat is older than a lease, or lies in a future that only a
    stepped clock can have written, or whose worker was on this machine and is gone."""
    lease = timedelta(seconds=settings.JOB_LEASE_SECONDS)
    running = Job.objects.filter(state="running")
    old = Q(heartbeat_at=None) | Q(heartbeat_at__lt=now - lease) | Q(heartbeat_at__gt=now + lease)
    stale = set(running.filter(old).values_list("pk", flat=True))
    return [job for job in running if job.pk in stale or _is_gone(job.worker)]


def _take_away(job: Job) -> bool:
    """Give a silent job back, unless it has been heard of meanwhile."""
    unheard = Q(state="running", token=job.token, heartbeat_at=job.heartbeat_at)
    try:
        attempts.give_back(job, WORKER_LOST, unheard)
    except states.StaleState:
        return False
    return True


def _machine() -> str:
    namespace = boot = ""
    if sys.platform.startswith("linux"):
        namespace = os.readlink("/proc/self/ns/pid")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{socket.gethostname()}/{boot[:8]}/{namespace}"


def _is_gone(worker: str) -> bool:
    machine, _, pid = worker.rpartition(":")
    if not sys.platform.startswith("linux") or machine != _machine() or not pid.isdigit():
        return False
    return not Path(f"/proc/{pid}").exists()

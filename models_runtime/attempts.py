"""One attempt at a job: prepare its directory, watch over its child, store how it ended.

Every write is conditional on the attempt's token. Once the row has another one, this worker has
lost the job (frozen too long, cut off from the database, cancelled): it kills the child, changes
nothing and goes. The child is kept on a leash by the same rule, see models_runtime.jobdir.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import (
    InterfaceError,
    OperationalError,
    close_old_connections,
    transaction,
)
from django.db.models import F, Q
from django.utils import timezone

from models_runtime import artifacts, audit, metrics, phrases, states
from models_runtime.child import Child, without_secrets
from models_runtime.folders import Outside
from models_runtime.handover import Handover
from models_runtime.jobdir import (
    DISK_FULL,
    EXIT_BAD_INPUT,
    EXIT_DONE,
    EXIT_NO_SPACE,
    EXIT_RETRY,
    BadInput,
    explain,
    has_no_room,
    told,
    write_atomically,
)
from models_runtime.models import Job
from models_runtime.phrases import phrase
from models_runtime.relay import Relay
from models_runtime.relayed import VARIABLE
from models_runtime.sentences import failed_import, without_paths

BEAT_SECONDS = 1.0
STOP_GRACE_SECONDS = 60.0
MAX_BACKOFF_SECONDS = 60
# The child gives up before the sweeper may hand its job to another worker.
_LEASH_SHARE = 0.75
# Two spinning threads on two shared cores are 3-100 times slower than one; no hub is asked.
_CHILD_DEFAULTS = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "PYTHONUNBUFFERED": "1",
}


class Fenced(Exception):
    """The job is no longer this worker's."""


@dataclass(frozen=True)
class Ending:
    """How a child ended. ``reason``: "" by itself, "stop" a person asked, "shutdown" the worker
    was asked to go, "stalled" it made no progress."""

    status: int
    reason: str = ""
    cpu_seconds: float = 0.0
    last_line: str = ""
    sentence: str = ""
    output: dict[str, Any] = field(default_factory=dict)  # where other machines find output/


def folder_of(job: Job) -> Path:
    """The job's directory. ``Job.dir`` is relative to JOBS_DIR, so a restore may move it."""
    return Path(settings.JOBS_DIR) / job.dir


def attempt_folder(job: Job) -> Path:
    return folder_of(job) / f"attempt-{job.attempt}"


def run(job: Job, command: list[str], *, secrets: bool) -> str:
    """Run a claimed attempt to its end; the state the job is left in, "" when it was lost.

    ``secrets``: whether the child may have the application's own settings (row jobs).
    """
    attempt = Attempt(job, command, secrets)
    try:
        with _sigterm_postponed(attempt.shutdown):
            ending = attempt.run()
            return _persist(lambda: settle(job, ending), attempt)
    except (Fenced, states.StaleState):
        return ""


@dataclass
class Attempt:
    """A claimed job on this worker, from its preparation to the end of its child."""

    job: Job
    command: list[str]
    secrets: bool
    stored: float = field(default_factory=time.monotonic)  # when the last heartbeat was
    moved: float = field(default_factory=time.monotonic)  # when the child last showed progress
    stopping: float | None = None
    reason: str = ""
    shutdown: threading.Event = field(default_factory=threading.Event)
    progress: dict[str, Any] = field(default_factory=dict)
    handover: Handover = field(init=False)
    relay: Relay | None = None
    relayed: int = 0  # questions that it had answered when it was last looked at

    def __post_init__(self) -> None:
        self.handover = Handover(folder_of(self.job), self.job.dir)

    @property
    def folder(self) -> Path:
        return attempt_folder(self.job)

    def run(self) -> Ending:
        try:
            self.prepare()
            self.relay = Relay.of(self.job, folder_of(self.job), self.folder)
            child = self.start()
        except (OSError, artifacts.Damaged, Outside, BadInput) as error:
            self.end_relay()
            return self.refusal(error)
        try:
            status = self.supervise(child)
            output = self.store_output() if status == EXIT_DONE else self.leave()
        except OSError as error:
            return self.refusal(error)
        finally:
            child.end()
            self.end_relay()
            self.handover.end()
        spent, said = child.cpu_seconds, child.last_line()
        return Ending(status, self.reason, spent, said, output=output)

    def start(self) -> Child:
        environment, ends = self.environment(), list[int]()
        if self.relay is not None:
            ends.append(self.relay.theirs.fileno())
            environment[VARIABLE] = str(ends[0])
        child = Child.start(
            self.command,
            cwd=Path(settings.BASE_DIR),
            env=environment,
            log=self.folder / "log.txt",
            pass_fds=ends,
        )
        if self.relay is not None:
            self.relay.begin()
        return child

    def end_relay(self) -> None:
        if self.relay is not None:
            self.relay.close()

    def refusal(self, error: Exception) -> Ending:
        """A damaged input or a full disk cannot be cured by another attempt; the rest may."""
        if not isinstance(error, OSError):
            error = BadInput(phrases.of(error))
        status, sentence = explain(error, folder_of(self.job).parent)
        return Ending(status, sentence=sentence)

    def prepare(self) -> None:
        """Write the job directory and lay its inputs on this disk; fences older children first."""
        root = folder_of(self.job)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(root / "token", str(self.job.token))
        spec = {name: getattr(self.job, name) for name in ("kind", "seed", "config")}
        write_atomically(root / "job.json", json.dumps({"job": self.job.pk, **spec}))
        inputs = [self.lay(row) for row in self.job.inputs]
        write_atomically(root / "inputs.json", json.dumps(inputs))
        if self.job.attempt > 1:
            self.handover.fetch(self.beat_if_due)
        for number in range(1, self.job.attempt):  # what a killed worker did not get to relay
            metrics.relay(self.job.pk, number, root / f"attempt-{number}")

    def lay(self, row: dict[str, Any]) -> dict[str, Any]:
        cache = Path(settings.DATA_DIR) / "cache"
        folder = artifacts.fetch_folder(row["uri"], row["sha256"], cache, self.beat_if_due)
        path = folder / row["file"] if row.get("file") else folder
        return {**{key: row[key] for key in ("name", "uri", "sha256")}, "path": str(path)}

    def store_output(self) -> dict[str, Any]:
        """Put attempt-N/output where other machines find it, when artefacts are kept remotely."""
        output = self.folder / "output"
        if artifacts.is_local() or not output.is_dir():
            return {}
        key = f"jobs/{self.job.dir}/attempt-{self.job.attempt}"
        uri, manifest = artifacts.put_folder(output, key, self.beat_if_due)
        return {"output": {"uri": uri, "sha256": manifest}}

    def leave(self) -> dict[str, Any]:
        """Hand over the last progress of a job that is not done; no output."""
        self.beat()  # its metrics first: whoever goes on from a checkpoint finds the curve to it
        self.handover.finish(self.beat_if_due)
        if self.handover.landed:
            self.job.attempts_without_progress = 0
        return {}

    def environment(self) -> dict[str, str]:
        env = dict(os.environ) if self.secrets else without_secrets(os.environ)
        return {
            **_CHILD_DEFAULTS,
            **env,
            "CONCORD_ATTEMPT": str(self.job.attempt),
            "CONCORD_TOKEN": str(self.job.token),
            "CONCORD_LEASE": str(settings.JOB_LEASE_SECONDS * _LEASH_SHARE),
        }

    def supervise(self, child: Child) -> int:
        """Beat, relay, hand over and pass on requests until the child ends; its status."""
        while (status := child.wait(BEAT_SECONDS)) is None:
            found = self.handover.look()
            if self.beat():  # which relays the metrics of what was found before it is handed over
                child.beat()
                self.handover.begin(found)
            self.pass_on_stop(child)
            if time.monotonic() - self.moved > settings.JOB_STALL_SECONDS:
                self.reason = "stalled"
                child.end()
        return status

    def beat_if_due(self) -> None:
        if time.monotonic() - self.stored > BEAT_SECONDS:
            self.beat()

    def beat(self) -> bool:
        """Store a heartbeat with what the child has to say; False while the database is away.

        Raises Fenced when the job is lost, or when the database has been away for a lease.
        """
        before = time.monotonic()
        try:
            with transaction.atomic():
                self.store()
        except (OperationalError, InterfaceError):
            close_old_connections()
            if time.monotonic() - self.stored > settings.JOB_LEASE_SECONDS:
                raise Fenced from None
            return False
        self.stored = before
        return True

    def store(self) -> None:
        rows = Job.objects.filter(pk=self.job.pk, token=self.job.token, state="running")
        changes: dict[str, Any] = {"heartbeat_at": timezone.now()}
        if self.handover.landed:
            changes["attempts_without_progress"] = self.job.attempts_without_progress = 0
        progress = _read_json(self.folder / "progress.json") or {}
        if not rows.update(**changes):
            raise Fenced
        relayed = metrics.relay(self.job.pk, self.job.attempt, self.folder)
        if relayed or progress != self.progress:
            rows.update(progress=progress, progress_at=changes["heartbeat_at"])
            self.progress, self.moved = progress, time.monotonic()
        if self.relay is not None and self.relay.moved != self.relayed:
            self.relayed, self.moved = self.relay.moved, time.monotonic()
        if not self.reason and rows.filter(stop_requested_at__isnull=False).exists():
            self.reason = "stop"

    def pass_on_stop(self, child: Child) -> None:
        """SIGTERM once when an end is wanted; SIGKILL when the grace is over."""
        if self.shutdown.is_set() and not self.reason:
            self.reason = "shutdown"
        if not self.reason:
            return
        if self.stopping is None:
            self.stopping = time.monotonic()
            child.terminate()
        elif time.monotonic() - self.stopping > STOP_GRACE_SECONDS:
            child.end()


def settle(job: Job, ending: Ending) -> str:
    """Store how an attempt ended; the new state. Raises StaleState when the job was lost."""
    result = _read_json(attempt_folder(job) / "result.json")
    spent = {"cpu_seconds": F("cpu_seconds") + ending.cpu_seconds}
    mine = Q(token=job.token)
    if ending.status == EXIT_DONE and result is not None:
        result = {**result, **ending.output}
        return _end(job, "succeeded", mine, result=result, error="", **_progress(job), **spent)
    if ending.reason == "stop":
        return _end(job, "stopped", mine, error="", **spent)
    sentence = ending.sentence or _sentence(job, ending)
    if ending.status in (EXIT_BAD_INPUT, EXIT_NO_SPACE):
        return _end(job, "failed", mine, error=sentence, **spent)
    asked = ending.reason == "shutdown" or (ending.status == EXIT_RETRY and not ending.reason)
    return give_back(job, sentence, mine, counted=not asked, **spent)


def give_back(job: Job, sentence: str, where: Q, *, counted: bool = True, **changes: Any) -> str:
    """Queue a running job again with a new token, or fail it once its attempts are used up.

    Attempts are counted from the last one that left something new in the artefact store.
    """
    if job.stop_requested_at is not None:
        return _end(job, "stopped", where, error="", **changes)
    used = max(0, job.attempts_without_progress - (not counted))
    changes["attempts_without_progress"] = used
    if used >= job.max_attempts:
        return _end(job, "failed", where, error=sentence, **changes)
    wait = min(MAX_BACKOFF_SECONDS, 2**used) if counted else 0
    not_before = timezone.now() + timedelta(seconds=wait)
    return _end(job, "queued", where, error=sentence, not_before=not_before, **changes)


def _end(job: Job, to: str, where: Q, **changes: Any) -> str:
    """Leave the running state: a new token fences whoever still holds the old one.

    Where the transaction is lost, job keeps the state and token that the database still has, so
    that the ending can be stored again.
    """
    before, row = job.state, copy.copy(job)
    finished = None if to == "queued" else timezone.now()
    with transaction.atomic():
        states.advance(
            row, to, where=where, token=uuid.uuid4(), worker="", finished_at=finished, **changes
        )
        metrics.relay(job.pk, job.attempt, attempt_folder(job))  # after the token: not if fenced
        audit.record(
            verb="job moved",
            obj=job,
            from_state=before,
            to_state=to,
            # Not the sentence: it may quote what people typed, and this table is never erased.
            data={"attempt": job.attempt, "failed": bool(changes.get("error"))},
        )
    job.refresh_from_db()
    return to


def _progress(job: Job) -> dict[str, Any]:
    progress = _read_json(attempt_folder(job) / "progress.json")
    return {"progress": progress, "progress_at": timezone.now()} if progress else {}


def _sentence(job: Job, ending: Ending) -> str:
    """Why, for a person: the child's own sentence, else what its end and its log say."""
    if ending.reason == "stalled":
        return phrase(
            "The job made no progress for %(n)s seconds.", n=int(settings.JOB_STALL_SECONDS)
        )
    if own := told(_read_json(attempt_folder(job) / "error.json") or {}):
        return own
    if _ran_out_of_space(job, ending):
        return DISK_FULL
    return _by_status(ending)


def _by_status(ending: Ending) -> str:
    """Why, of a child that said nothing itself."""
    if ending.status == -signal.SIGKILL:
        return phrase("The job was ended by signal 9: the machine may be out of memory.")
    if ending.status < 0:
        return phrase("The job was ended by signal %(n)s.", n=-ending.status)
    if ending.status == EXIT_DONE:
        return phrase("The job ended without a result.")
    if absent := failed_import(ending.last_line):
        return absent
    said = without_paths(ending.last_line)[:300]
    if not said:
        return phrase("The job stopped with status %(n)s without saying why.", n=ending.status)
    return phrase("The job stopped with status %(n)s: %(said)s", n=ending.status, said=said)


def _ran_out_of_space(job: Job, ending: Ending) -> bool:
    """By its status, its last word, or the disk itself."""
    said = "No space left on device" in ending.last_line
    return ending.status == EXIT_NO_SPACE or said or has_no_room(folder_of(job))


def _read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None when there is none (not yet written, or torn by a full disk)."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def _persist(write: Callable[[], str], attempt: Attempt) -> str:
    """Store an ending through a short loss of the database. The token makes a late write safe;
    after two leases the sweeper has long decided."""
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError):
            close_old_connections()
            if time.monotonic() - attempt.stored > 2 * settings.JOB_LEASE_SECONDS:
                raise
            time.sleep(BEAT_SECONDS)


@contextlib.contextmanager
def _sigterm_postponed(asked: threading.Event) -> Iterator[None]:
    """SIGTERM to this process first sets ``asked``, so that the job is handed back, and takes
    its usual effect after the block. Only a main thread can arrange that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, lambda _number, _frame: asked.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
        if asked.is_set():
            signal.raise_signal(signal.SIGTERM)

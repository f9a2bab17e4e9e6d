"""Processes for the tests of jobs: workers on the test's own database, a Redis of one's own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import OperationalError, connection, transaction


def wait_for(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true value of condition(); fails after seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"It did not happen within {seconds} seconds: {condition}")


def is_alive(pid: int) -> bool:
    """Whether a process runs (one that has ended and was not waited for does not)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def freeze(*pids: int) -> None:
    """Stop processes in mid-motion, but none while it writes to the database: in SQLite its lock
    on the one file would hold everybody."""
    while True:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        with contextlib.suppress(OperationalError), transaction.atomic():
            return
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def child_in(folder: Path) -> int:
    """The process id of the child that runs in a job directory, by its command line; else 0."""
    marker = str(folder).encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if marker in words and b"tests.models_runtime.children" in words:
            return int(entry.name)
    return 0


@dataclasses.dataclass
class Workers:
    """Worker processes on the test's own database and folders; none outlives its test."""

    settings: Any
    redis_url: str = "redis://127.0.0.1:1/0"
    started: list[subprocess.Popen[bytes]] = dataclasses.field(default_factory=list)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """``python -m tests.models_runtime.worker ARGUMENTS``, in a group of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.models_runtime.worker", *arguments],
            cwd=self.settings.BASE_DIR,
            env={**os.environ, **self.environment(), **environment},
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def celery(self, *queues: str, beat: bool = False) -> subprocess.Popen[bytes]:
        """A real Celery worker with two processes, with beat in it when asked."""
        arguments = ["worker", "-Q", ",".join(queues), "-c", "2", "--loglevel", "WARNING"]
        arguments += ["-n", f"{queues[-1]}{len(self.started)}@test"]
        schedule = ["-B", "-s", str(self.settings.DATA_DIR / "schedule")] if beat else []
        return self.start("celery", *arguments, "--without-gossip", "--without-mingle", *schedule)

    def environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": database_url(),
            "CONCORD_DATA": str(self.settings.DATA_DIR),
            "CONCORD_JOBS": str(self.settings.JOBS_DIR),
            "CONCORD_ARTIFACTS": self.settings.ARTIFACTS_URI,
            "CONCORD_JOB_LEASE": str(self.settings.JOB_LEASE_SECONDS),
            "REDIS_URL": self.redis_url,
            "LOG_LEVEL": "WARNING",
        }

    def end(self) -> None:
        for process in self.started:
            kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGCONT)
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def database_url() -> str:
    """The test's database, for another process."""
    row = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{row['NAME']}"
    user = f"{row['USER']}:{row['PASSWORD']}@" if row["USER"] else ""
    return f"postgres://{user}{row['HOST'] or '127.0.0.1'}:{row['PORT'] or 5432}/{row['NAME']}"


@dataclasses.dataclass
class Redis:
    """A private Redis without persistence: killed, it forgets everything, as a flush would."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [redis_program() or "", "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--dir", str(self.folder), "--loglevel", "warning"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        wait_for(self.answers)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                line.sendall(b"PING\r\n")
                return line.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def redis_program() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


def fill(path: Path) -> None:
    """Write to path until its disk is full."""
    with path.open("wb", buffering=0) as handle, contextlib.suppress(OSError):
        while True:
            handle.write(bytes(4096))

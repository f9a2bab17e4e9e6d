"""A data folder and a database of their own, and a web server over them started as the launcher
does, which can be killed and started again on the same port."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from annotate.processes import tie_to
from annotate.stack import web_part

ROOT = Path(__file__).resolve().parents[2]
# What may be set around us and must not reach a place of its own.
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "ALLOWED_HOSTS", "BEHIND_TLS_PROXY")


class Failed(Exception):
    """A step could not be done, in one sentence."""


@dataclasses.dataclass
class Place:
    """Where one installation lives. ``database`` is an address; empty: SQLite in ``data``."""

    data: Path
    database: str = ""
    redis: str = ""

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
        ours = {
            "SECRET_KEY": "of-a-temporary-place-only",
            "CONCORD_DATA": str(self.data),
            "DATABASE_URL": self.database,
            "REDIS_URL": self.redis,
            "ENV_FILE": "/dev/null",
            "LOG_LEVEL": "WARNING",
        }
        return {**kept, **{name: value for name, value in ours.items() if value}}

    def prepare(self, *, presets: bool = False, **shape: Any) -> None:
        """Migrate, collect static files and build a scene.Shape; with ``presets`` a campaign of
        each besides. Raises Failed."""
        self.data.mkdir(parents=True, exist_ok=True)
        besides = ["presets"] if presets else []
        self.run("-m", "annotate.bench.prepare", json.dumps(shape), *besides)

    def manage(self, *words: str) -> str:
        """manage.py WORDS; what it printed. Raises Failed."""
        return self.run("manage.py", *words)

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=self.environ, capture_output=True, text=True
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise Failed(f"{' '.join(words[:2])} failed: {last}")
        return done.stdout


class WebServer:
    """gunicorn over a place. The port stays taken while the server is down: connections wait."""

    def __init__(self, place: Place, settings: str = "annotate.settings") -> None:
        self.place = place
        self.environ = {**place.environ, "DJANGO_SETTINGS_MODULE": settings}
        self.log = place.data / f"{settings}.log"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        number: int = self.listener.getsockname()[1]
        return number

    def start(self) -> None:
        part = web_part(self.listener)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                part.argv,
                cwd=ROOT,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=part.fds,
                process_group=0,
                preexec_fn=tie_to(os.getpid()),
            )

    def wait_until_up(self, seconds: float = 60.0) -> None:
        """Raises Failed when it does not answer in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.05)
        raise Failed(f"The web server does not answer (see {self.log}).")

    def kill(self) -> None:
        """SIGKILL to the server with all its processes."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def kill_a_worker(self) -> bool:
        """SIGKILL to the process that answers; gunicorn starts another. False when none lives."""
        workers = self._workers()
        for worker in workers[:1]:
            worker.kill()
        return bool(workers)

    def cpu_seconds(self) -> float:
        """User and system time of the processes that answer, so far."""
        times = [worker.cpu_times() for worker in self._workers()]
        return float(sum(time.user + time.system for time in times))

    def close(self) -> None:
        self.kill()
        self.listener.close()

    def _workers(self) -> Sequence[psutil.Process]:
        assert self._process is not None
        return psutil.Process(self._process.pid).children()

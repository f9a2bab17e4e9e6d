"""Launchers for the tests: real ones, each on a data folder of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from annotate.private_redis import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
# What the test run itself sets, and a launcher must find for itself.
OURS = (
    "SECRET_KEY",
    "CONCORD_DATA",
    "DATABASE_URL",
    "REDIS_URL",
    "PORT",
    "CONCORD_HOST",
    "ALLOWED_HOSTS",
    "DJANGO_ALLOW_ASYNC_UNSAFE",
)


class Launcher:
    """python -m annotate.stack MODE, running."""

    def __init__(self, data: Path, *arguments: str, name: str = "out", **environ: str) -> None:
        self.data = data
        self.port = int(environ.get("PORT") or free_port())
        self.output = data.with_name(f"{data.name}.{name}")
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "annotate.stack", *arguments],
                cwd=ROOT,
                env=environment(data, **{"PORT": str(self.port), **environ}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def wait_until_ready(self) -> None:
        wait_for(lambda: "Concord is ready" in self.said() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()

    def status_of(self, path: str) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return int(answer.status)

    def child(self, words: str) -> psutil.Process:
        """The one child of the launcher whose command line holds ``words``."""
        (found,) = self.children(words)
        return found

    def children(self, words: str) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if words in " ".join(_command_line(child))]

    def interrupt(self) -> int:
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def clear(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for process in processes_of(self.data):
            process.kill()


def environment(data: Path, **environ: str) -> dict[str, str]:
    """The test run's environment without what it sets for itself."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    return {**kept, "CONCORD_DATA": str(data), "ENV_FILE": "/dev/null", **environ}


def run(data: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A launcher that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "annotate.stack", *arguments],
        cwd=ROOT,
        env=environment(data, **environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _command_line(process: psutil.Process) -> list[str]:
    """Empty for one that has ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def processes_of(data: Path) -> list[psutil.Process]:
    """Every living process that works on a data folder, by its environment, command line or
    working folder (Redis writes over the first two)."""
    return [process for process in psutil.process_iter() if _is_of(process, str(data))]


def _is_of(process: psutil.Process, data: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        words = [*process.cmdline(), process.cwd()]
        return process.environ().get("CONCORD_DATA") == data or any(data in word for word in words)
    except psutil.Error:
        return False


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Returns when condition() is true; fails after seconds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"It did not happen within {seconds} seconds."
        time.sleep(0.05)


@contextlib.contextmanager
def launched(data: Path, *arguments: str, name: str = "out", **environ: str) -> Iterator[Launcher]:
    launcher = Launcher(data, *arguments, name=name, **environ)
    try:
        yield launcher
    finally:
        launcher.clear()

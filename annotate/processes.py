"""The launcher's children: each in a process group of its own, restarted when it crashes, ended
in order, and never outliving the launcher.

Linux only for the last promise when the launcher is killed (parent-death signal); elsewhere an
ordinary end still takes everything with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None
LONGEST_PAUSE = 30.0
LOG_BYTES = 20_000_000


class StopAsked(Exception):
    """Ctrl-C or a termination signal reached the launcher."""


@dataclasses.dataclass
class Part:
    """A program to keep running, and how to end it."""

    name: str  # its log is NAME.log
    title: str  # how a line for a person calls it
    argv: list[str]
    grace: float = 10.0  # seconds between the polite signal and SIGKILL
    keep: bool = True  # start it again when it ends
    show: bool = False  # its output belongs to the person at the terminal, not in a log
    fds: tuple[int, ...] = ()
    environ: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Child:
    part: Part
    process: subprocess.Popen[bytes]
    started: float
    crashes: int = 0
    due: float | None = None  # when to start it again (monotonic)

    @property
    def alive(self) -> bool:
        return self.process.returncode is None


def tie_to(parent: int) -> Callable[[], None]:
    """What a child runs before its program: die by SIGKILL as soon as ``parent`` is gone.

    SIGKILL and not SIGTERM, because a worker answers SIGTERM by finishing an hour-long task.
    Nothing acknowledged can be lost: databases are synced, and Redis is only a doorbell.
    """

    def before_exec() -> None:
        if LIBC is None:
            return
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it went before the call above took hold
            os._exit(1)

    return before_exec


def adopt_orphans() -> None:
    """Linux: grandchildren whose parent was killed become ours, to be counted and ended."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def cpu_seconds() -> float:
    """CPU seconds of this process and of every descendant that has ended."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usages = [resource.getrusage(which) for which in whose]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Supervisor:
    """Starts parts, looks after them, ends them. One per process, on its main thread.

    On the main thread, because the parent-death signal follows the thread that started a child.
    """

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self.logs = logs
        self.say = say
        self.children: list[Child] = []
        self._asked = 0
        self._ending = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            signal.signal(getattr(signal, name), self._on_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        adopt_orphans()

    def _on_stop(self, _number: int, _frame: object) -> None:
        self._asked += 1

    def start(self, part: Part) -> Child:
        """Start a part. Raises OSError when its program cannot be run."""
        child = Child(part, self._spawn(part), time.monotonic())
        self.children.append(child)
        return child

    def _spawn(self, part: Part) -> subprocess.Popen[bytes]:
        path = self.logs / f"{part.name}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            return subprocess.Popen(
                part.argv,
                stdin=subprocess.DEVNULL,
                stdout=None if part.show else log,
                stderr=log,
                env={**os.environ, **part.environ},
                pass_fds=part.fds,
                process_group=0,
                preexec_fn=tie_to(os.getpid()),
            )

    def look_after(
        self,
        until: Callable[[], bool] = lambda: False,
        *,
        seconds: float | None = None,
        every: float | None = None,
        listen: Iterable[int] = (),
    ) -> bool:
        """Keep the children running until ``until()`` holds: True, or False when time is over.

        ``until`` is asked after every child's end, whenever a descriptor in ``listen`` has
        something, and ``every`` so many seconds. Raises StopAsked.
        """
        end = None if seconds is None else time.monotonic() + seconds
        while not until():
            if self._asked and not self._ending:
                raise StopAsked
            now = time.monotonic()
            if end is not None and now >= end:
                return False
            self._wait(self._pause(now, end, every), listen)
            self.reap()
            self._start_due()
        return True

    def _pause(self, now: float, end: float | None, every: float | None) -> float | None:
        """Seconds to sleep at most; None while only a signal can bring news."""
        moments = [child.due for child in self.children if child.due is not None]
        moments += [moment for moment in (end, None if every is None else now + every) if moment]
        return max(0.0, min(moments) - now) if moments else None

    def _wait(self, pause: float | None, listen: Iterable[int]) -> None:
        ready, _, _ = select.select([self._wake_read, *listen], [], [], pause)
        if self._wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)

    def reap(self) -> None:
        """Collect everything that has ended, adopted orphans included."""
        known = {child.process.pid: child for child in self.children if child.alive}
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            if (child := known.get(ended.si_pid)) is None:
                os.waitpid(ended.si_pid, 0)
                continue
            # What it had started must not run on beside its successor. Before the wait: as long
            # as it is not collected, nobody else can get its number.
            _kill_group(child.process.pid)
            child.process.wait()
            self._on_end(child)

    def _on_end(self, child: Child) -> None:
        if self._ending or not child.part.keep:
            return
        now = time.monotonic()
        child.crashes = 1 if now - child.started > 60 else child.crashes + 1
        pause = min(LONGEST_PAUSE, 0.5 * 2 ** min(child.crashes - 1, 10))
        child.due = now + pause
        how = how_ended(child.process.returncode)
        log = self.logs / f"{child.part.name}.log"
        self.say(f"{child.part.title} {how}; starting it again in {pause:g} s (see {log}).")

    def _start_due(self) -> None:
        for child in self.children:
            if child.due is None or child.due > time.monotonic() or self._ending:
                continue
            child.started, child.due = time.monotonic(), None
            try:
                child.process = self._spawn(child.part)
            except OSError as error:  # a full disk, for one: it may have room again later
                child.due = time.monotonic() + LONGEST_PAUSE
                self.say(f"{child.part.title} cannot be started ({error.strerror}).")

    def end(self, child: Child) -> None:
        """End one child: a polite signal, its grace, then SIGKILL to its whole group."""
        self.end_all([[child.part.name]])

    def end_all(self, order: list[list[str]]) -> None:
        """End the named parts, group after group; the members of a group end side by side."""
        for names in order:
            children = [child for child in self.children if child.part.name in names]
            self._end_together(children)
            self.children = [child for child in self.children if child not in children]

    def _end_together(self, children: list[Child]) -> None:
        for child in children:
            child.due, child.part = None, dataclasses.replace(child.part, keep=False)
            if child.alive:
                child.process.terminate()
        begun, asked = time.monotonic(), self._asked
        self._ending = True  # a second Ctrl-C shortens the wait instead of raising
        for child in sorted(children, key=lambda child: child.part.grace):
            left = begun + child.part.grace - time.monotonic()
            over = partial(self._ended_or_hurried, child, asked)
            self.look_after(over, seconds=max(0.0, left))
            if child.alive:
                _kill_group(child.process.pid)
                child.process.wait()
        self._ending = False

    def _ended_or_hurried(self, child: Child, asked: int) -> bool:
        return not child.alive or self._asked > asked

    def close(self) -> None:
        """End whatever is left of every child and its descendants, and collect it."""
        self._ending = True
        for child in self.children:
            if child.alive:
                _kill_group(child.process.pid)
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.look_after(lambda: not psutil.Process().children(), seconds=5, every=0.05)
        self.children = []
        signal.set_wakeup_fd(-1)
        os.close(self._wake_read)
        os.close(self._wake_write)


def how_ended(status: int) -> str:
    """A child's exit status in words."""
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"stopped with exit code {status}"


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)

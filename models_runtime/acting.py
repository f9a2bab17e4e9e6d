"""From where an act comes: set where it enters, read by the audit trail.

A page's request, a worker's task and a command each enter at one place; functions between that
place and ``audit.record`` need not hand it on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """``channel``: page, API, worker or command line. ``address`` and ``agent`` (a browser's
    family and its system, no version) are a person's, and kept for a while only."""

    channel: str
    address: str | None = None
    agent: str = ""


COMMAND_LINE = Place("command line")
WORKER = Place("worker")
_here: ContextVar[Callable[[], Place] | None] = ContextVar("acting_from", default=None)


def place() -> Place:
    """Where the running code was entered."""
    found = _here.get()
    return found() if found else COMMAND_LINE


@contextlib.contextmanager
def entered(find: Callable[[], Place]) -> Iterator[None]:
    """Acts come from there until the block ends. ``find`` is asked once there is an act: most
    requests are none."""
    token = _here.set(find)
    try:
        yield
    finally:
        _here.reset(token)


@contextlib.contextmanager
def at_work() -> Iterator[None]:
    """Acts are a worker's until the block ends."""
    with entered(lambda: WORKER):
        yield

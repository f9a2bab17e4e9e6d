"""Jobs that are killed wherever they happen to be, and started again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LONGEST_DELAY = 0.02  # seconds; a step of the tiny models takes about as long
PATIENCE = 120.0


class Starter(Protocol):
    """Starts attempts of jobs as processes; tests.training.nursery is one."""

    def start(self, folder: Path, attempt: int = 1) -> int: ...
    def has_ended(self, pid: int) -> bool: ...
    def wait(self, pid: int) -> int: ...


class Commands:
    """``python -m training.run DIR``, each from nothing."""

    def __init__(self) -> None:
        self.started: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, folder: Path, attempt: int = 1) -> int:
        with (folder / f"log-{attempt}.txt").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "training.run", str(folder)],
                env={**os.environ, "CONCORD_ATTEMPT": str(attempt)},
                stdout=log,
                stderr=log,
            )
        self.started[child.pid] = child
        return child.pid

    def has_ended(self, pid: int) -> bool:
        return self.started[pid].poll() is not None

    def wait(self, pid: int) -> int:
        return self.started.pop(pid).wait()


@dataclass(frozen=True)
class Moment:
    """So long after the metrics tell of this step: 0 is before any, while a run still reads its
    data, or samples."""

    step: int
    delay: float


def moments(steps: int, count: int, seed: int) -> list[Moment]:
    """Random ones of a run of so many steps, in their order; the last steps are left out, since
    nobody can kill what has ended."""
    draws = random.Random(seed)
    places = sorted(draws.randrange(steps - 3) for _ in range(count))
    return [Moment(place, draws.uniform(0.0, LONGEST_DELAY)) for place in places]


def killed_at(starter: Starter, folder: Path, when: list[Moment], last_starter: Starter) -> int:
    """Attempts that are killed, one at each moment, and one that is left alone; its number."""
    for attempt, moment in enumerate(when, start=1):
        pid = starter.start(folder, attempt)
        deadline = time.monotonic() + PATIENCE
        while _told(folder, attempt) < moment.step and time.monotonic() < deadline:
            if starter.has_ended(pid):
                break
            time.sleep(0.002)
        time.sleep(moment.delay)
        os.kill(pid, signal.SIGKILL)
        assert starter.wait(pid) == -signal.SIGKILL, f"{moment} came too late: see {folder}"
    last = len(when) + 1
    assert last_starter.wait(last_starter.start(folder, last)) == 0, (
        folder / f"log-{last}.txt"
    ).read_text()[-2000:]
    return last


def _told(folder: Path, attempt: int) -> int:
    """The last step in the attempt's metrics; 0 once it has begun, -1 before."""
    here = folder / f"attempt-{attempt}"
    try:
        *_, last, _ = ["", *(here / "metrics.jsonl").read_text(encoding="utf-8").split("\n")]
    except OSError:
        last = ""
    if last:
        return int(json.loads(last)["step"])
    return 0 if (here / "config.json").exists() else -1

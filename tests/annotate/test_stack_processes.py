"""How the launcher looks after its children. Each test drives a Supervisor in a process of its
own, since it takes over that process's signals."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.annotate.launching import ROOT, processes_of, wait_for

HEAD = """
import sys, time
from pathlib import Path
from annotate.processes import Part, StopAsked, Supervisor, cpu_seconds
logs = Path(sys.argv[1])
def say(line): print(line, flush=True)
def python(code, name="child", **more):
    return Part(name, "The child", [sys.executable, "-c", code, str(logs)], **more)
supervisor = Supervisor(logs, say)
def until_stopped(*order):
    try:
        supervisor.look_after()
    except StopAsked:
        supervisor.end_all([list(order)])
        supervisor.close()
        say("ended")
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


class Driver:
    """A process that runs HEAD and some lines, with the test's folder as its argument."""

    def __init__(self, folder: Path, code: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", HEAD + code, str(folder)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def children(self) -> list[psutil.Process]:
        own = self.process.pid
        return [process for process in processes_of(self.folder) if process.pid != own]

    def adopted(self, unlike: str) -> bool:
        """Whether one process is left, this one's child, whose code does not hold ``unlike``."""
        with contextlib.suppress(psutil.NoSuchProcess):
            left = [(one.ppid(), " ".join(one.cmdline())) for one in self.children()]
            return len(left) == 1 and left[0][0] == self.process.pid and unlike not in left[0][1]
        return False


Drive = Callable[[str], Driver]


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Drive]:
    drivers: list[Driver] = []

    def drive(code: str) -> Driver:
        drivers.append(Driver(tmp_path, code))
        return drivers[-1]

    yield drive
    for driver in drivers:
        driver.process.kill()
        driver.process.wait()
        for process in processes_of(tmp_path):
            process.kill()


def test_a_crashing_child_is_started_again_after_longer_and_longer_pauses(drive: Drive) -> None:
    driver = drive("supervisor.start(python('raise SystemExit(3)')); supervisor.look_after()")
    pauses = [driver.line().split("starting it again in ")[1].split(" s")[0] for _ in range(3)]
    assert pauses == ["0.5", "1", "2"]


def test_a_child_that_is_not_to_be_kept_stays_ended(drive: Drive) -> None:
    driver = drive(
        "child = supervisor.start(python('raise SystemExit(3)', keep=False))\n"
        "supervisor.look_after(lambda: not child.alive)\n"
        "say(child.process.returncode)\n"
        "say(supervisor.look_after(seconds=.7))"
    )
    assert [driver.line(), driver.line()] == ["3", "False"]


def test_a_child_that_will_not_end_is_killed_when_its_grace_is_over(drive: Drive) -> None:
    driver = drive(f"supervisor.start(python({STUBBORN!r}, grace=1)); until_stopped('child')")
    wait_for(driver.children)
    time.sleep(0.3)  # until it ignores the signal
    begun = time.monotonic()
    driver.process.send_signal(signal.SIGTERM)
    assert driver.line() == "ended"
    assert 0.9 < time.monotonic() - begun < 3
    assert driver.children() == []


def test_a_second_ctrl_c_does_not_wait_for_the_grace(drive: Drive) -> None:
    driver = drive(f"supervisor.start(python({STUBBORN!r}, grace=30)); until_stopped('child')")
    wait_for(driver.children)
    time.sleep(0.3)
    begun = time.monotonic()
    driver.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    driver.process.send_signal(signal.SIGINT)
    assert driver.line() == "ended"
    assert time.monotonic() - begun < 5


def test_ctrl_c_of_the_terminal_does_not_reach_the_children(drive: Drive) -> None:
    driver = drive("supervisor.start(python('import time; time.sleep(60)')); until_stopped()")
    wait_for(driver.children)
    (child,) = driver.children()
    assert os.getpgid(child.pid) == child.pid != os.getpgid(driver.process.pid)


GRANDCHILD = (
    "import subprocess, sys; subprocess.Popen("
    "[sys.executable, '-c', 'import time; time.sleep(60)', sys.argv[1]], start_new_session=True)"
)


def test_what_a_dead_child_had_started_elsewhere_ends_too(drive: Drive) -> None:
    driver = drive(f"supervisor.start(python({GRANDCHILD!r}, keep=False)); until_stopped('child')")
    wait_for(lambda: driver.adopted("start_new_session"))
    driver.process.send_signal(signal.SIGINT)
    assert driver.line() == "ended"
    assert driver.children() == []


def test_nothing_outlives_a_launcher_that_is_killed(drive: Drive) -> None:
    driver = drive(f"supervisor.start(python({STUBBORN!r})); supervisor.look_after()")
    wait_for(driver.children)
    driver.process.kill()
    driver.process.wait()
    wait_for(lambda: not driver.children(), seconds=3)


BUSY = "import time\nwhile time.process_time() < .5: pass"


def test_the_cpu_time_of_orphans_is_counted(drive: Drive) -> None:
    orphan = (
        "import subprocess, sys; subprocess.Popen("
        f"[sys.executable, '-c', {BUSY!r}, sys.argv[1]], start_new_session=True)"
    )
    driver = drive(
        "import psutil\n"
        "before = cpu_seconds()\n"
        f"supervisor.start(python({orphan!r}, keep=False))\n"
        "supervisor.look_after(lambda: not psutil.Process().children(), every=.1)\n"
        "say(cpu_seconds() - before)"
    )
    assert 0.5 <= float(driver.line()) < 1.5

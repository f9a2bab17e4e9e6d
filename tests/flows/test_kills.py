"""Sixteen raters at work over HTTP while the server is killed and started again: every answer
that was acknowledged is stored exactly once, and no comparison has more labels than it wants.

The checker is two sets: what raters were told (busy_raters), what the database holds (stored).
"""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from annotate.bench.place import ROOT, Place, WebServer
from tests.flows import databases
from tests.flows.busy_raters import BusyRater
from tests.flows.stored import Stored, rows

RATERS = 16
OVERLAP = 2
LEASE_SECONDS = 3  # an outage is longer now and then, so that late answers meet taken slots

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.long]


@dataclass
class Site:
    """An installation under fire, and an empty place to restore its backup to."""

    here: Place
    there: Place
    faults: tuple[str, ...]
    done: Counter[str] = field(default_factory=Counter)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    here, there = Place(tmp_path / "here"), Place(tmp_path / "there")
    with contextlib.ExitStack() as stack:
        faults = ("server", "server", "worker")
        if request.param == "postgres":
            databases.require_postgres()
            here.database = stack.enter_context(databases.new_database("here"))
            there.database = stack.enter_context(databases.new_database("there"))
            faults += ("database",)
        yield Site(here, there, faults)


def test_nothing_acknowledged_is_lost_or_doubled(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    survive(site, kills=8, comparisons=1200, seed=1, capsys=capsys)


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_over_hundreds_of_kills(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    survive(site, kills=200, comparisons=12_000, seed=2, capsys=capsys)


def survive(
    site: Site, *, kills: int, comparisons: int, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    site.here.prepare(
        comparisons=comparisons, raters=RATERS, overlap=OVERLAP, lease_seconds=LEASE_SECONDS
    )
    with at_work(site, seed) as (server, raters):
        backup = Backup(site, raters)
        for number in range(kills):
            if number == 1:  # the first kill fell into the signing in
                wait_until_all_are_in(raters)
            if number == kills // 2:
                backup.start()
            strike(site, server, raters, random.Random(f"{seed}/{number}"), backup)
        backup.join()
        rest(server, raters)
    with capsys.disabled():
        sys.stdout.write(f"\n{told(site, raters, time.monotonic() - begun)}\n")
    check(site.here, raters)
    if backup.possible:
        check_backup(site, backup, raters)


@contextlib.contextmanager
def at_work(site: Site, seed: int) -> Iterator[tuple[WebServer, list[BusyRater]]]:
    """The server up, the raters rating and over leases being swept, until the block ends."""
    server = WebServer(site.here)
    command = [sys.executable, "-m", "tests.flows.sweeper"]
    sweeper = subprocess.Popen(command, cwd=ROOT, env=site.here.environ)
    tolerates = (500,) if "database" in site.faults else ()
    raters = [BusyRater(server.port, number, seed, tolerates) for number in range(RATERS)]
    try:
        server.start()
        for rater in raters:
            rater.start()
        yield server, raters
    finally:
        for rater in raters:
            rater.stop()
        server.close()
        sweeper.kill()
        sweeper.wait()


def strike(
    site: Site, server: WebServer, raters: list[BusyRater], draw: random.Random, backup: Backup
) -> None:
    """One fault at a random moment: mostly while answers come in, at times during the start."""
    if draw.random() < 0.8 and all(rater.is_in.is_set() for rater in raters):
        wait_for_answers(raters)
        time.sleep(draw.uniform(0, 1.0))
    else:
        time.sleep(draw.uniform(0, 1.5))
    fault = draw.choice(site.faults)
    if fault == "database" and backup.is_alive():
        fault = "server"  # it would end the backup's own connection
    if fault == "database":
        databases.end_connections(site.here.database)
    elif fault == "server" or not server.kill_a_worker():
        server.kill()
        server.start()
    site.done[fault] += 1


def wait_for_answers(raters: list[BusyRater], seconds: float = 60.0) -> None:
    """Until somebody's answer is acknowledged, or all trouble is over with."""
    before, end = acknowledged(raters), time.monotonic() + seconds
    while acknowledged(raters) == before:
        assert not [rater.trouble for rater in raters if rater.trouble]
        assert time.monotonic() < end, "No answer was acknowledged any more."
        time.sleep(0.02)


def wait_until_all_are_in(raters: list[BusyRater], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    for rater in raters:
        while not rater.is_in.wait(0.5):
            assert rater.trouble is None
            assert time.monotonic() < end, f"{rater.http.username} could not sign in."


def rest(server: WebServer, raters: list[BusyRater]) -> None:
    """Let everybody finish what they have in hand."""
    server.wait_until_up()
    for rater in raters:
        rater.stop()
    for rater in raters:
        rater.join(timeout=60)
        assert not rater.is_alive(), f"{rater.http.username} does not come to an end."


class Backup(threading.Thread):
    """A backup while all this goes on; ``before``: what had been acknowledged when it began."""

    def __init__(self, site: Site, raters: list[BusyRater]) -> None:
        super().__init__(daemon=True)
        self.site, self.raters = site, raters
        self.file = site.here.data.with_name("backup.tar")
        self.before: set[str] = set()
        self.possible = not site.here.database or shutil.which("pg_dump") is not None

    def run(self) -> None:
        self.before = {key for rater in self.raters for key in list(rater.acknowledged)}
        if self.possible:
            self.site.here.manage("backup", str(self.file))


def check(place: Place, raters: list[BusyRater]) -> None:
    assert [rater.trouble for rater in raters if rater.trouble] == []
    assert [said for rater in raters for said in rater.refused] == []
    stored = Stored.of(place)
    assert stored.missing(key for rater in raters for key in rater.acknowledged) == set()
    assert stored.invented(key for rater in raters for key in rater.attempted) == set()
    assert stored.doubled() == set()
    assert stored.faults == []


def check_backup(site: Site, backup: Backup, raters: list[BusyRater]) -> None:
    """It restores whole: all that was acknowledged when it began, and nothing that never was."""
    site.there.manage("restore", str(backup.file))
    restored, now = Stored.of(site.there), Stored.of(site.here)
    assert backup.before
    assert restored.missing(backup.before) == set()
    assert restored.answers.keys() <= now.answers.keys()
    assert restored.doubled() == set()
    assert restored.faults == []
    if not site.there.database:
        assert rows(site.there, "PRAGMA integrity_check") == [("ok",)]
        assert rows(site.there, "PRAGMA foreign_key_check") == []


def acknowledged(raters: list[BusyRater]) -> int:
    return sum(len(rater.acknowledged) for rater in raters)


def told(site: Site, raters: list[BusyRater], seconds: float) -> str:
    """The run in figures."""
    stored = Stored.of(site.here)
    kind = "PostgreSQL" if site.here.database else "SQLite"
    sent = {key for rater in raters for key in rater.attempted}
    known = {key for rater in raters for key in rater.acknowledged}
    kills = ", ".join(f"{count} {name}" for name, count in sorted(site.done.items()))
    counts = {
        "lost connections": sum(rater.lost for rater in raters),
        "answers sent": len(sent),
        "acknowledged": len(known),
        "stored": len(stored.answers),
        "missing": len(stored.missing(known)),
        "doubled": len(stored.doubled()),
        "late": stored.late,
        "withdrawn": stored.withdrawn,
        "skips": sum(rater.skipped for rater in raters),
        "tabs closed": sum(rater.abandoned for rater in raters),
        "wrong counters": len(stored.faults),
    }
    figures = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{kind}: {sum(site.done.values())} kills ({kills}) in {seconds:.0f} s; {figures}"

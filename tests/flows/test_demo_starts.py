"""`make demo` on an empty folder, stopped in the middle of sampling and started again."""

from __future__ import annotations

import re
import sqlite3
import stat
from pathlib import Path

import pytest

from tests.annotate.launching import Launcher, launched, processes_of, wait_for

pytestmark = [pytest.mark.long, pytest.mark.redis, pytest.mark.xdist_group("stack")]


def test_from_nothing_to_a_comparison_with_a_stop_in_between(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with launched(data, "demo") as first:
        first.wait_until_ready()
        wait_for(lambda: re.search(r"Sampling: \d+ of \d+", first.said()))
        assert first.interrupt() == 0
        assert processes_of(data) == []
        assert _jobs(data) == [("sample", "queued", 1)]  # handed back, not left to time out
        assert "Stopping." in first.said()
        told = _logins(first)
    assert sorted(told) == ["lead", "rater1", "rater2", "researcher"]
    assert stat.S_IMODE((data / "logins.txt").stat().st_mode) == 0o600

    with launched(data, "demo", name="second") as second:
        second.wait_until_ready()
        assert _logins(second) == told
        wait_for(lambda: "The first comparison came after" in second.said(), seconds=120)
        assert _jobs(data) == [("sample", "succeeded", 2)]
        assert second.status_of("/sign-in/") == 200
        assert second.interrupt() == 0
    assert processes_of(data) == []


def _logins(launcher: Launcher) -> dict[str, str]:
    return dict(re.findall(r"^(lead|researcher|rater\d) +(\S+)$", launcher.said(), re.MULTILINE))


def _jobs(data: Path) -> list[tuple[str, str, int]]:
    with sqlite3.connect(data / "concord.sqlite3") as database:
        return database.execute("SELECT kind, state, attempt FROM models_runtime_job").fetchall()

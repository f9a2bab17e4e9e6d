"""manage.py run_loop outside a running stack: the launcher comes first, and all is handed on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import manage
from annotate import stack
from tests.annotate.launching import ROOT, environment


def run_loop(data: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """From a folder that is not the checkout, as any command of manage.py may be."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "run_loop", *arguments],
        cwd=data.parent,
        env=environment(data, **environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_needs_no_secret_key_since_the_launcher_makes_one(tmp_path: Path) -> None:
    """The launcher is reached: it is what knows ports."""
    done = run_loop(tmp_path / "data", "--report", "figures.json", PORT="http")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "PORT is http, and a port is a number from 1 to 65535.\n"
    assert (tmp_path / "data" / "secret_key").exists()


@pytest.mark.long
@pytest.mark.redis
@pytest.mark.xdist_group("stack")
def test_what_cannot_run_is_refused_by_the_command_in_its_stack(tmp_path: Path) -> None:
    done = run_loop(tmp_path / "data", "--policy", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert f"There is no model folder at {tmp_path / 'nowhere'}." in done.stderr


def test_the_loop_is_told_of_a_model_of_ones_own() -> None:
    options = stack.options_from(["loop", "--seed", "7", "--policy", "FOLDER"])
    assert options.of_the_loop == ["--seed", "7", "--policy", "FOLDER"]
    assert stack.options_from(["loop", "--seed", "7"]).of_the_loop == ["--seed", "7"]


@pytest.mark.parametrize("told", [["--report", "figures.json"], ["--report=figures.json"]])
def test_the_report_is_written_where_the_command_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    found = manage._from_here(["--seed", "7", *told])
    assert found == ["--seed", "7", "--report", str(tmp_path / "figures.json")]

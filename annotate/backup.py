"""Backup and restore: the database in one snapshot, then the artefacts it names, in one tar file.

The order makes it consistent while in use: what rows name is only ever added to the artefacts, so
whatever the copied database names is there when they are read afterwards. The manifest is written
last; a file without one is not a backup.

    database.sqlite3 | database.dump    by SQLite's online backup | by pg_dump (one transaction)
    artifacts/KEY/...                   checkpoints and snapshots, when the store is a folder
    jobs/JOB/...                        what finished jobs left that is not yet an artefact
    secrets/...                         only when asked for
    manifest.json                       {"v", "kind", "made_at", "files": {name: sha256}, ...}
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from annotate.data_folder import DISK_FULL
from models_runtime import artifacts, attempts, handover
from models_runtime.jobdir import fsync_folder
from models_runtime.models import Job

VERSION = 1
MANIFEST = "manifest.json"
SQLITE_NAME = "database.sqlite3"
POSTGRES_NAME = "database.dump"
SECRETS = ("secret_key", "logins.txt")
# A session's key signs its owner in: whoever finds a backup must not find those.
SESSIONS = "django_session"
# What the launcher may have put into a folder that is still empty.
NOT_STATE = ("logs", "run", "secret_key")
DRAFT = ".restoring"


class CannotBackUp(Exception):
    """Why there is no backup, in one sentence."""


class CannotRestore(Exception):
    """Why nothing was restored, in one sentence."""


@dataclasses.dataclass(frozen=True)
class Counts:
    files: int
    bytes: int
    remote_artifacts: str  # the store's address when its contents are not in the file


class _Archive:
    """A tar file being written, with the sha256 of every member."""

    def __init__(self, handle: IO[bytes]) -> None:
        self.tar = tarfile.TarFile(fileobj=handle, mode="w", format=tarfile.PAX_FORMAT)
        self.files: dict[str, str] = {}
        self.bytes = 0

    def add(self, path: Path, name: str) -> None:
        """Add a file as it is now; one that grows meanwhile is cut at its present length."""
        with path.open("rb") as handle:
            member = tarfile.TarInfo(name)
            status = os.fstat(handle.fileno())
            member.size, member.mtime = status.st_size, int(status.st_mtime)
            member.mode = status.st_mode & 0o755
            reader = _Hashing(handle)
            self.tar.addfile(member, reader)
        self.files[name] = reader.digest.hexdigest()
        self.bytes += member.size

    def add_folder(self, folder: Path, name: str, but: str = "") -> None:
        """Add what is below folder, without the folder ``but`` at its top."""
        for path in settled_files(folder, but):
            with contextlib.suppress(FileNotFoundError):  # deleted on purpose since it was listed
                self.add(path, f"{name}/{path.relative_to(folder).as_posix()}")

    def close(self, facts: dict[str, Any]) -> None:
        text = json.dumps({**facts, "files": self.files}, sort_keys=True, indent=1).encode()
        member = tarfile.TarInfo(MANIFEST)
        member.size, member.mode = len(text), 0o600
        self.tar.addfile(member, io.BytesIO(text))
        self.tar.close()


def settled_files(folder: Path, but: str = "") -> Iterator[Path]:
    """The ordinary files below folder but those still being written, whose own name or folder
    starts with a dot until they are whole, and those below its subfolder ``but``. Folders may
    come and go meanwhile."""
    for where, folders, names in os.walk(folder, onerror=_unless_gone):
        left_out = {but} if Path(where) == folder else set()
        folders[:] = sorted(name for name in {*folders} - left_out if not name.startswith("."))
        paths = [Path(where, name) for name in sorted(names) if not name.startswith(".")]
        yield from (path for path in paths if path.is_file() and not path.is_symlink())


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


class _Hashing(io.RawIOBase):
    """Reads through to a file and hashes what went by."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self.source.read(size)
        self.digest.update(block)
        return block


def write(out: Path, *, secrets: bool = False) -> Counts:
    """Write a backup to ``out``, which appears when it is whole. Raises CannotBackUp."""
    if out.exists():
        raise CannotBackUp(f"{out} exists already: choose another name.")
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            counts = _write(_Archive(handle), out.parent, secrets)
            handle.flush()
            os.fsync(handle.fileno())
        draft.rename(out)
        fsync_folder(out.parent)
    except OSError as error:
        raise CannotBackUp(f"{out}: {_told(error)}.") from None
    finally:
        draft.unlink(missing_ok=True)
    return counts


def _told(error: OSError) -> str:
    if error.errno in DISK_FULL:
        return "the disk is full; free some space, then start again"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)


def _write(archive: _Archive, scratch: Path, secrets: bool) -> Counts:
    with tempfile.TemporaryDirectory(prefix=".concord-backup-", dir=scratch) as folder:
        copy = copy_database(Path(folder))
        archive.add(copy, copy.name)
    store = artifacts.local_root()
    if store is not None and store.is_dir():
        archive.add_folder(store, "artifacts", but=handover.HOME)  # of unfinished jobs
    for folder_of_job in finished_jobs():
        archive.add_folder(folder_of_job, f"jobs/{folder_of_job.relative_to(_jobs())}")
    for name in SECRETS if secrets else ():
        if (path := Path(settings.DATA_DIR, name)).is_file():
            archive.add(path, f"secrets/{name}")
    remote = "" if store is not None else artifacts.root()
    archive.close(_facts(remote))
    return Counts(len(archive.files), archive.bytes, remote)


def _facts(remote: str) -> dict[str, Any]:
    applied = MigrationLoader(connection).applied_migrations or {}
    return {
        "v": VERSION,
        "kind": connection.vendor,
        "made_at": timezone.now().isoformat(),
        "migrations": sorted(f"{app}.{name}" for app, name in applied),
        "remote_artifacts": remote,
    }


def _jobs() -> Path:
    return Path(settings.JOBS_DIR).resolve()


def finished_jobs() -> Iterator[Path]:
    """The output folders of succeeded jobs: the loop may not have taken them in yet.

    Unfinished jobs are left out: after a restore they start again from their rows.
    """
    for row in Job.objects.filter(state="succeeded").exclude(dir="").order_by("id"):
        output = attempts.attempt_folder(row).resolve() / "output"
        if output.is_relative_to(_jobs()) and output.is_dir():
            yield output


def copy_database(folder: Path) -> Path:
    """One consistent copy of the database in ``folder``, without sessions."""
    if connection.vendor == "sqlite":
        return _copy_sqlite(folder / SQLITE_NAME)
    return _dump_postgres(folder / POSTGRES_NAME)


def _copy_sqlite(target: Path) -> Path:
    """The online backup API in a single step: a reader, which in WAL mode blocks no writer."""
    name = connection.settings_dict["NAME"]
    with (
        contextlib.closing(sqlite3.connect(name, timeout=60)) as source,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode=DELETE")
        copy.execute("PRAGMA secure_delete=ON")
        copy.execute(f"DELETE FROM {SESSIONS}")
        copy.commit()
    return target


def _dump_postgres(target: Path) -> Path:
    arguments = ["--format=custom", f"--exclude-table-data={SESSIONS}", "--no-owner", "--no-acl"]
    problem = _run_postgres("pg_dump", [*arguments, f"--file={target}"])
    if problem:
        raise CannotBackUp(problem)
    return target


def _run_postgres(program: str, arguments: list[str]) -> str:
    """Run a PostgreSQL program on our database; what went wrong, or nothing."""
    row = connection.settings_dict
    options = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    environment = {name: str(row[key]) for name, key in options.items() if row.get(key)}
    if shutil.which(program) is None:
        return f"{program} is not on PATH: install PostgreSQL's client programs."
    done = subprocess.run(
        [program, *arguments, f"--dbname={row['NAME']}"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    first = next(iter(done.stderr.strip().splitlines()), "it gave no reason")
    return f"{program} failed: {first.removeprefix(f'{program}: ').rstrip('.')}."


def read(file: Path) -> dict[str, Any]:
    """Restore ``file`` into the configured, empty data folder and database; its manifest.

    Everything is unpacked aside and checked against its sha256 before anything is put in place.
    Raises CannotRestore, and then leaves the folder as it was.
    """
    data = Path(settings.DATA_DIR)
    refuse_non_empty(data)
    draft = data / DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    try:
        manifest = unpack(file, draft)
        _refuse_unfit(manifest)
        _restore_database(draft)
        _put_in_place(draft, data)
    except OSError as error:
        raise CannotRestore(f"{file} could not be restored: {_told(error)}.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def refuse_non_empty(data: Path) -> None:
    """Raise CannotRestore unless the data folder and the database hold nothing."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = sorted(path.name for path in data.iterdir() if path.name not in (*NOT_STATE, DRAFT))
    if found:
        raise CannotRestore(
            f"{data} is not empty (it holds {found[0]}): set CONCORD_DATA to an empty folder."
        )
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite" and Path(name).exists():
        raise CannotRestore(f"The database {name} exists already: set DATABASE_URL to a new one.")
    if connection.vendor == "postgresql" and connection.introspection.table_names():
        raise CannotRestore(f"The database {name} is not empty: set DATABASE_URL to an empty one.")


def unpack(file: Path, target: Path) -> dict[str, Any]:
    """Unpack a backup and check every file against the manifest. Raises CannotRestore."""
    target.mkdir()
    try:
        with tarfile.open(file, "r:") as tar:
            found = {member.name: _unpack(tar, member, target) for member in tar}
        manifest: dict[str, Any] = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
    except (tarfile.TarError, FileNotFoundError, ValueError) as error:
        if not file.exists():
            raise CannotRestore(f"There is no file {file}.") from None
        raise CannotRestore(f"{file} is not a whole backup ({error}).") from None
    found.pop(MANIFEST)
    for name in sorted(manifest["files"].keys() ^ found.keys()):
        raise CannotRestore(f"{file} is damaged: {name} is missing or does not belong to it.")
    for name, sha256 in sorted(manifest["files"].items()):
        if found[name] != sha256:
            raise CannotRestore(f"{file} is damaged: {name} has another sha256 than it should.")
    return manifest


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> str:
    """Unpack one ordinary file below target; its sha256."""
    parts = PurePosixPath(member.name).parts
    if not member.isreg() or not parts or parts[0] == "/" or ".." in parts:
        raise tarfile.TarError(f"{member.name} is no ordinary file of a backup")
    source = tar.extractfile(member)
    assert source is not None
    path = target.joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    reader = _Hashing(source)
    with path.open("xb") as handle:
        while block := reader.read(1 << 20):
            handle.write(block)
        handle.flush()
        os.fchmod(handle.fileno(), 0o600 if parts[0] == "secrets" else member.mode & 0o755)
        os.fsync(handle.fileno())
    return reader.digest.hexdigest()


def _refuse_unfit(manifest: dict[str, Any]) -> None:
    if manifest["v"] != VERSION:
        raise CannotRestore(f"The backup is of version {manifest['v']}, and this is {VERSION}.")
    if manifest["kind"] != connection.vendor:
        raise CannotRestore(
            f"The backup is of a {manifest['kind']} database and DATABASE_URL names "
            f"a {connection.vendor} one."
        )
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations or {}}
    if newer := sorted(set(manifest["migrations"]) - known):
        raise CannotRestore(
            f"The backup was made by a newer Concord (it has {newer[-1]}): use that one."
        )


def _restore_database(draft: Path) -> None:
    if connection.vendor == "postgresql":
        arguments = ["--no-owner", "--no-acl", "--exit-on-error", "--single-transaction"]
        if problem := _run_postgres("pg_restore", [*arguments, str(draft / POSTGRES_NAME)]):
            raise CannotRestore(problem)
        return
    with contextlib.closing(sqlite3.connect(draft / SQLITE_NAME)) as copy:
        whole = copy.execute("PRAGMA integrity_check").fetchone()[0]
        dangling = copy.execute("PRAGMA foreign_key_check").fetchone()
    if whole != "ok" or dangling:
        raise CannotRestore(f"The database in the backup is damaged ({dangling or whole}).")


def _put_in_place(draft: Path, data: Path) -> None:
    """Move what was unpacked to where it belongs; the database last, so that it finds the rest."""
    store = artifacts.local_root() or data / "artifacts"
    places = {
        draft / "jobs": _jobs(),
        draft / "artifacts": store,
        **{draft / "secrets" / name: data / name for name in SECRETS},
        draft / SQLITE_NAME: Path(connection.settings_dict["NAME"]),
    }
    for source, place in places.items():
        if not source.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir() and any(place.iterdir()):
            raise CannotRestore(f"{place} is not empty: set it to an empty folder.")
        shutil.move(source, place) if not place.is_dir() else os.replace(source, place)
        fsync_folder(place.parent)

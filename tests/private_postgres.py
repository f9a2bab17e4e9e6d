"""A PostgreSQL cluster of the tests' own: in a temporary folder, on a free port, durable."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.private_redis import free_port

USER = "concord"


def bin_folder() -> Path | None:
    """Where initdb and pg_ctl are: on PATH, or where Debian puts them."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """A server's address, postgres://USER@HOST:PORT. Skips the test where there is none."""
    programs = bin_folder()
    if programs is None:
        pytest.skip("no PostgreSQL server on this machine")
    folder = Path(tempfile.mkdtemp(prefix="concord-postgres-"))
    as_user = _not_as_root(folder)
    port = free_port()
    data = folder / "data"
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    _call([*as_user, str(programs / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-N"])
    control = [*as_user, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    _call([*control, "-o", options, "-l", str(folder / "log"), "start"])
    try:
        yield f"postgres://{USER}@127.0.0.1:{port}"
    finally:
        _call([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder, ignore_errors=True)


def make_database(address: str, name: str) -> str:
    """A new, empty database on the server; its address."""
    programs = bin_folder()
    assert programs is not None
    _call([str(programs / "createdb"), f"--maintenance-db={address}/postgres", name])
    return f"{address}/{name}"


def _not_as_root(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: become the user that its package made."""
    if os.geteuid() != 0:
        return []
    if shutil.which("runuser") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no runuser here")
    owner = "postgres" if _exists("postgres") else "nobody"
    shutil.chown(folder, owner)
    return ["runuser", "-u", owner, "--"]


def _exists(user: str) -> bool:
    return subprocess.run(["id", user], capture_output=True, check=False).returncode == 0


def _call(command: list[str]) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"

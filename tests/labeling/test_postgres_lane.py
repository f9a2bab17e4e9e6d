"""The lane that repeats the tests marked ``any_database`` on a PostgreSQL server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVER = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432")


def _why_not() -> str:
    """Empty when the server answers, else a sentence."""
    try:
        psycopg.connect(f"{SERVER}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError as error:
        first = str(error).splitlines()[0]
        return f"no PostgreSQL server: {first} (TEST_POSTGRES_URL names another one)"
    return ""


@pytest.mark.postgres
@pytest.mark.long
def test_what_is_marked_any_database_passes_on_postgresql() -> None:
    if reason := _why_not():
        pytest.skip(reason)
    command = [sys.executable, "-m", "pytest", "-m", "any_database", "-p", "no:xdist", "-q"]
    ended = subprocess.run(
        [*command, "tests/labeling", "tests/training/test_run_again.py"],
        cwd=ROOT,
        env={**_environment(), "DATABASE_URL": f"{SERVER}/concord_{os.getpid()}"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]


def _environment() -> dict[str, str]:
    """This process's, but for what makes pytest take itself for one of xdist's workers."""
    return {name: value for name, value in os.environ.items() if "PYTEST" not in name}

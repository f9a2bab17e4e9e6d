"""Databases of the tests' own on a real PostgreSQL server, dropped when the test is over."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

SERVER = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432")


def require_postgres() -> None:
    """Skip the test, saying why, where no server answers."""
    try:
        psycopg.connect(f"{SERVER}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError as error:
        first = str(error).splitlines()[0]
        pytest.skip(f"no PostgreSQL server: {first} (TEST_POSTGRES_URL names another one)")


@contextmanager
def new_database(purpose: str) -> Iterator[str]:
    """The address of an empty database."""
    name = f"concord_{purpose}_{uuid.uuid4().hex[:12]}"
    _run(f'CREATE DATABASE "{name}"')
    try:
        yield f"{SERVER}/{name}"
    finally:
        _run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def end_connections(address: str) -> int:
    """End every server process that works on a database, as a crash of theirs would; how many."""
    name = address.rsplit("/", 1)[1]
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        return len(connection.execute(query, (name,)).fetchall())


def _run(command: str) -> None:
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(command.encode())

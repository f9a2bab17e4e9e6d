"""System checks of what the promise to keep every label rests on."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.db import connection

from annotate import private_redis
from annotate.management.commands import prepare
from models_runtime import append_only
from tests import private_postgres
from tests.annotate.launching import environment, wait_for

REDIS_IDS = ("concord.E004", "concord.E005", "concord.W005")


def found(*, redis: bool = False) -> list[CheckMessage]:
    """Our own messages about the database, or about Redis."""
    ours = [m for m in run_checks(databases=["default"]) if str(m.id).startswith("concord.")]
    return [message for message in ours if (message.id in REDIS_IDS) == redis]


@pytest.mark.django_db
def test_the_tests_own_database_is_durable_and_guarded() -> None:
    assert found() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("sqlite" not in str(connection.vendor), reason="a setting of SQLite")
def test_sqlite_that_acknowledges_before_it_syncs() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=NORMAL")
    try:
        assert [message.id for message in found()] == ["concord.E001"]
    finally:
        connection.close()  # the next one has the settings again


@pytest.mark.django_db
def test_a_table_that_lost_its_trigger() -> None:
    name = append_only.trigger_names(connection, "labeling_label")[0]
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TRIGGER "{name}"')  # rolled back with the test
    (message,) = found()
    assert message.id == "concord.E003"
    assert f"lacks the trigger {name}." in message.msg


@pytest.mark.postgres
def test_postgresql_that_acknowledges_before_it_syncs(tmp_path: Path) -> None:
    with private_postgres.cluster() as address:
        database = private_postgres.make_database(address, "careless")
        done = subprocess.run(
            ["psql", database, "-c", "ALTER DATABASE careless SET synchronous_commit = off"],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0
        told = _check(tmp_path, DATABASE_URL=database)
    assert "(concord.E002) PostgreSQL runs with synchronous_commit off" in told


def _check(data: Path, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--database", "default"],
        env=environment(data, SECRET_KEY="for-the-tests-only", **environ),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[str]:
    """A Redis that drops what it has accepted; its address."""
    port = private_redis.free_port()
    program = private_redis.find_server()
    process = subprocess.Popen(
        [str(program), "--port", str(port), "--save", "", "--maxmemory-policy", "allkeys-lru"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    wait_for(lambda: _listens(port), seconds=10)
    yield f"redis://127.0.0.1:{port}/0"
    process.kill()
    process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.redis
@pytest.mark.django_db
def test_a_redis_that_would_drop_tasks(settings: Any, redis_server: str) -> None:
    settings.REDIS_URL = redis_server
    assert [message.id for message in found(redis=True)] == ["concord.E004"]


@pytest.mark.django_db
def test_a_redis_that_does_not_answer_is_a_warning_without_its_password(settings: Any) -> None:
    port = private_redis.free_port()
    settings.REDIS_URL = f"redis://:a-password@127.0.0.1:{port}/0"
    (message,) = found(redis=True)
    assert (message.id, message.is_serious()) == ("concord.W005", False)
    assert f"127.0.0.1:{port}" in message.msg
    assert "a-password" not in message.msg


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", ["a-password", "http://:a-password@127.0.0.1/", "redis://:a-password@127.0.0.1:x/0"]
)
def test_an_address_that_names_no_redis_is_an_error_without_its_password(
    settings: Any, address: str
) -> None:
    settings.REDIS_URL = address
    (message,) = found(redis=True)
    assert (message.id, message.is_serious()) == ("concord.E005", True)
    assert "redis://:PASSWORD@HOST:6379/0" in message.msg
    assert "a-password" not in message.msg


@pytest.mark.django_db
def test_a_start_says_that_redis_does_not_answer(settings: Any) -> None:
    """In the log alone it would be seen by nobody, and jobs would wait without a word."""
    port = private_redis.free_port()
    settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
    said = StringIO()
    prepare.Command(stdout=said, stderr=StringIO())._check(deploy=False)
    assert said.getvalue() == (
        f"Redis at 127.0.0.1:{port} does not answer (ConnectionError): rating goes on, sampling "
        "and training wait.\n"
    )

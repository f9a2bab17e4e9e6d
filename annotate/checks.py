"""What must hold for the promise that an acknowledged label is kept, looked at on every start.

Run by `manage.py check --database default` and by the launcher; none of it in an ordinary
command, since all of it asks a server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import redis
from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from models_runtime import append_only

SQLITE_FULL = 2  # the least PRAGMA synchronous that syncs every commit in WAL mode
POSTGRES_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


@register(Tags.database)
def durable_database(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """concord.E001 (SQLite), concord.E002 (PostgreSQL): a commit is on disk when it returns."""
    messages: list[CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        by_vendor = {"sqlite": _durable_sqlite, "postgresql": _durable_postgres}
        if look := by_vendor.get(connection.vendor):
            messages += look(connection)
    return messages


def _durable_sqlite(connection: BaseDatabaseWrapper) -> list[CheckMessage]:
    journal = str(_one(connection, "PRAGMA journal_mode"))
    synchronous = int(_one(connection, "PRAGMA synchronous"))
    in_memory = journal == "memory"  # a test's database promises nothing
    if in_memory or (journal == "wal" and synchronous >= SQLITE_FULL):
        return []
    return [
        Error(
            f"SQLite runs with journal_mode={journal} and synchronous={synchronous}: a label "
            "could be acknowledged and lost.",
            hint="Use journal_mode=WAL and synchronous=FULL, on a disk that supports WAL "
            "(not a network folder).",
            id="concord.E001",
        )
    ]


def _durable_postgres(connection: BaseDatabaseWrapper) -> list[CheckMessage]:
    off = [name for name in POSTGRES_DURABLE if _one(connection, f"SHOW {name}") == "off"]
    if not off:
        return []
    return [
        Error(
            f"PostgreSQL runs with {', '.join(off)} off: a label could be acknowledged and lost.",
            hint="Switch them on for this database.",
            id="concord.E002",
        )
    ]


@register(Tags.database)
def append_only_tables(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """concord.E003: the triggers that refuse to change or delete a label are in place."""
    messages: list[CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        there = connection.introspection.table_names()
        tables = [table for table in _append_only_tables() if table in there]
        if missing := append_only.missing(connection, tables):
            messages.append(_unguarded(missing))
    return messages


def _append_only_tables() -> list[str]:
    return [apps.get_model(label)._meta.db_table for label in append_only.MODELS]


def _unguarded(missing: list[str]) -> CheckMessage:
    return Error(
        "Append-only tables can be changed: the database lacks the trigger"
        f"{'s' if len(missing) > 1 else ''} {', '.join(missing)}.",
        hint="A rebuilt table loses its triggers: apply the migrations, and repeat the AppendOnly "
        "operation after a migration that alters such a table.",
        id="concord.E003",
    )


@register(Tags.database)
def redis_keeps_tasks(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """concord.E004: Redis would evict accepted tasks. concord.E005: REDIS_URL is no address.
    concord.W005: Redis does not answer."""
    if not databases:  # an ordinary command has no use for a broker
        return []
    try:
        where = urlsplit(settings.REDIS_URL)
        place = f"{where.hostname}:{where.port or 6379}"
        client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2, retry=None
        )
    except ValueError:  # not in its words: they may hold the password
        return [
            Error(
                "REDIS_URL names no Redis: write it as redis://:PASSWORD@HOST:6379/0, or "
                "rediss:// with TLS.",
                id="concord.E005",
            )
        ]
    try:
        policy = str(client.info("memory").get("maxmemory_policy", "unknown"))
    except redis.RedisError as error:
        return [
            Warning(
                f"Redis at {place} does not answer ({type(error).__name__}): rating goes on, "
                "sampling and training wait.",
                id="concord.W005",
            )
        ]
    finally:
        client.close()
    if policy in ("noeviction", "unknown"):
        return []
    return [
        Error(
            f"Redis at {place} runs with maxmemory-policy {policy}: it would drop accepted tasks "
            "without a word.",
            hint="Set maxmemory-policy noeviction.",
            id="concord.E004",
        )
    ]


def _one(connection: BaseDatabaseWrapper, query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]

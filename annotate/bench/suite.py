"""All benchmarks by name. Each works in a temporary folder on databases of its own."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg

from annotate.bench import answering, lead_pages, pages, tensors
from annotate.bench.place import Failed, Place
from annotate.bench.results import Measured

POSTGRES = "postgres://postgres@127.0.0.1:5432"


def benchmarks(folder: Path) -> dict[str, Callable[[], Iterator[Measured]]]:
    """What there is to run, in order. Raises nothing yet: a benchmark that cannot run raises
    Failed when it is asked for its figures."""
    return {
        "pages": partial(pages.measure, folder),
        "lead-pages": partial(lead_pages.measure, folder),
        "answer-sqlite": partial(answering.measure, folder, "", "sqlite"),
        "answer-postgres": partial(_answer_postgres, folder),
        **{name: partial(tensors.measure, Place(folder), name) for name in tensors.PROGRAMS},
    }


def _answer_postgres(folder: Path) -> Iterator[Measured]:
    """On the server that TEST_POSTGRES_URL names, in databases that are dropped afterwards."""
    server = os.environ.get("TEST_POSTGRES_URL", POSTGRES)
    prefix = f"concord_bench_{uuid.uuid4().hex[:8]}_"
    names = [f"{prefix}{size}" for size in (answering.FEW, answering.MANY)]
    try:
        connection = psycopg.connect(f"{server}/postgres", autocommit=True, connect_timeout=2)
    except psycopg.OperationalError as error:
        first = str(error).splitlines()[0]
        raise Failed(f"no PostgreSQL server: {first}") from None
    with connection, contextlib.ExitStack() as stack:
        for name in names:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
            drop = f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'
            stack.callback(connection.execute, drop.encode())
        yield from answering.measure(folder, f"{server}/{prefix}{{size}}", "postgres")

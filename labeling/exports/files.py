"""Rows to a file that appears whole or not at all: JSON lines or Parquet, by its suffix."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

Row = dict[str, Any]
ROWS_IN_GROUP = 1000
# What a column of a format's columns() may hold, as Parquet types.
TYPES = {
    "messages": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
    "texts": pa.list_(pa.string()),
    "text": pa.string(),
    "whole": pa.int64(),
    "wholes": pa.list_(pa.int64()),
    "number": pa.float64(),
    "flag": pa.bool_(),
}


class Empty(ValueError):
    """There was no row; no file was written."""


def write(rows: Iterable[Row], columns: dict[str, str], path: Path) -> int:
    """Write rows with these columns (name: one of TYPES); how many.

    Memory stays flat. Raises ValueError for another suffix than .jsonl and .parquet, Empty when
    there is no row; an older file stays then, and when anything fails.
    """
    writers: dict[str, Callable[[Iterable[Row], dict[str, str], Path], int]] = {
        ".jsonl": _write_jsonl,
        ".parquet": _write_parquet,
    }
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise ValueError(f"{path.name} must end in {' or '.join(writers)}.")
    with _replacing(path) as temporary:
        count = writer(rows, columns, temporary)
        if not count:
            raise Empty("There are no rows.")
    return count


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_jsonl(rows: Iterable[Row], columns: dict[str, str], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as out:
        for row in rows:
            ordered = {name: row[name] for name in columns}
            out.write(json.dumps(ordered, ensure_ascii=False) + "\n")
            count += 1
    return count


def _write_parquet(rows: Iterable[Row], columns: dict[str, str], path: Path) -> int:
    schema = pa.schema([(name, TYPES[kind]) for name, kind in columns.items()])
    source, count = iter(rows), 0
    with parquet.ParquetWriter(path, schema) as writer:
        while group := list(islice(source, ROWS_IN_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count

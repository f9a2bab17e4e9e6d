"""Prompt files, one module per format: rows(path), EXAMPLE. Pure.

``rows`` yields (line number, the row as data) as it reads; a line that cannot be read comes as a
Fault in the row's place. ``shapes`` says which keys or columns mean what, for every format.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from models_runtime.phrases import phrase

IMPORTS = {".jsonl": "labeling.imports.jsonl", ".csv": "labeling.imports.csv"}
MAX_LINE_BYTES = 1_000_000


@dataclass(frozen=True)
class Fault:
    """Why a line cannot be read or used, as a sentence. ``last``: reading stopped there."""

    sentence: str
    last: bool = False


Row = tuple[int, dict[str, Any] | Fault]


def load(path: Path) -> ModuleType:
    """The module for a file, by its suffix. Raises ValueError naming the suffixes there are."""
    name = IMPORTS.get(path.suffix.lower())
    if name is None:
        known = " or ".join(sorted(IMPORTS))
        raise ValueError(
            phrase(
                "%(name)s is not a prompt file: its name must end in %(known)s.",
                name=path.name,
                known=known,
            )
        )
    return import_module(name)


def lines(path: Path) -> Iterator[tuple[int, str | Fault]]:
    """(line number, text) with one line in memory at a time, whatever its length.

    Line ends of Windows, and the byte-order mark some programs put first, are taken off.
    """
    with path.open("rb") as handle:
        number = 0
        while raw := handle.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(raw) > MAX_LINE_BYTES:
                while raw and not raw.endswith(b"\n"):
                    raw = handle.readline(MAX_LINE_BYTES)
                yield (
                    number,
                    Fault(phrase("The line is longer than %(most)s bytes.", most=MAX_LINE_BYTES)),
                )
                continue
            yield number, _decoded(raw, first=number == 1)


def _decoded(raw: bytes, *, first: bool) -> str | Fault:
    try:
        return raw.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        return Fault(phrase("The line is not UTF-8 text (byte %(place)s).", place=error.start + 1))

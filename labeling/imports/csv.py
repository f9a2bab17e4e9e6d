"""Comma-, semicolon- or tab-separated values with a header line. A cell may hold line ends when
it is quoted; the line number of a row is that of its last line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labeling.imports import Fault, Row, lines
from models_runtime.phrases import phrase

EXAMPLE = """\
id,prompt,category,tags,language
q1,Why is the sky blue?,science,"physics, short",en
q2,"Explain ""entropy"".",science,physics,en
"""
# The module's limit is global; this one is set to what a line may hold at most.
MAX_CELL = 200_000


class _Unreadable(Exception):
    """Carries the Fault of a line out of the csv reader, which cannot go on after it."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.number, self.fault = number, fault


def rows(path: Path) -> Iterator[Row]:
    """Reading stops at a line that cannot be decoded or a quote that is never closed, since
    where the next row begins is then unknown."""
    csv.field_size_limit(MAX_CELL)
    source = _texts(path)
    try:
        header = next(source, "")
        reader = csv.reader(_with(header, source), delimiter=_delimiter(header), strict=True)
        yield from _read(reader)
    except _Unreadable as unreadable:
        yield unreadable.number, Fault(unreadable.fault.sentence, last=True)


def _read(reader: Any) -> Iterator[Row]:
    names: list[str] = []
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield (
                reader.line_num,
                Fault(phrase("This is not CSV: %(error)s.", error=error), last=True),
            )
            return
        if not names:
            names = [name.strip().lower() for name in cells]
            if fault := _header_fault(names):
                yield reader.line_num, fault
                return
        elif any(cell.strip() for cell in cells):
            yield reader.line_num, _row(names, cells)


def _row(names: list[str], cells: list[str]) -> dict[str, Any] | Fault:
    if len(cells) != len(names):
        return Fault(
            phrase(
                "The row has %(cells)s cells, but the header names %(names)s.",
                cells=len(cells),
                names=len(names),
            )
        )
    return {name: cell for name, cell in zip(names, cells, strict=True) if cell.strip()}


def _header_fault(names: list[str]) -> Fault | None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        return Fault(
            phrase(
                "The header names %(twice)s twice.", twice=twice[0] or phrase("an empty column")
            ),
            last=True,
        )
    if not {"prompt", "instruction"} & set(names):
        return Fault(phrase("The header names no column prompt or instruction."), last=True)
    return None


def _texts(path: Path) -> Iterator[str]:
    for number, text in lines(path):
        if isinstance(text, Fault):
            raise _Unreadable(number, text)
        yield text


def _with(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def _delimiter(header: str) -> str:
    """The separator that the header line has most of; the comma when it has none."""
    return max(",;\t", key=header.count)

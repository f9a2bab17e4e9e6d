"""Standing queries: read by every answer, their SQL written once by each connection.

Django writes a query's SQL anew each time that it is asked, which costs the web server more than
the database takes to answer it: of what an answer with the next card costs, about a fifth. What is
asked here is an ordinary queryset, built once with stand-ins for its values.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import QuerySet
from django.db.models.query import get_related_populators

Row = TypeVar("Row", bound=models.Model)
Value = int | uuid.UUID
_populators: Any = get_related_populators  # Django's own, of its next version in the stubs
_FIRST = 7_100_000_000_000_001  # stand-ins, which no query holds by itself


@dataclass(frozen=True)
class _Written:
    """The SQL, its parameters with the names of values in their places, and how to read rows."""

    sql: str
    params: tuple[Any, ...]
    places: dict[int, str]
    model: type[models.Model]
    columns: slice
    names: list[str]
    related: list[Any]
    added: dict[str, int]
    converters: list[tuple[int, Any, Any]]


class Standing(Generic[Row]):
    """``build`` gives the queryset for values by name; ``values`` are their types. Values are
    compared with, never asked for as None; slices are part of the query."""

    def __init__(self, build: Callable[..., QuerySet[Row, Any]], **values: type[Value]) -> None:
        self.build = build
        self.values = values

    def rows(self, **values: Value) -> list[Row]:
        """What the queryset gives for these values. Raises TypeError for others than it takes."""
        if values.keys() != self.values.keys():
            raise TypeError(f"this query takes {', '.join(self.values)}")
        connection = connections[DEFAULT_DB_ALIAS]
        written = self._written(connection)
        params = list(written.params)
        for place, name in written.places.items():
            params[place] = _prepared(values[name], connection)
        with connection.cursor() as cursor:
            cursor.execute(written.sql, params)
            found = cursor.fetchall()
        return [self._row(list(row), written, connection) for row in found]

    def _row(self, row: list[Any], written: _Written, connection: Any) -> Row:
        """What ModelIterable does with a row."""
        for place, converters, expression in written.converters:
            for convert in converters:
                row[place] = convert(row[place], expression, connection)
        made: Any = written.model.from_db(connection.alias, written.names, row[written.columns])
        for related in written.related:
            related.populate(row, made)
        for name, place in written.added.items():
            setattr(made, name, row[place])
        return made

    def _written(self, connection: Any) -> _Written:
        """Kept with the connection, which is its thread's alone."""
        kept: dict[Standing[Any], _Written] = connection.__dict__.setdefault("_standing", {})
        if self not in kept:
            kept[self] = self._write(connection)
        return kept[self]

    def _write(self, connection: Any) -> _Written:
        like: dict[str, Value] = {
            name: _FIRST + number if kind is int else uuid.UUID(int=_FIRST + number)
            for number, (name, kind) in enumerate(self.values.items())
        }
        compiler: Any = self.build(**like).query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        names = {_prepared(value, connection): name for name, value in like.items()}
        places = {place: names[value] for place, value in enumerate(params) if value in names}
        if set(places.values()) != set(like):
            raise TypeError("a value is not in the query as it was given")
        info = compiler.klass_info
        fields = info["select_fields"]
        columns = slice(fields[0], fields[-1] + 1)
        return _Written(
            sql,
            tuple(params),
            places,
            info["model"],
            columns,
            [column[0].target.attname for column in compiler.select[columns]],
            _populators(info, compiler.select, connection.alias),
            compiler.annotation_col_map or {},
            [
                (place, converters, expression)
                for place, (converters, expression) in compiler.get_converters(
                    [column[0] for column in compiler.select]
                ).items()
            ],
        )


def _prepared(value: Value, connection: Any) -> Any:
    """As the back end compares it: SQLite keeps a UUID as its 32 digits."""
    if isinstance(value, uuid.UUID):
        return models.UUIDField().get_db_prep_value(value, connection)
    return value

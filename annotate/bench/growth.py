"""Copies a scene's comparisons a hundredfold, with what was answered, by one statement a table:
a million of them take minutes to insert one by one, and the database a good minute by itself.

The copies show the completions of their originals. They stand beside them in the queue, so that
whoever answered one is met by all of its copies.
"""

from __future__ import annotations

from django.core.management.color import no_style
from django.db import connection, models, transaction

from labeling.models import (
    Assignment,
    Campaign,
    Comparison,
    ComparisonCompletion,
    Iteration,
    Label,
    Seat,
)

# A copy's moment: its original's, and n steps of so many seconds more.
_LATER = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', t.{column}, '+' || (n.n * {step}) || ' seconds')",
    "postgresql": "t.{column} + n.n * {step} * interval '1 second'",
}
_MOMENTS = ("created_at", "submitted_at", "leased_at", "leased_until")
_RANDOM_UUID = {
    "sqlite": "lower(hex(randomblob(16)))",
    "postgresql": "gen_random_uuid()",
}
# Columns that a copy has of its own: in braces the highest id of a table.
_OWN: dict[type[models.Model], dict[str, str]] = {
    Comparison: {"id": "t.id + n.n * {comparison}"},
    ComparisonCompletion: {
        "id": "t.id + n.n * {comparisoncompletion}",
        "comparison_id": "t.comparison_id + n.n * {comparison}",
    },
    Assignment: {
        "id": "t.id + n.n * {assignment}",
        "comparison_id": "t.comparison_id + n.n * {comparison}",
        "public_id": "{uuid}",
    },
    Label: {
        "id": "t.id + n.n * {label}",
        "comparison_id": "t.comparison_id + n.n * {comparison}",
        "assignment_id": "t.assignment_id + n.n * {assignment}",
        "public_id": "{uuid}",
        "idempotency_key": "{uuid}",
    },
}


def grow(campaign: Campaign, times: int, days: int = 0) -> None:
    """Make ``times`` as many comparisons of the only campaign there is, each copy's labels given
    after those of the copy before; all within so many days."""
    highest = {_name(model): _highest_id(model) for model in _OWN}
    with transaction.atomic():
        for model, own in _OWN.items():
            _copy(model, own, highest, times - 1, 86_400 * days / times)
        for rows in (Seat.objects.all(), Iteration.objects.filter(campaign=campaign)):
            counter = "answered" if rows.model is Seat else "labels_people"
            rows.update(**{counter: models.F(counter) * times})
        _let_ids_go_on()


def _copy(
    model: type[models.Model],
    own: dict[str, str],
    highest: dict[str, int],
    copies: int,
    step: float,
) -> None:
    uuid = _RANDOM_UUID[connection.vendor]
    columns = [str(field.column) for field in model._meta.local_concrete_fields]
    if step and model in (Assignment, Label):
        later = _LATER[connection.vendor]
        moved = {column: later.format(column=column, step=step) for column in _MOMENTS}
        own = {**moved, **own}
    values = [own.get(column, f't."{column}"').format(uuid=uuid, **highest) for column in columns]
    quoted = ", ".join(f'"{column}"' for column in columns)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {copies}) "
            f"INSERT INTO {table} ({quoted}) SELECT {', '.join(values)} "
            f"FROM n, (SELECT * FROM {table} WHERE id <= {highest[_name(model)]}) t"
        )


def _name(model: type[models.Model]) -> str:
    return str(model._meta.model_name)


def _highest_id(model: type[models.Model]) -> int:
    newest: int = model._default_manager.aggregate(highest=models.Max("pk"))["highest"]
    return newest


def _let_ids_go_on() -> None:
    """The database's counters know nothing of ids that were given; and its planner nothing of
    how many rows there are now, where it wants to be told."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(_OWN)):
            cursor.execute(statement)
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")

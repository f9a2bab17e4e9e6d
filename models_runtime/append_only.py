"""Tables whose rows are written once: triggers refuse UPDATE, DELETE, TRUNCATE and REPLACE.

``AppendOnly("label")`` is a migration operation. SQLite drops a table's triggers whenever Django
rebuilds the table, so every later migration that alters such a model ends with the operation
again (tests/labeling/test_append_only.py says when one forgets); ``missing`` is for a system
check.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations.base import Operation

PREFIX = "concord_append_only"
# Django's label of every append-only model; the tables are protected by their own migrations.
MODELS = (
    "labeling.label",
    "labeling.consentgiven",
    "labeling.guidelinesconfirmed",
    "labeling.payrate",
    "labeling.payrollperiod",
    "labeling.payrollline",
    "models_runtime.auditevent",
)


class AppendOnly(Operation):
    """Protect a model's table. Repeating it changes nothing."""

    reversible = True

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__qualname__, [self.model_name], {}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The models are the same; only the database knows."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        connection = schema_editor.connection
        for statement in [*drop_sql(connection, model), *create_sql(connection, model)]:
            schema_editor.execute(statement, params=None)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        for statement in drop_sql(schema_editor.connection, model):
            schema_editor.execute(statement, params=None)

    def describe(self) -> str:
        return f"Refuse changes to rows of {self.model_name}"


def create_sql(connection: BaseDatabaseWrapper, model: type[models.Model]) -> list[str]:
    """Statements that protect the model's table."""
    return (_postgresql if connection.vendor == "postgresql" else _sqlite)(model)


def drop_sql(connection: BaseDatabaseWrapper, model: type[models.Model]) -> list[str]:
    """Statements that lift the protection (for a migration backwards and the tests' flush)."""
    table = model._meta.db_table
    on = f' ON "{table}"' if connection.vendor == "postgresql" else ""
    return [f'DROP TRIGGER IF EXISTS "{name}"{on}' for name in trigger_names(connection, table)]


def trigger_names(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    last = "truncate" if connection.vendor == "postgresql" else "replace"
    return [f"{PREFIX}_{table}_{verb}" for verb in ("update", "delete", last)]


def missing(connection: BaseDatabaseWrapper, tables: list[str]) -> list[str]:
    """The triggers that tables should have and have not, in this database."""
    query = (
        "SELECT tgname FROM pg_trigger"
        if connection.vendor == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        present = {name for (name,) in cursor.fetchall()}
    wanted = [name for table in tables for name in trigger_names(connection, table)]
    return [name for name in wanted if name not in present]


def _sqlite(model: type[models.Model]) -> list[str]:
    table = model._meta.db_table
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    return [
        f'CREATE TRIGGER "{PREFIX}_{table}_update" BEFORE UPDATE ON "{table}" {refuse}',
        f'CREATE TRIGGER "{PREFIX}_{table}_delete" BEFORE DELETE ON "{table}" {refuse}',
        # INSERT OR REPLACE deletes without firing the trigger above.
        f'CREATE TRIGGER "{PREFIX}_{table}_replace" BEFORE INSERT ON "{table}" '
        f'WHEN EXISTS (SELECT 1 FROM "{table}" WHERE {_collides(model)}) {refuse}',
    ]


def _collides(model: type[models.Model]) -> str:
    """That a row with one of the new row's unique values is there already."""
    columns = {field.name: field.column for field in model._meta.local_fields}
    sets = [[field.column] for field in model._meta.local_fields if field.unique]
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and constraint.fields:
            sets.append([columns[name] for name in constraint.fields])
    return " OR ".join(
        "(" + " AND ".join(f'"{column}" = NEW."{column}"' for column in together) + ")"
        for together in sets
    )


def _postgresql(model: type[models.Model]) -> list[str]:
    table = model._meta.db_table
    function = f"{PREFIX}_refuse"
    return [
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME "
        "USING ERRCODE = 'integrity_constraint_violation'; END $$",
        *(
            f'CREATE TRIGGER "{PREFIX}_{table}_{verb}" BEFORE {verb.upper()} ON "{table}" '
            f"FOR EACH {level} EXECUTE FUNCTION {function}()"
            for verb, level in (("update", "ROW"), ("delete", "ROW"), ("truncate", "STATEMENT"))
        ),
    ]

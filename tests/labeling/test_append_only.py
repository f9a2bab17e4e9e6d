"""The record cannot be rewritten, not even by code of ours that forgets."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

from labeling import labels, leases
from labeling.models import Label
from models_runtime import append_only, audit
from models_runtime.append_only import AppendOnly
from models_runtime.models import AuditEvent
from tests.factories import Cast, open_comparisons

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def rows(cast: Cast) -> dict[str, Any]:
    open_comparisons(cast.campaign, 1)
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    label = labels.record_label(
        assignment=card,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
    )
    return {"label": label, "event": audit.record(verb="tried", obj=label)}


@pytest.mark.parametrize("name", ["label", "event"])
@pytest.mark.parametrize(
    "act",
    [
        lambda row: type(row).objects.filter(pk=row.pk).update(id=row.pk),
        lambda row: type(row).objects.filter(pk=row.pk).delete(),
        lambda row: row.save(),
        lambda row: type(row).objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["id"], update_fields=[_any_field(row)]
        ),
    ],
    ids=["update", "delete", "save", "upsert"],
)
def test_a_row_is_neither_changed_nor_removed(
    rows: dict[str, Any], name: str, act: Callable[[Any], object]
) -> None:
    row = rows[name]
    before = type(row).objects.filter(pk=row.pk).values().get()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        act(row)
    assert type(row).objects.filter(pk=row.pk).values().get() == before


@pytest.mark.skipif(connection.vendor != "sqlite", reason="REPLACE is SQLite's")
@pytest.mark.parametrize("column", ["id", "public_id", "rater_id, idempotency_key"])
def test_sqlites_replace_does_not_go_round_it(rows: dict[str, Any], column: str) -> None:
    """OR REPLACE deletes the row it collides with, by any unique value, firing no DELETE."""
    names = [field.column for field in Label._meta.local_fields]
    fresh = {"id": "999", "public_id": "'x'", "idempotency_key": "'y'"}
    kept = {name: name for name in names}
    kept |= {name: value for name, value in fresh.items() if name not in column.split(", ")}
    columns, values = ", ".join(f'"{n}"' for n in kept), ", ".join(map(_quoted, kept.values()))
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            f"INSERT OR REPLACE INTO labeling_label ({columns}) "
            f"SELECT {values} FROM labeling_label"
        )
    assert Label.objects.get() == rows["label"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="TRUNCATE is PostgreSQL's")
@pytest.mark.django_db(transaction=True)  # PostgreSQL truncates no table with checks to come
@pytest.mark.parametrize("table", ["labeling_label", "models_runtime_auditevent"])
def test_a_table_cannot_be_truncated(rows: dict[str, Any], table: str) -> None:
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"TRUNCATE {table} CASCADE")
    assert (Label.objects.count(), AuditEvent.objects.count()) == (1, 1)


def test_a_label_with_a_used_key_is_refused_as_a_duplicate(rows: dict[str, Any]) -> None:
    label = rows["label"]
    label.pk = label.public_id = None
    label.public_id = uuid.uuid4()
    label._state.adding = True
    with pytest.raises(IntegrityError), transaction.atomic():
        label.save(force_insert=True)


def test_every_trigger_is_there_and_a_missing_one_is_named() -> None:
    tables = [apps.get_model(name)._meta.db_table for name in append_only.MODELS]
    assert append_only.missing(connection, tables) == []
    drop = append_only.drop_sql(connection, Label)
    with connection.cursor() as cursor:
        cursor.execute(drop[0])
    assert append_only.missing(connection, tables) == ["concord_append_only_labeling_label_update"]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite rebuilds tables")
@pytest.mark.django_db(transaction=True)
def test_a_rebuilt_table_is_protected_again_by_the_operation() -> None:
    """SQLite rebuilds the table for an altered field, and the triggers go with the old one."""
    state = MigrationLoader(connection).project_state()
    with connection.schema_editor() as editor:
        editor._remake_table(Label)
        assert len(append_only.missing(connection, ["labeling_label"])) == 3
        AppendOnly("label").database_forwards("labeling", editor, state, state)
    assert append_only.missing(connection, ["labeling_label"]) == []


@pytest.mark.django_db(transaction=True)
def test_the_operation_can_be_taken_back_and_repeated() -> None:
    state = MigrationLoader(connection).project_state()
    operation, table = AppendOnly("label"), "labeling_label"
    with connection.schema_editor() as editor:
        operation.database_backwards("labeling", editor, state, state)
    assert len(append_only.missing(connection, [table])) == 3
    for _ in range(2):
        with connection.schema_editor() as editor:
            operation.database_forwards("labeling", editor, state, state)
    assert append_only.missing(connection, [table]) == []


@pytest.mark.parametrize("label", append_only.MODELS)
def test_every_migration_that_alters_such_a_model_ends_with_the_operation(label: str) -> None:
    app, model = label.split(".")
    loader = MigrationLoader(connection)
    plan = loader.graph.forwards_plan(loader.graph.leaf_nodes(app)[0])
    touching = [
        [op for op in loader.get_migration(*node).operations if _touches(op, model)]
        for node in plan
        if node[0] == app
    ]
    last = [operations[-1] for operations in touching if operations]
    protected = [isinstance(operation, AppendOnly) for operation in last]
    assert True in protected, f"no migration protects {label}"
    since = protected[protected.index(True) :]
    assert all(since), f"{label} is altered without AppendOnly({model!r}) at the end"


def _any_field(row: models.Model) -> str:
    return "layout" if isinstance(row, Label) else "verb"


def _quoted(value: str) -> str:
    return value if value.startswith("'") or value.isdigit() else f'"{value}"'


def _touches(operation: Operation, model: str) -> bool:
    named = getattr(operation, "model_name", None) or getattr(operation, "name", "")
    return str(named).lower() == model

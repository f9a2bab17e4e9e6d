"""Lets the test suite, and nothing else, empty the append-only tables between tests.

Tests that need real transactions end with a flush, which the triggers would refuse. The flush's
own statements are put between dropping and creating them again, in its one transaction.
"""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db.backends.base.operations import BaseDatabaseOperations

from models_runtime import append_only


def install(patch: pytest.MonkeyPatch) -> None:
    flush = BaseDatabaseOperations.execute_sql_flush

    def lifted(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        protected = [apps.get_model(label) for label in append_only.MODELS]
        drop = [s for model in protected for s in append_only.drop_sql(self.connection, model)]
        create = [s for model in protected for s in append_only.create_sql(self.connection, model)]
        flush(self, [*drop, *sql_list, *create])

    patch.setattr(BaseDatabaseOperations, "execute_sql_flush", lifted)

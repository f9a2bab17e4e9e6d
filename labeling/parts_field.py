"""A question's parts as a column that keeps their order.

Raters answer the parts in order, and "the best" is what an earlier one says. PostgreSQL's jsonb
sorts the keys of an object, so each part is stored with its place, and read back without it.
"""

from __future__ import annotations

from typing import Any

from django.db import models

PLACE = "place"


class PartsField(models.JSONField):
    """``{KEY: part_config}``, in the order in which it was saved."""

    def get_prep_value(self, value: Any) -> Any:
        if not _is_parts(value):
            return super().get_prep_value(value)
        numbered = enumerate(value.items())
        return super().get_prep_value({key: {**part, PLACE: n} for n, (key, part) in numbered})

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        found = super().from_db_value(value, expression, connection)
        if not _is_parts(found):
            return found
        ordered = sorted(found.items(), key=lambda entry: entry[1].get(PLACE, 0))
        return {key: _without_place(part) for key, part in ordered}


def _is_parts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(part, dict) for part in value.values())


def _without_place(part: dict[str, Any]) -> dict[str, Any]:
    return {name: setting for name, setting in part.items() if name != PLACE}

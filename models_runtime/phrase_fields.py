"""Columns of sentences that are said in the reader's language: a phrase comes back as a phrase"""

from __future__ import annotations

from typing import Any

from django.db import models

from models_runtime.phrases import restored, stored


class _Said(models.Field):
    """A string that is no phrase, as older rows hold, is stored and read as it is. Migrations see
    the ordinary column, of which it differs in nothing but what is written there."""

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(stored(value) if isinstance(value, str) else value)

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return restored(value) if value else value

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, f"django.db.models.{self.get_internal_type()}", args, kwargs


class SaidTextField(_Said, models.TextField):
    """A sentence of any length."""


class SaidCharField(_Said, models.CharField):
    """A sentence that ``phrases.within`` cut to the column's length."""

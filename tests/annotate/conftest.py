"""Pages without collected static files, and without the cost of a real password hash."""

from __future__ import annotations

from typing import Any

import pytest

from tests.annotate import acts


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}


@pytest.fixture(autouse=True)
def every_act_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    acts.watch(monkeypatch)

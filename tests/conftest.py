"""The environment every test runs in; set before Django or torch is imported."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

if TYPE_CHECKING:
    from tests.factories import Cast

# Here and not in pyproject.toml: pytest-django would load the settings before these lines run.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
os.environ.setdefault("SECRET_KEY", "for-the-tests-only")
if not os.environ.get("CONCORD_DATA"):
    os.environ["CONCORD_DATA"] = tempfile.mkdtemp(prefix="concord-tests-")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # playwright's loop beside the ORM

Path(os.environ["CONCORD_DATA"], "static").mkdir(parents=True, exist_ok=True)

assert settings.DATABASES  # loads them, so that pytest-django sets Django up before collecting


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
) -> None:
    """SQLite's test database is a file, as in production: an in-memory one shared by threads has
    neither WAL nor waiting for locks."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        name = Path(tempfile.mkdtemp(prefix="concord-test-db-"), "test.sqlite3")
        database.setdefault("TEST", {})["NAME"] = str(name)


@pytest.fixture(scope="session", autouse=True)
def _flush_may_empty_append_only_tables() -> Iterator[None]:
    from tests import append_only_flush

    with pytest.MonkeyPatch.context() as patch:
        append_only_flush.install(patch)
        yield


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the static files as they are served: the scripts joined, beside each file a
    copy under the name that holds its sum, and both packed."""
    from django.core.management import call_command
    from django.test import override_settings

    folder = tmp_path_factory.mktemp("static")
    storages = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "annotate.static_files.StaticFiles"},
    }
    with override_settings(STATIC_ROOT=folder, STORAGES=storages):
        call_command("collectstatic", interactive=False, verbosity=0)
    return folder


@pytest.fixture
def cast(db: Any) -> Cast:
    """Two raters, a lead, a researcher and an outsider, with an open campaign."""
    from tests.factories import make_cast

    return make_cast()

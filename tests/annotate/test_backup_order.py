"""Whatever the copied database names is in the same backup."""

from __future__ import annotations

import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from annotate import backup
from models_runtime import artifacts
from models_runtime.models import Job
from tests import factories

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="copies the tests' own SQLite file"),
]


@pytest.fixture(autouse=True)
def _own_folders(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()
    settings.JOBS_DIR = tmp_path / "jobs"


def test_what_arrives_just_before_the_database_is_copied_is_in_it_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = backup.copy_database

    def copy_after_a_registration(folder: Path) -> Path:
        _register(tmp_path, "just-in-time")
        _succeed(tmp_path, "sample-late")
        return copy(folder)

    monkeypatch.setattr(backup, "copy_database", copy_after_a_registration)
    file = tmp_path / "backup.tar"
    backup.write(file)
    with tarfile.open(file) as tar:
        names = tar.getnames()
        tar.extract("database.sqlite3", tmp_path, filter="data")
    with sqlite3.connect(tmp_path / "database.sqlite3") as database:
        rows = database.execute("SELECT uri FROM models_runtime_checkpoint").fetchall()
    assert rows == [("store:just-in-time",)]
    assert "artifacts/just-in-time/model.safetensors" in names
    assert "jobs/sample-late/attempt-1/output/completions.jsonl" in names


def test_the_progress_of_unfinished_jobs_is_left_out(tmp_path: Path) -> None:
    _register(tmp_path, "whole")
    for place in ("progress/train-1/attempt-1/checkpoints/step-2", "whole/progress"):
        (tmp_path / "artifacts" / place).mkdir(parents=True)
        (tmp_path / "artifacts" / place / "state.pt").touch()
    file = tmp_path / "backup.tar"
    backup.write(file)
    with tarfile.open(file) as tar:
        names = [name for name in tar.getnames() if name.endswith("state.pt")]
    assert names == ["artifacts/whole/progress/state.pt"]


def test_what_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    _register(tmp_path, "whole")
    draft = tmp_path / "artifacts" / ".half.123"
    draft.mkdir()
    (draft / "model.safetensors").touch()
    file = tmp_path / "backup.tar"
    backup.write(file)
    with tarfile.open(file) as tar:
        assert [name for name in tar.getnames() if "half" in name] == []


def _register(tmp_path: Path, key: str) -> None:
    folder = tmp_path / f"made-{key}"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    uri, manifest = artifacts.put_folder(folder, key)
    factories.CheckpointFactory(uri=uri, manifest=manifest)


def _succeed(tmp_path: Path, name: str) -> None:
    output = tmp_path / "jobs" / name / "attempt-1" / "output"
    output.mkdir(parents=True)
    (output / "completions.jsonl").write_text("{}\n", encoding="utf-8")
    project = factories.ProjectFactory()
    Job.objects.create(project=project, kind="sample", state="succeeded", attempt=1, dir=name)

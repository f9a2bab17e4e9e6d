"""What the tests of jobs share. Django's models are imported inside the fixtures: pytest reads
this file before Django is set up."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.models_runtime.processes import Redis, Workers, redis_program

if TYPE_CHECKING:
    from models_runtime.models import Job, Project

COUNTING = ("-m", "tests.models_runtime.children", "{dir}")


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of job that counts, and no waiting where production waits."""
    from models_runtime import attempts, jobs

    monkeypatch.setitem(jobs.KINDS, "count", COUNTING)
    monkeypatch.setitem(jobs.ROW_CALLS, "count", "tests.models_runtime.children.count_in_rows")
    monkeypatch.setattr(attempts, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(jobs, "CONFIRM_SECONDS", 0.3)


@pytest.fixture
def store(settings: Any, tmp_path: Path) -> None:
    """Job directories and artefacts in a folder of the test's own."""
    settings.JOBS_DIR = tmp_path / "jobs"
    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()
    settings.DATA_DIR = tmp_path


@pytest.fixture
def project(db: None) -> Project:
    from models_runtime.models import Project

    return Project.objects.create(slug="p", name="P")


@pytest.fixture
def submit(project: Project, counting: None, store: None) -> Callable[..., Job]:
    """submit(steps=3, ...): a counting job."""
    from models_runtime import jobs

    def submit(*, queue: str = "gpu", **config: Any) -> Job:
        return jobs.submit(
            project=project, kind="count", config={"steps": 3, **config}, queue=queue
        )

    return submit


@pytest.fixture
def workers(
    settings: Any, transactional_db: None, counting: None, store: None
) -> Iterator[Workers]:
    found = Workers(settings)
    yield found
    found.end()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    if redis_program() is None:
        pytest.skip("no redis-server or valkey-server on this machine")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Redis(port, tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)

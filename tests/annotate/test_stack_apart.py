"""Web server and workers started apart, as on several machines, over one database and Redis."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate import private_redis
from tests.annotate.launching import launched, processes_of, run

pytestmark = [pytest.mark.redis, pytest.mark.xdist_group("stack"), pytest.mark.long]


@pytest.fixture
def redis_address(tmp_path: Path) -> Iterator[str]:
    port = private_redis.free_port()
    command = [str(private_redis.find_server()), "--port", str(port), "--save", ""]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    yield f"redis://127.0.0.1:{port}/0"
    process.kill()
    process.wait()


def test_each_machine_runs_its_parts_and_one_migrates(tmp_path: Path, redis_address: str) -> None:
    data = tmp_path / "data"
    shared = {"ALLOWED_HOSTS": "127.0.0.1", "REDIS_URL": redis_address}
    with (
        launched(data, "serve", "--only", "gpu", name="gpu", **shared) as workers,
        launched(data, "serve", "--only", "web,beat", name="web", **shared) as web,
    ):
        web.wait_until_ready()
        workers.wait_until_ready()
        assert web.status_of("/healthz") == 200
        assert [len(web.children(part)) for part in ("gunicorn", " beat -s", " worker -Q")] == [
            1,
            1,
            0,
        ]
        assert len(workers.children("worker -Q gpu")) == 1
        assert "migrations)" not in workers.said()
        again = run(data, "serve", "--only", "gpu", **shared)
        assert again.stderr.startswith(f"Concord (process {workers.process.pid}) is already")
        assert (workers.interrupt(), web.interrupt()) == (0, 0)
    assert processes_of(data) == []

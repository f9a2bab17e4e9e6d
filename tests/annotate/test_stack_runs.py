"""The launcher starts everything, restarts what dies, and leaves nothing behind."""

from __future__ import annotations

import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.annotate.launching import Launcher, launched, processes_of, run, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.xdist_group("stack")]
PARTS = ("gunicorn", "worker -Q default", "worker -Q gpu", " beat -s", "manage.py talk", "-server")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    data = tmp_path_factory.mktemp("stack") / "data"
    with launched(data, "serve", ALLOWED_HOSTS="127.0.0.1") as launcher:
        launcher.wait_until_ready()
        yield launcher


def test_every_part_runs_and_the_page_is_served(stack: Launcher) -> None:
    assert stack.status_of("/healthz") == 200
    assert {words for words in PARTS if stack.child(words).is_running()} == set(PARTS)


def test_a_first_administrator_is_made_with_a_password_shown_once(stack: Launcher) -> None:
    assert "First administrator: admin" in stack.said()
    assert stack.said().count("Password, shown this once: ") == 1


def test_what_is_private_is_private(stack: Launcher) -> None:
    modes = {
        name: stat.S_IMODE((stack.data / name).stat().st_mode)
        for name in (".", "secret_key", "redis/redis.conf")
    }
    assert modes == {".": 0o700, "secret_key": 0o600, "redis/redis.conf": 0o600}


def test_the_password_of_the_private_redis_is_on_no_command_line(stack: Launcher) -> None:
    conf = (stack.data / "redis/redis.conf").read_text(encoding="utf-8")
    password = conf.split("requirepass ")[1].split()[0]
    shown = [word for process in processes_of(stack.data) for word in process.cmdline()]
    assert not [word for word in shown if password in word]


def test_a_second_launcher_on_the_folder_is_refused_in_one_sentence(stack: Launcher) -> None:
    second = run(stack.data, "serve", ALLOWED_HOSTS="127.0.0.1", PORT="0")
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == (
        f"Concord (process {stack.process.pid}) is already running on {stack.data}: "
        "stop it first, or set CONCORD_DATA to another folder.\n"
    )


def test_a_port_in_use_is_one_sentence(stack: Launcher, tmp_path: Path) -> None:
    second = run(tmp_path / "other", "demo", PORT=str(stack.port))
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == (
        f"Port {stack.port} on 127.0.0.1 cannot be used (Address already in use): "
        "choose another, as in PORT=8080 make demo.\n"
    )


@pytest.mark.parametrize(
    ("words", "title"), [("gunicorn", "The web server"), ("-server", "Redis")]
)
def test_a_part_that_is_killed_comes_back(stack: Launcher, words: str, title: str) -> None:
    before = stack.child(words)
    before.kill()
    wait_for(lambda: f"{title} was ended by SIGKILL; starting it again" in stack.said())
    wait_for(lambda: stack.children(words))
    assert stack.child(words).pid != before.pid
    assert stack.status_of("/healthz") == 200  # waits for the web server, is never refused


def test_ctrl_c_ends_all_of_it_and_the_next_start_takes_seconds(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with launched(data, "serve", ALLOWED_HOSTS="127.0.0.1") as first:
        first.wait_until_ready()
        assert first.interrupt() == 0
        assert processes_of(data) == []
        assert "CPU seconds" in first.said().splitlines()[-1]
    begun = time.monotonic()
    with launched(data, "serve", ALLOWED_HOSTS="127.0.0.1") as second:
        second.wait_until_ready()
        assert time.monotonic() - begun < 20  # about 3 s on an idle machine
        second.process.send_signal(signal.SIGKILL)
        second.process.wait()
        wait_for(lambda: not processes_of(data), seconds=15)
    assert second.said().count("First administrator") == 1  # from the first start's output

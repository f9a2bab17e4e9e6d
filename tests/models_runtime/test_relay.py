"""A training process asks somebody else's model through its worker, which alone has the key."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models_runtime import jobs, phrases, relay, serving
from models_runtime.child import Child, without_secrets
from models_runtime.jobdir import DISK_FULL, BadInput
from models_runtime.models import Endpoint, Job, Project
from models_runtime.relay import Relay
from models_runtime.relayed import FILE, VARIABLE, Row, read
from tests.endpoint import FakeEndpoint, endpoint

pytestmark = pytest.mark.django_db

ASKED = [{"role": "user", "content": "How good?"}]
BOUNDS = {"calls": 100, "at_once": 2, "seconds": 5.0}
# A child that sends the lines of its argument and prints what comes back to each.
ASKING = """
import json, os, socket, sys
end = socket.socket(fileno=int(os.environ[%r]))
for line in json.loads(sys.argv[1]):
    end.sendall(line.encode() + b"\\n")
lines = end.makefile("r")
told = [lines.readline().strip() for _ in json.loads(sys.argv[1])]
print(json.dumps([told, dict(os.environ)]))
"""


def question(name: str, again: int = 0) -> str:
    return json.dumps({"question": name, "again": again, "messages": ASKED})


@pytest.fixture
def job(project: Project, store: None, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job whose worker may ask an endpoint; its address is the test's to set."""
    monkeypatch.setenv("JUDGE_API_KEY", "sk-very-secret")
    monkeypatch.setattr(relay, "FIRST_PAUSE", 0.01)
    made = Endpoint.objects.create(
        project=project, name="wise", model_name="big", key_variable="JUDGE_API_KEY"
    )
    config = {"steps": 1, "relay": {"endpoint": made.pk, **BOUNDS}}
    return Job.objects.create(project=project, kind="count", config=config)


@pytest.fixture
def ask(job: Job, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """What a child of an attempt hears to its lines, sorted by question and try."""

    def ask(server: FakeEndpoint, *lines: str, attempt: int = 1, **bounds: Any) -> list[Any]:
        Endpoint.objects.update(base_url=server.url)
        job.config["relay"] |= bounds
        folder = tmp_path / f"attempt-{attempt}"
        folder.mkdir(exist_ok=True)
        made = Relay.of(job, tmp_path, folder)
        assert made is not None
        told, environment = _child(made, lines, folder)
        assert "sk-very-secret" not in environment.values()
        return sorted(told, key=lambda row: (row["question"], row["again"]))

    return ask


def _child(made: Relay, lines: tuple[str, ...], folder: Path) -> tuple[list[Any], dict[str, str]]:
    end = made.theirs.fileno()
    child = Child.start(
        [sys.executable, "-c", ASKING % VARIABLE, json.dumps(lines)],
        cwd=folder,
        env={**without_secrets(os.environ), VARIABLE: str(end)},
        log=folder / "log.txt",
        pass_fds=(end,),
    )
    made.begin()
    while child.wait(1) is None:
        pass
    said = child.last_line()
    child.end()
    made.close()
    told, environment = json.loads(said)
    return [json.loads(line) for line in told], environment


@contextmanager
def unanswering() -> Iterator[FakeEndpoint]:
    with endpoint(503) as server:
        yield server


def test_the_worker_asks_with_its_key_and_writes_down_what_it_passes_on(
    ask: Callable[..., Any], tmp_path: Path
) -> None:
    with endpoint(["seven", " or", " so"]) as server:
        told = ask(server, question("a"), question("b", 1))
        assert set(server.keys) == {"Bearer sk-very-secret"}
        sent = sorted(server.asked, key=lambda one: one["seed"])
    assert told == [
        {"question": "a", "again": 0, "text": "seven or so", "calls": 1},
        {"question": "b", "again": 1, "text": "seven or so", "calls": 1},
    ]
    assert [one["temperature"] for one in sent] == [0.0, 1.0]  # a second try is drawn
    assert {one["model"] for one in sent} == {"big"}
    assert sent[0]["messages"] == ASKED
    rows, stored = read(tmp_path)
    assert rows["a", 0] == Row("a", 0, "seven or so")
    assert set(rows) == {("a", 0), ("b", 1)}
    assert not stored


def test_what_no_file_can_hold_is_replaced_before_it_is_kept(
    ask: Callable[..., Any], tmp_path: Path
) -> None:
    with endpoint(["fine \ud83d\n7"]) as server:
        told = ask(server, question("a"))
    assert told == [{"question": "a", "again": 0, "text": "fine ?\n7", "calls": 1}]
    assert "ud83d" not in (tmp_path / "attempt-1" / FILE).read_text(encoding="utf-8")


def test_a_question_that_finds_no_answer_is_asked_again_and_then_given_up(
    ask: Callable[..., Any], tmp_path: Path
) -> None:
    with endpoint(503, ["nine"]) as server:
        assert ask(server, question("a"))[0]["calls"] == 2
    with unanswering() as server:
        told = ask(server, question("b"))[0]
        assert told["refused"] == "The model server answered 503."
        assert len(server.asked) == relay.TRIES
    assert set(read(tmp_path)[0]) == {("a", 0)}  # what was not said is not kept


def test_where_the_model_is_stays_in_the_worker_s_log(
    ask: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    for address in ("http://127.0.0.1:1/v1", "http://169.254.169.254/v1"):
        told = ask(SimpleNamespace(url=address), question("a"))
        refused = {"refused": "The model broke off (Unreachable)."}
        assert told == [{"question": "a", "again": 0, **refused}]
    assert "127.0.0.1 cannot be reached" in caplog.text
    assert "169.254.169.254 is 169.254.169.254, which is never called" in caplog.text


@pytest.mark.parametrize(("file", "asked"), [("FILE", 1), ("SPENT", 0)])
def test_who_waits_for_an_answer_that_cannot_be_written_down_is_told(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, file: str, asked: int
) -> None:
    monkeypatch.setattr(relay, file, "/dev/full")
    with endpoint(["seven"]) as server:
        told = ask(server, question("a"))
        assert len(server.asked) == asked
    assert phrases.restored(told[0]["refused"]) == DISK_FULL


def test_a_line_that_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("whole\n", encoding="utf-8")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            relay._append(path, "x" * (1 << 17))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text(encoding="utf-8") == "whole\n"


def test_answers_may_come_while_the_line_is_closed(job: Job, tmp_path: Path) -> None:
    made = Relay.of(job, tmp_path, tmp_path)
    assert made is not None

    class Comes(Future[None]):
        def cancelled(self) -> bool:
            made._asked.discard(self)
            return True

    made._asked |= {Comes(), Comes()}
    made.close()
    assert not made._asked


def test_calls_are_counted_over_all_attempts(ask: Callable[..., Any]) -> None:
    with endpoint(["five"]) as server:
        ask(server, question("a"), question("b"))
        told = ask(server, question("c"), question("d"), attempt=2, calls=3)
        assert len(server.asked) == 3
    assert sorted("spent" in row for row in told) == [False, True]


def test_calls_without_an_answer_count_in_the_next_attempt_too(ask: Callable[..., Any]) -> None:
    with unanswering() as server:
        ask(server, question("a"))
        assert len(server.asked) == relay.TRIES
    with endpoint(["five"]) as server:
        told = ask(server, question("a"), question("b"), attempt=2, calls=relay.TRIES + 1)
        assert len(server.asked) == 1
        assert sorted("spent" in row for row in told) == [False, True]
        told = ask(server, question("c"), attempt=3, calls=relay.TRIES + 1)
        assert len(server.asked) == 1
    assert told == [{"question": "c", "again": 0, "spent": True}]


def test_no_more_are_asked_at_a_time_than_the_run_allows(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, lock, under_way, most = serving.stream, threading.Lock(), 0, 0

    def counted(*words: Any, **limits: Any) -> Any:
        """Where the relay asks: the server knows of an end only after the next has begun."""
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        yield from stream(*words, **limits)
        with lock:
            under_way -= 1

    monkeypatch.setattr(serving, "stream", counted)
    with endpoint([0.1, "five"]) as server:
        ask(server, *(question(str(n)) for n in range(8)))
    assert most == 2


def test_a_line_that_is_no_question_ends_the_talk_and_calls_nobody(
    job: Job, tmp_path: Path
) -> None:
    (tmp_path / "attempt-1").mkdir()
    with endpoint(["five"]) as server:
        Endpoint.objects.update(base_url=server.url)
        made = Relay.of(job, tmp_path, tmp_path / "attempt-1")
        assert made is not None
        theirs = made.theirs.dup()
        made.begin()
        theirs.sendall(b'{"question": "a", "again": 0, "messages": [{"role": 1}]}\n')
        assert theirs.recv(100) == b""
        theirs.close()
        made.close()
        assert server.asked == []


def test_a_job_that_cannot_ask_fails_with_a_sentence(
    job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("JUDGE_API_KEY")
    with pytest.raises(BadInput, match="JUDGE_API_KEY, which holds the key of wise, is not set"):
        Relay.of(job, tmp_path, tmp_path)
    Job.objects.filter(pk=job.pk).update(kind="sample")
    assert jobs.execute(job.pk) == "failed"
    job.refresh_from_db()
    assert "JUDGE_API_KEY, which holds the key of wise, is not set here." in job.error
    Endpoint.objects.all().delete()
    with pytest.raises(BadInput, match="is not there any more"):
        Relay.of(job, tmp_path, tmp_path)


def test_a_job_that_asks_nobody_has_no_relay(job: Job, tmp_path: Path) -> None:
    job.config = {"steps": 1}
    assert Relay.of(job, tmp_path, tmp_path) is None

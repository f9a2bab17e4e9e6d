"""Rating goes on at the same speed while Redis is frozen or gone: no request needs it."""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from annotate.bench import scene
from annotate.bench.http_rater import HttpRater
from annotate.bench.place import Place, WebServer
from annotate.private_redis import free_port
from tests.models_runtime.processes import Redis, redis_program

SLOWDOWN = 1.2
ROUNDS, BLOCK, MOST_ROUNDS = 8, 12, 24

pytestmark = [pytest.mark.redis, pytest.mark.xdist_group("stack"), pytest.mark.long]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    if redis_program() is None:
        pytest.skip("no redis-server or valkey-server on this machine")
    server = Redis(free_port(), tmp_path)
    server.start()
    yield server
    _thaw(server)
    server.kill()


@pytest.fixture
def rater(tmp_path: Path, redis: Redis) -> Iterator[HttpRater]:
    place = Place(tmp_path / "data", redis=redis.url)
    place.prepare(comparisons=4 * BLOCK * MOST_ROUNDS, raters=1)
    server = WebServer(place)
    server.start()
    server.wait_until_up()
    rater = HttpRater(server.port, "rater0", scene.PASSWORD, scene.SLUG)
    rater.sign_in()
    yield rater
    server.close()


def test_answers_are_taken_as_fast_without_redis(
    rater: HttpRater, redis: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    times: dict[str, list[float]] = defaultdict(list)
    answer(rater, BLOCK)  # the first requests load templates
    for number in range(MOST_ROUNDS):  # more than ROUNDS only when a busy machine blurs them
        measure(rater, redis, times)
        if number + 1 >= ROUNDS and max(slowdowns(times).values()) <= SLOWDOWN:
            break
    with capsys.disabled():
        figures = {name: f"{1000 * p95(row):.1f} ms" for name, row in times.items()}
        sys.stdout.write(f"\nsubmit p95, {len(times['alive'])} answers each: {figures}\n")
    assert max(slowdowns(times).values()) <= SLOWDOWN


def measure(rater: HttpRater, redis: Redis, times: dict[str, list[float]]) -> None:
    """A round of short blocks, so that whatever else the machine does meets all alike."""
    states: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "alive": (lambda: None, lambda: None),
        "frozen": (lambda: _freeze(redis), lambda: _thaw(redis)),
        "killed": (redis.kill, redis.start),
    }
    for name in [*states, *reversed(states)]:
        enter, leave = states[name]
        enter()
        times[name] += answer(rater, BLOCK // 2)
        leave()


def answer(rater: HttpRater, count: int) -> list[float]:
    """Seconds of each answer, the next card included."""
    card, seconds = rater.page().card, []
    for _ in range(count):
        assert card is not None
        begun = time.perf_counter()
        reply = rater.answer(card, card.steps[0], uuid.uuid4())
        seconds.append(time.perf_counter() - begun)
        assert reply.status == 200
        card = reply.card
    return seconds


def slowdowns(times: dict[str, list[float]]) -> dict[str, float]:
    return {name: p95(times[name]) / p95(times["alive"]) for name in ("frozen", "killed")}


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _freeze(redis: Redis) -> None:
    assert redis.process is not None
    os.kill(redis.process.pid, signal.SIGSTOP)


def _thaw(redis: Redis) -> None:
    if redis.process is not None and redis.process.returncode is None:
        os.kill(redis.process.pid, signal.SIGCONT)

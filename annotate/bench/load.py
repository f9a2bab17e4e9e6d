"""Raters at work at the same time: how long an answer with the next card takes for all but the
slowest twentieth of them, against the floor's view under the same load; and how many answers a
second there can be when nobody pauses."""

from __future__ import annotations

import statistics
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from annotate.bench import scene
from annotate.bench.http_rater import Card, HttpRater, Lost, Reply
from annotate.bench.place import Failed, WebServer
from annotate.bench.results import Measured

RATERS = (32, 50)
PAUSE = 1.0  # seconds between an answer and the next
SECONDS = 12.0  # of one block
AT_ONCE, SATURATED = 16, 6.0  # clients without a pause, and for how many seconds


class Client(Protocol):
    http: HttpRater

    def act(self) -> None: ...


@dataclass
class Crowd:
    """Clients who do the same over and over at the same time."""

    clients: Sequence[Client]
    times: list[float] = field(default_factory=list)  # seconds of each act that was done
    errors: list[Exception] = field(default_factory=list)

    def work(self, seconds: float, pause: float) -> Crowd:
        """All of them for so long; with a pause, no two begin at the same moment."""
        end = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._one, args=(client, end, pause, place * pause))
            for place, client in enumerate(self.clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.errors:
            raise Failed(f"Under load: {self.errors[0]}")
        return self

    def _one(self, client: Client, end: float, pause: float, place: float) -> None:
        client.http.close()  # a connection that was idle since the last block has ended
        time.sleep(place / len(self.clients))
        try:
            while time.monotonic() < end:
                begun = time.monotonic()
                client.act()
                self.times.append(time.monotonic() - begun)
                time.sleep(pause)
        except Exception as error:  # told by work, which would not see it in a thread
            self.errors.append(error)

    @property
    def p95(self) -> float:
        """Milliseconds."""
        return 1000 * statistics.quantiles(self.times, n=20)[-1]


def measure(app: WebServer, floor: WebServer, name: str) -> Iterator[Measured]:
    """Both servers stand over the same database."""
    raters = [_Rater(app, number) for number in range(max(RATERS))]
    stores = [_Store(floor, number) for number in range(1, max(RATERS) + 1)]
    for count in RATERS:
        answered, stored = _by_turns(raters[:count], stores[:count])
        yield Measured(f"{name}.p95.{count}_raters", answered, "ms", stored)
    answers, floors = (
        len(Crowd(clients[:AT_ONCE]).work(SATURATED, pause=0.0).times) / SATURATED
        for clients in (raters, stores)
    )
    yield Measured(f"{name}.at_saturation", answers, "answers/s", floors)


def _by_turns(raters: Sequence[Client], stores: Sequence[Client]) -> tuple[float, float]:
    """The 95th percentiles of two crowds: A B B A."""
    first, second = Crowd(raters), Crowd(stores)
    for crowd in (first, second, second, first):
        crowd.work(SECONDS, PAUSE)
    return first.p95, second.p95


class _Rater:
    """A signed-in browser that always answers with the first step."""

    def __init__(self, app: WebServer, number: int) -> None:
        self.http = HttpRater(app.port, f"rater{number}", scene.PASSWORD, scene.SLUG)
        self.http.sign_in()
        self.card = self._needed(self.http.page().card)

    def act(self) -> None:
        key = uuid.uuid4()
        reply = _again(lambda: self.http.answer(self.card, self.card.steps[0], key))
        if reply.status != 200:
            raise Failed(f"an answer came back with status {reply.status}")
        self.card = self._needed(reply.card)

    def _needed(self, card: Card | None) -> Card:
        if card is None:
            raise Failed("there was no further card")
        return card


class _Store:
    def __init__(self, floor: WebServer, number: int) -> None:
        self.http = HttpRater(floor.port, "", "", "")
        self.path = f"/store/{number}/"

    def act(self) -> None:
        if _again(lambda: self.http.get(self.path)).status != 200:
            raise Failed("the floor's view failed")


def _again(send: Callable[[], Reply]) -> Reply:
    """A server ends connections that are idle for two seconds: a browser sends again, too."""
    try:
        return send()
    except Lost:
        return send()

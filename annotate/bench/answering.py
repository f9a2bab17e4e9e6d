"""What one answer with the next card costs the web server, against a bare view that stores a row.

CPU seconds of the server's processes and a count of SQL queries, on few and on many comparisons:
the second must cost no more than the first, for a rater who is new and for one who has given a
hundred thousand answers. Then what a crowd of raters meets (see load).
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from annotate.bench import load, scene
from annotate.bench.counting import ASK
from annotate.bench.http_rater import Card, HttpRater
from annotate.bench.place import Failed, Place, WebServer
from annotate.bench.results import Measured
from models_runtime.interleaving import medians

FEW, MANY = 10_000, 1_000_000
ANSWERED, OVERLAP = 0.1, 2  # share of the comparisons, before measuring begins
AHEAD = 10  # answers of a rater who works faster than all others; a hundredfold at MANY
ANSWERS, STORES = 20, 120  # requests of one block: some tenths of a CPU second
ROUNDS = 4
FLOOR_QUERIES = 2
# One who has answered nothing, one of two who answered all there is, one who is ahead as well.
NEW, VETERAN, FIRST = "rater40", "rater1", "rater0"


@dataclass
class Site:
    """One size: the application and the floor, over the same database."""

    place: Place
    app: WebServer
    floor: WebServer
    cards: dict[str, tuple[HttpRater, Card]]

    def answer(self, name: str, count: int) -> None:
        rater, card = self.cards[name]
        rater.close()  # a connection that was idle since the last block has ended
        for _ in range(count):
            reply = rater.answer(card, card.steps[0], uuid.uuid4())
            if reply.status != 200 or reply.card is None:
                raise Failed(f"An answer came back with status {reply.status} and no card.")
            card = reply.card
        self.cards[name] = rater, card

    def answer_cpu(self, name: str) -> float:
        """Milliseconds of the server's CPU for an answer with the next card."""
        begun = self.app.cpu_seconds()
        self.answer(name, ANSWERS)
        return 1000 * (self.app.cpu_seconds() - begun) / ANSWERS

    def store_cpu(self) -> float:
        """The same for the floor's view."""
        client = HttpRater(self.floor.port, "", "", "")
        begun = self.floor.cpu_seconds()
        for number in range(1, STORES + 1):
            if client.get(f"/store/{number}/").status != 200:
                raise Failed(f"The floor's view failed (see {self.floor.log}).")
        client.close()
        return 1000 * (self.floor.cpu_seconds() - begun) / STORES

    def queries(self, name: str) -> int:
        """SQL queries of an answer with the next card."""
        rater, card = self.cards[name]
        rater.close()
        rater.headers[ASK] = "1"
        reply = rater.answer(card, card.steps[0], uuid.uuid4())
        del rater.headers[ASK]
        if reply.card is None:
            raise Failed("There was no card after the one whose queries were counted.")
        self.cards[name] = rater, reply.card
        return int(reply.headers[ASK])


def measure(folder: Path, database: str, kind: str) -> Iterator[Measured]:
    """Figures for one kind of database. ``database`` may hold {size}, the name of a database to
    use for each size; empty: SQLite in folder."""
    with contextlib.ExitStack() as stack:
        few, many = (
            stack.enter_context(site(folder / f"{kind}-{size}", database.format(size=size), size))
            for size in (FEW, MANY)
        )
        acts: dict[str, Callable[[], float]] = {
            "few": lambda: few.answer_cpu(NEW),
            "few floor": few.store_cpu,
            "many": lambda: many.answer_cpu(NEW),
            "many floor": many.store_cpu,
            "veteran": lambda: many.answer_cpu(VETERAN),
            "ahead": lambda: many.answer_cpu(FIRST),
        }
        found = medians(acts, rounds=ROUNDS)
        counted = float(many.queries(VETERAN))
        name = f"answer.{kind}"
        yield Measured(f"{name}.cpu.{FEW}", found["few"], "ms CPU", found["few floor"])
        yield Measured(f"{name}.cpu.{MANY}", found["many"], "ms CPU", found["many floor"])
        yield Measured(f"{name}.cpu.growth", found["many"], "ms CPU", found["few"])
        yield Measured(f"{name}.cpu.veteran", found["veteran"], "ms CPU", found["few"])
        yield Measured(f"{name}.cpu.ahead", found["ahead"], "ms CPU", found["few"])
        yield Measured(f"{name}.queries", counted, "queries", FLOOR_QUERIES)
        yield from load.measure(many.app, many.floor, name)


@contextlib.contextmanager
def site(data: Path, database: str, size: int) -> Iterator[Site]:
    place = Place(data, database)
    place.prepare(
        comparisons=FEW,
        times=size // FEW,
        raters=max(load.RATERS),
        overlap=OVERLAP,
        answered=ANSWERED,
        answering=2,
        half_answered=AHEAD,
    )
    app = WebServer(place, "annotate.bench.app_settings")
    floor = WebServer(place, "annotate.bench.floor_settings")
    try:
        for server in (app, floor):
            server.start()
        for server in (app, floor):
            server.wait_until_up()
        cards = {name: _signed_in(app, name) for name in (NEW, VETERAN, FIRST)}
        yield Site(place, app, floor, cards)
    finally:
        app.close()
        floor.close()


def _signed_in(app: WebServer, name: str) -> tuple[HttpRater, Card]:
    rater = HttpRater(app.port, name, scene.PASSWORD, scene.SLUG)
    rater.sign_in()
    reply = rater.page()
    if reply.card is None:
        raise Failed(f"{name} found nothing to rate.")
    return rater, reply.card

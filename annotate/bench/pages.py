"""Bytes on the wire of the rating page, as sent to a browser that takes gzip, and its requests."""

from __future__ import annotations

import gzip
import posixpath
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from annotate.bench import instruments, scene
from annotate.bench.http_rater import HttpRater, Reply
from annotate.bench.place import Failed, Place, WebServer
from annotate.bench.results import Measured
from labeling.presets import PRESETS

MOST_REQUESTS = 8  # of a first visit: the page, what it loads, and the cards that lie ahead
AHEAD = 2  # cards that a page with one asks for as soon as it is there
MOST_BYTES = 80_000
MOST_BYTES_OF_A_CARD = 15_000

WITHOUT_SCRIPTS = re.compile(r"<noscript>.*?</noscript>", re.DOTALL)
LOADED = re.compile(r'(?:href|src)="(/static/[^"]+)"')
# What a script imports, and what a style sheet refers to.
MORE = re.compile(r"""(?:\b(?:from|import)[\s(]*["']|url\(["']?)(\.[^"')]+)""")


@dataclass(frozen=True)
class Visit:
    """What one preset's page comes to."""

    preset: str
    requests: int
    sent: int  # bytes of the page and of what it loads
    card: int  # bytes of a further card; 0 where models are talked with


def measure(folder: Path) -> Iterator[Measured]:
    """Each beside the bytes it unpacks to: the page, what comes after an answer, and all that a
    first visit loads (the page with its scripts and styles). Then the most of all presets, each
    beside what is allowed."""
    place = Place(folder / "pages")
    place.prepare(presets=True, comparisons=60, raters=1)
    server = WebServer(place)
    try:
        server.start()
        server.wait_until_up()
        rater = HttpRater(server.port, "rater0", scene.PASSWORD, scene.SLUG)
        rater.sign_in()
        yield from _sizes(rater)
        yield from _most([_visit(rater, preset) for preset in PRESETS])
    finally:
        server.close()


def _sizes(rater: HttpRater) -> Iterator[Measured]:
    card = rater.page().card
    if card is None:
        raise Failed("There was no card on the rating page.")
    rater.headers["Accept-Encoding"] = "gzip"
    page = rater.page()
    loaded = [page, *_loaded(rater, page)]
    after = rater.answer(card, card.steps[0], uuid.uuid4())
    sent, unpacked = (sum(size(reply) for reply in loaded) for size in (on_wire, whole))
    yield Measured("page.rating", on_wire(page), "bytes", whole(page))
    yield Measured("page.rating.after_an_answer", on_wire(after), "bytes", whole(after))
    yield Measured("page.rating.first_visit", sent, "bytes", unpacked)


def _most(visits: list[Visit]) -> Iterator[Measured]:
    """Of each figure the largest, with the preset that it is of."""
    for what, unit, allowed in (
        ("requests", "requests", MOST_REQUESTS),
        ("sent", "bytes", MOST_BYTES),
        ("card", "bytes", MOST_BYTES_OF_A_CARD),
    ):
        worst = max(visits, key=lambda visit: int(getattr(visit, what)))
        name = f"page.most.{what} ({worst.preset})"
        yield Measured(name, getattr(worst, what), unit, allowed)


def _visit(rater: HttpRater, preset: str) -> Visit:
    """The page of the preset's campaign, with a card or a talk on it."""
    rater.campaign = instruments.slug_of(preset)
    page = rater.page()
    while page.status == 302:
        page = rater.get(page.headers["Location"])
    loaded = [page, *_loaded(rater, page)]
    visit = Visit(preset, len(loaded), sum(map(on_wire, loaded)), card=0)
    if 'id="rate"' not in text(page):
        return visit
    return replace(visit, requests=visit.requests + AHEAD, card=on_wire(rater.look()))


def _loaded(rater: HttpRater, page: Reply) -> list[Reply]:
    replies: dict[str, Reply] = {}

    def read(path: str) -> str:
        replies[path] = rater.get(path)
        return text(replies[path])

    loads(text(page), read)
    return list(replies.values())


def loads(page: str, read: Callable[[str], str]) -> list[str]:
    """The addresses that a browser with scripts asks for when it shows the page, each once: what
    the page names, and what that imports. ``read`` has the text of each."""
    todo = LOADED.findall(WITHOUT_SCRIPTS.sub("", page))
    found: list[str] = []
    while todo:
        path = todo.pop()
        if path in found:
            continue
        found.append(path)
        more = MORE.findall(read(path))
        todo += [posixpath.normpath(posixpath.join(posixpath.dirname(path), one)) for one in more]
    return found


def on_wire(reply: Reply) -> int:
    return len(reply.body)


def whole(reply: Reply) -> int:
    return len(_unpacked(reply))


def text(reply: Reply) -> str:
    return _unpacked(reply).decode()


def _unpacked(reply: Reply) -> bytes:
    if reply.status != 200:
        raise Failed(f"A page came back with status {reply.status}.")
    packed = reply.headers.get("Content-Encoding") == "gzip"
    return gzip.decompress(reply.body) if packed else reply.body

"""Bytes on the wire of the rating page, as sent to a browser that takes gzip."""

from __future__ import annotations

import gzip
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from annotate.bench import scene
from annotate.bench.http_rater import HttpRater, Reply
from annotate.bench.place import Failed, Place, WebServer
from annotate.bench.results import Measured

ASSETS = re.compile(r'(?:href|src)="(/static/[^"]+)"')


def measure(folder: Path) -> Iterator[Measured]:
    """Each beside the bytes it unpacks to: the page, what comes after an answer, and all that a
    first visit loads (the page with its scripts and styles)."""
    place = Place(folder / "pages")
    place.prepare(comparisons=60, raters=1)
    server = WebServer(place)
    try:
        server.start()
        server.wait_until_up()
        rater = HttpRater(server.port, "rater0", scene.PASSWORD, scene.SLUG)
        rater.sign_in()
        yield from _sizes(rater)
    finally:
        server.close()


def _sizes(rater: HttpRater) -> Iterator[Measured]:
    card = rater.page().card
    if card is None:
        raise Failed("There was no card on the rating page.")
    rater.headers["Accept-Encoding"] = "gzip"
    page = rater.page()
    loaded = [page, *(rater.get(path) for path in assets(page))]
    after = rater.answer(card, card.steps[0], uuid.uuid4())
    sent, unpacked = (sum(size(reply) for reply in loaded) for size in (on_wire, whole))
    yield Measured("page.rating", on_wire(page), "bytes", whole(page))
    yield Measured("page.rating.after_an_answer", on_wire(after), "bytes", whole(after))
    yield Measured("page.rating.first_visit", sent, "bytes", unpacked)


def assets(page: Reply) -> list[str]:
    """Addresses of the page's scripts, styles and icon."""
    return sorted(set(ASSETS.findall(text(page).decode())))


def on_wire(reply: Reply) -> int:
    return len(reply.body)


def whole(reply: Reply) -> int:
    return len(text(reply))


def text(reply: Reply) -> bytes:
    if reply.status != 200:
        raise Failed(f"A page came back with status {reply.status}.")
    packed = reply.headers.get("Content-Encoding") == "gzip"
    return gzip.decompress(reply.body) if packed else reply.body

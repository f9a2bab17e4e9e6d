"""Raters who work over HTTP whatever happens to the server, and remember what it told them."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable
from typing import TypeVar

from annotate.bench import scene
from annotate.bench.http_rater import Card, HttpRater, Lost, Reply

T = TypeVar("T")


class BusyRater(threading.Thread):
    """Answers cards, with an undo, a skip, a double click and a closed tab now and then.

    attempted     every key, noted before its first try
    acknowledged  keys whose answer the server took with a status of 2xx, in that order
    refused       what else it said: (status, key), and nothing is expected here
    """

    def __init__(self, port: int, number: int, seed: int, tolerates: tuple[int, ...] = ()) -> None:
        super().__init__(daemon=True)
        self.http = HttpRater(port, f"rater{number}", scene.PASSWORD, scene.SLUG)
        self.draw = random.Random(f"{seed}/{number}")
        self.tolerates = tolerates  # statuses after which to try again, as after a lost line
        self.attempted: set[str] = set()
        self.acknowledged: list[str] = []
        self.refused: list[tuple[int, str]] = []
        self.lost = self.undone = self.skipped = self.abandoned = 0
        self.trouble: Exception | None = None
        self.is_in = threading.Event()
        self._over = threading.Event()

    def stop(self) -> None:
        """Finish what is under way, then end."""
        self._over.set()

    def run(self) -> None:
        try:
            self._until_it_works(self.http.sign_in)
            self.is_in.set()
            card = self._look()
            while not self._over.is_set():
                card = self._act(card)
        except Exception as error:  # told by the test, which would not see it in a thread
            self.trouble = error
        finally:
            self.http.close()

    def _act(self, card: Card | None) -> Card | None:
        act = self.draw.choices(["answer", "undo", "skip"], [90, 6, 4])[0]
        if card is None:
            time.sleep(0.2)
            return self._look()
        if act == "undo":
            return self._once(self.http.undo, "undone")
        if act == "skip":
            reason = self.draw.choice(card.reasons)
            return self._once(lambda: self.http.skip(card, reason), "skipped")
        return self._answer(card)

    def _answer(self, card: Card) -> Card | None:
        """One answer until it is acknowledged, or given up by closing the tab."""
        key, step = uuid.uuid4(), self.draw.choice(card.steps)
        self.attempted.add(str(key))
        while True:
            reply = self._try(lambda: self.http.answer(card, step, key), key)
            if reply is not None and reply.status not in self.tolerates:
                break
            if self.draw.random() < 0.05 and str(key) not in self.acknowledged:
                self.abandoned += 1
                return self._look()
            time.sleep(self.draw.uniform(0.02, 0.2))
        if self.draw.random() < 0.05:  # a double click: the same request again
            self._try(lambda: self.http.answer(card, step, key), key)
            return self._look()
        return reply.card or self._look()

    def _try(self, send: Callable[[], Reply], key: uuid.UUID) -> Reply | None:
        """Send an answer and note what came of it; None when the connection was lost."""
        try:
            reply = send()
            status = reply.status
        except Lost as lost:
            self.lost += 1
            reply, status = None, lost.status
        if 200 <= status < 300:
            self.acknowledged.append(str(key))
        elif status and status not in self.tolerates:
            self.refused.append((status, str(key)))
        return reply

    def _once(self, send: Callable[[], Reply], counter: str) -> Card | None:
        """Undo and skip are not repeated: whoever lost the reply looks at where they are."""
        try:
            reply = send()
        except Lost:
            self.lost += 1
            return self._look()
        if reply.status >= 400:
            if reply.status not in self.tolerates:
                self.refused.append((reply.status, counter))
            return self._look()
        setattr(self, counter, getattr(self, counter) + 1)
        return reply.card or self._look()

    def _look(self) -> Card | None:
        reply = self._until_it_works(self.http.page)
        if reply.status != 200 and reply.status not in self.tolerates:
            self.refused.append((reply.status, "page"))
        return reply.card

    def _until_it_works(self, send: Callable[[], T]) -> T:
        while True:
            try:
                return send()
            except Lost:
                self.lost += 1
                time.sleep(self.draw.uniform(0.02, 0.2))

"""Questions of a training process to somebody else's model, passed on by the worker that watches
over it.

The process that trains has no keys and calls nobody. It holds one end of a socket pair, which no
address leads to, and writes a line a question; the worker alone decides whom that goes to, how
often, and how long an answer may be.

    to the worker    {"question": HASH, "again": 0, "messages": [...]}
    to the process   a models_runtime.relayed.Row, or {"question", "again", "refused": sentence},
                     stored if it is a phrase, or {"question", "again", "spent": true} once the
                     calls are used up

Job.config's "relay" is {"endpoint": id, "calls", "at_once", "seconds"}.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from models_runtime import endpoints, phrases, serving
from models_runtime.jobdir import BadInput, explain
from models_runtime.models import Endpoint, Job
from models_runtime.outbound import Unreachable
from models_runtime.phrases import phrase
from models_runtime.records import Message, Sampler
from models_runtime.relayed import FILE, SPENT, WINDOW, Row, spent, storable
from models_runtime.serving import Address, Unanswered

TRIES = 4  # of a question whose answer does not come; the pause doubles each time
FIRST_PAUSE = 1.0
LONGEST_QUESTION = 4 << 20  # bytes
KEPT_CHARACTERS = 4000  # the end of an answer, where the verdict is
MOST_TOKENS = 512
PARTING_SECONDS = 5.0  # for answers that are on their way when the process has ended
logger = logging.getLogger(__name__)


class Relay:
    """One attempt's questions. ``moved`` counts those that were answered."""

    def __init__(self, address: Address, bounds: dict[str, Any], root: Path, folder: Path) -> None:
        self.address = address
        self.calls = int(bounds["calls"])
        self.seconds = float(bounds["seconds"])
        self.spent = spent(root)
        self.log, self.counted = folder / FILE, folder / SPENT
        self.moved = 0
        self._ours, self.theirs = socket.socketpair()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._room = threading.BoundedSemaphore(WINDOW)
        self._asked: set[Future[None]] = set()
        self._callers = ThreadPoolExecutor(int(bounds["at_once"]), thread_name_prefix="relay")

    @classmethod
    def of(cls, job: Job, root: Path, folder: Path) -> Relay | None:
        """None for a job that asks nobody. Raises BadInput where its endpoint is not there, or
        its key is not set on this worker."""
        bounds = job.config.get("relay")
        if not bounds:
            return None
        row = Endpoint.objects.filter(project=job.project_id, pk=bounds["endpoint"]).first()
        if row is None:
            raise BadInput(phrase("The endpoint that the job asks is not there any more."))
        try:
            return cls(endpoints.address_of(row), bounds, root, folder)
        except Unanswered as error:
            raise BadInput(str(error)) from error

    def begin(self) -> None:
        """Once the process has its end: ours alone is kept."""
        self.theirs.close()
        threading.Thread(target=self._listen, name="relay-listens", daemon=True).start()

    def close(self) -> None:
        """What is on its way is paid for: wait a little, so that the next attempt finds it."""
        self._over.set()
        self._callers.shutdown(wait=False, cancel_futures=True)
        wait([one for one in list(self._asked) if not one.cancelled()], PARTING_SECONDS)
        for end in (self._ours, self.theirs):
            end.close()

    def _listen(self) -> None:
        """Take up questions until the process ends, or says what is none."""
        try:
            with self._ours.makefile("rb") as lines:
                while line := lines.readline(LONGEST_QUESTION):
                    question, again, messages = _question(line)
                    self._room.acquire()
                    asked = self._callers.submit(self._answer, question, again, messages)
                    self._asked.add(asked)
                    asked.add_done_callback(self._done)
        except (OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
            if not self._over.is_set():
                logger.warning("The relay of a job is closed (%s).", type(error).__name__)
                with contextlib.suppress(OSError):
                    self._ours.shutdown(socket.SHUT_RDWR)

    def _done(self, asked: Future[None]) -> None:
        self._asked.discard(asked)
        self._room.release()

    def _answer(self, question: str, again: int, messages: list[Message]) -> None:
        try:
            told = self._outcome(question, again, messages)
        except OSError as error:  # nothing can be written down: whoever waits is told
            logger.warning("An answer could not be kept (%s).", error)
            told = {"refused": phrases.stored(explain(error, self.log.parent)[1])}
        self._tell({"question": question, "again": again, **told})

    def _outcome(self, question: str, again: int, messages: list[Message]) -> dict[str, Any]:
        """What is told of a question. Raises OSError where it cannot be written down."""
        pause, refused = FIRST_PAUSE, ""
        for calls in range(1, TRIES + 1):
            if not self._may_call():
                return {"spent": True}
            try:
                text = self._ask(messages, again)
            except Unanswered as error:
                logger.warning("A question of a job found no answer: %s", error)
                refused = _without_address(error)
            else:
                return self._keep(Row(question, again, text, calls))
            if calls == TRIES or self._over.wait(pause):
                break
            pause *= 2
        return {"refused": refused}

    def _may_call(self) -> bool:
        """Written down before the call is made: one without an answer is paid for too. Raises
        OSError."""
        with self._lock:
            if self.spent >= self.calls:
                return False
            self.spent += 1
            _append(self.counted, str(self.spent))
            return True

    def _ask(self, messages: list[Message], again: int) -> str:
        """The end of the likeliest answer, and of a drawn one where that was of no use. Raises
        Unanswered."""
        sampler = Sampler("", 1, 1.0 if again else 0.0, 1.0, MOST_TOKENS, seed=again)
        limits = {"silence": self.seconds, "most_seconds": self.seconds}
        text = ""
        for piece in serving.stream(self.address, messages, sampler, **limits):
            text = piece.text
        return storable(text[-KEPT_CHARACTERS:])

    def _keep(self, row: Row) -> dict[str, Any]:
        """Written down before it is passed on: it is never paid twice. Raises OSError."""
        told = dataclasses.asdict(row)
        with self._lock:
            _append(self.log, json.dumps(told))
        self.moved += 1
        return told

    def _tell(self, told: dict[str, Any]) -> None:
        with self._lock, contextlib.suppress(OSError):  # the process has ended
            self._ours.sendall(f"{json.dumps(told)}\n".encode())


def _append(path: Path, line: str) -> None:
    """A whole line, or none. Raises OSError."""
    before = path.stat().st_size if path.exists() else 0
    try:
        with path.open("a", encoding="utf-8") as handle:
            handle.write(f"{line}\n")
    except OSError:
        with contextlib.suppress(OSError):  # a torn line would take the next one with it
            os.truncate(path, before)
        raise


def _without_address(error: Unanswered) -> str:
    """What the process may hear, and whoever reads why its job failed: the worker's log alone
    says where the model is."""
    cause = error.__cause__
    if isinstance(cause, Unreachable):
        return f"The model broke off ({type(cause).__name__})."
    return str(error)


def _question(line: bytes) -> tuple[str, int, list[Message]]:
    """What a line asks. Raises ValueError, LookupError or TypeError for what is no question."""
    asked = json.loads(line)
    messages = [{"role": m["role"], "content": m["content"]} for m in asked["messages"]]
    if not all(isinstance(text, str) for m in messages for text in m.values()):
        raise TypeError("messages are texts")
    return str(asked["question"])[:64], int(asked["again"]), messages

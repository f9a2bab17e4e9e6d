"""Warm model servers, as the worker side holds them, and the one request that is made of them.

A server is ``python -m models_runtime.serve``: started when a live conversation needs its
checkpoint, kept while it is used, started again when it dies, and ended with this process.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from models_runtime import outbound
from models_runtime.child import Child, without_secrets
from models_runtime.records import FinishReason, Message, Sampler, under_system

START_SECONDS = 300.0  # the longest that loading a model may take
LONGEST_PAUSE = 30.0
TRIES = 3  # starts of a model that never answered; then those who wait for it are told
# Of one answer, whoever gives it: a server of others may be broken, or mean no good.
# What a line of another shape than the protocol's comes to.
MALFORMED = (ValueError, LookupError, AttributeError, TypeError, RecursionError)
LONGEST_LINE = 1 << 20  # bytes
MOST_CHARACTERS = 1_000_000
MOST_SECONDS = 1800.0
_FRUGAL = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "PYTHONUNBUFFERED": "1",
}
logger = logging.getLogger(__name__)
_FINISH: dict[str, FinishReason] = {"stop": "eos", "length": "length"}


class Unanswered(Exception):
    """The model gave no whole answer: it could not be reached, refused, broke off or fell
    silent. The message is a sentence for a log, and repeats nothing that the server said."""


@dataclass(frozen=True)
class Address:
    """Where an OpenAI-compatible server answers, up to and with its version (.../v1)."""

    url: str
    model: str
    key: str = ""


@dataclass(frozen=True)
class Piece:
    """An answer so far. The last one of a stream has a finish reason."""

    text: str
    finish_reason: FinishReason | None = None
    token_count: int | None = None


@dataclass
class Server:
    """A model server of ours; ``address`` is None while it loads."""

    child: Child
    port_file: Path
    key: str
    begun: float = field(default_factory=time.monotonic)
    address: Address | None = None

    @classmethod
    def start(cls, folder: Path, scratch: Path) -> Server:
        place = Path(tempfile.mkdtemp(dir=scratch, prefix="model-server-"))
        child = Child.start(
            [sys.executable, "-m", "models_runtime.serve", str(folder), str(place / "port")],
            cwd=Path(settings.BASE_DIR),
            env={**_FRUGAL, **without_secrets(os.environ)},
            log=place / "log.txt",
        )
        key = secrets.token_urlsafe(24)
        assert child.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended at once: ``state`` tells
            os.write(child.process.stdin.fileno(), f"{key}\n".encode())
        return cls(child, place / "port", key)

    def is_up(self) -> bool:
        """Whether it lives; learns its address once the model is loaded."""
        if self.child.wait(0) is not None:
            return False
        if self.address is None and self.port_file.exists():
            port = self.port_file.read_text(encoding="utf-8")
            self.address = Address(f"http://127.0.0.1:{port}/v1", "", self.key)
        return self.address is not None or time.monotonic() - self.begun < START_SECONDS

    def end(self) -> None:
        self.child.end()


@dataclass
class _Slot:
    """One checkpoint's server, and how its last starts went."""

    server: Server | None = None
    starting: Future[Server] | None = None
    used: float = 0.0
    failures: int = 0
    not_before: float = 0.0
    sentence: str = ""

    @property
    def takes_room(self) -> bool:
        return self.server is not None or self.starting is not None


class Warm:
    """At most ``most`` servers, the least recently used given up first. One thread's.

    ``folder_of`` gives a checkpoint's folder by its id. It is asked on a thread of its own, since
    it may look through gigabytes; whatever it raises, that checkpoint failed to start.
    """

    def __init__(self, folder_of: Callable[[int], Path], most: int) -> None:
        self.folder_of = folder_of
        self.most = max(1, most)
        self.scratch = tempfile.TemporaryDirectory(prefix="concord-talk-")
        self.slots: dict[int, _Slot] = {}
        self.starters = ThreadPoolExecutor(self.most, thread_name_prefix="model-start")

    def tend(self, wanted: Iterable[int], busy: set[int]) -> None:
        """Look after the servers: those ``wanted`` (most urgent first) are started as far as there
        is room beside what is ``busy``. Neither is given up for another, or two that are wanted
        at once would end each other for ever."""
        now = time.monotonic()
        for slot in self.slots.values():
            self._look_after(slot)
        kept = list(dict.fromkeys([*busy, *wanted]))[: self.most]
        for pk in kept:
            slot = self.slots.setdefault(pk, _Slot())
            slot.used = now
            if not slot.takes_room and now >= slot.not_before and self._make_room(kept):
                slot.starting = self.starters.submit(self._start, pk)

    def ready(self) -> list[int]:
        """The checkpoints that answer."""
        return [pk for pk, slot in self.slots.items() if slot.server and slot.server.address]

    def broken(self) -> dict[int, str]:
        """The checkpoints that cannot be started, each with a sentence for a log."""
        return {pk: slot.sentence for pk, slot in self.slots.items() if slot.failures >= TRIES}

    def address(self, checkpoint: int) -> Address | None:
        """Where the checkpoint answers; None while it has no server that does."""
        slot = self.slots.get(checkpoint)
        return slot.server.address if slot and slot.server else None

    def forgive(self, checkpoint: int) -> None:
        """Somebody asks again: what failed before may be tried once more."""
        if slot := self.slots.get(checkpoint):
            slot.failures, slot.not_before = 0, 0.0

    def close(self) -> None:
        self.starters.shutdown(wait=True, cancel_futures=True)
        for slot in self.slots.values():
            self._take_over(slot)
            if slot.server is not None:
                slot.server.end()
        self.slots.clear()
        self.scratch.cleanup()

    def _start(self, pk: int) -> Server:
        return Server.start(self.folder_of(pk), Path(self.scratch.name))

    def _look_after(self, slot: _Slot) -> None:
        self._take_over(slot)
        if slot.server is not None and not slot.server.is_up():
            self._fell(slot, slot.server.child.last_line())

    def _take_over(self, slot: _Slot) -> None:
        """From the thread that started it, once it has."""
        if slot.starting is None or not slot.starting.done():
            return
        started, slot.starting = slot.starting, None
        if started.cancelled():
            return
        if error := started.exception():
            logger.warning("A model could not be started (%s: %s).", type(error).__name__, error)
            self._fell(slot, str(error))
        else:
            slot.server = started.result()

    def _fell(self, slot: _Slot, sentence: str) -> None:
        """One that had answered is started again at once, one that never did after a pause."""
        had_answered = slot.server is not None and slot.server.address is not None
        if slot.server is not None:
            slot.server.end()
        slot.server, slot.sentence = None, sentence
        slot.failures = 0 if had_answered else slot.failures + 1
        pause = 0.0 if had_answered else min(LONGEST_PAUSE, 0.5 * 2**slot.failures)
        slot.not_before = time.monotonic() + pause

    def _make_room(self, kept: list[int]) -> bool:
        if sum(slot.takes_room for slot in self.slots.values()) < self.most:
            return True
        idle = [slot for pk, slot in self.slots.items() if slot.server and pk not in kept]
        if not idle:
            return False
        oldest = min(idle, key=lambda slot: slot.used)
        assert oldest.server is not None
        oldest.server.end()
        oldest.server = None
        return True


def stream(
    address: Address,
    messages: list[Message],
    sampler: Sampler,
    *,
    silence: float,
    most_seconds: float = MOST_SECONDS,
) -> Iterator[Piece]:
    """The answer to messages as it grows; ``silence``: seconds without a word after which the
    model is given up, as it is after ``most_seconds`` in all, or for an answer without an end.
    Raises Unanswered."""
    try:
        connection, path = outbound.connect(address.url)
    except outbound.Unreachable as error:
        raise Unanswered(str(error)) from error
    connection.sock.settimeout(silence)
    try:
        connection.request(
            "POST",
            f"{path}/chat/completions",
            body=json.dumps(_request(address, messages, sampler)),
            headers=_headers(address),
        )
        response = connection.getresponse()
        if response.status != 200:  # what it says besides may repeat the key, or the prompt
            raise Unanswered(f"The model server answered {response.status}.")
        yield from _pieces(_events(_lines(response, time.monotonic() + most_seconds)))
    except (OSError, http.client.HTTPException, *MALFORMED) as error:
        raise Unanswered(f"The model broke off ({type(error).__name__}).") from error
    finally:
        connection.close()


def _request(address: Address, messages: list[Message], sampler: Sampler) -> dict[str, Any]:
    return {
        "model": address.model,
        "messages": under_system(messages, sampler.system_prompt),
        "temperature": sampler.temperature,
        "top_p": sampler.top_p,
        "max_tokens": sampler.max_new_tokens,
        "seed": sampler.seed,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def _headers(address: Address) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    return {**headers, "Authorization": f"Bearer {address.key}"} if address.key else headers


def _lines(response: http.client.HTTPResponse, until: float) -> Iterator[bytes]:
    """Lines as they come. Looked at after every packet: one byte a minute is no silence."""
    rest = b""
    while piece := response.read1(1 << 16):
        if time.monotonic() > until:
            raise TimeoutError("it took too long in all")
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise ValueError("a line has no end")
        yield from lines
    yield rest


def _events(lines: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    """The JSON of each server-sent event up to [DONE]. A stream that ends without is broken."""
    for line in lines:
        name, _, data = line.decode("utf-8", "replace").strip().partition(":")
        if name != "data":
            continue
        if data.strip() == "[DONE]":
            return
        yield json.loads(data)
    raise ConnectionError("the answer ended in the middle")


def _pieces(events: Iterator[Mapping[str, Any]]) -> Iterator[Piece]:
    text, reason, tokens = "", "", None
    for event in events:
        tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
        for choice in event.get("choices") or ():
            reason = choice.get("finish_reason") or reason
            if new := (choice.get("delta") or {}).get("content"):
                text += new
                if len(text) > MOST_CHARACTERS:
                    raise ValueError("the answer has no end")
                yield Piece(text)
    yield Piece(text, _FINISH.get(reason, "unknown"), tokens)

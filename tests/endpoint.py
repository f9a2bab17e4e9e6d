"""Somebody else's model server, as bad as a test wants it: OpenAI's streaming protocol on
loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeEndpoint(ThreadingHTTPServer):
    """``script`` holds what each request gets, in turn; its last entry answers all others.

    A list is words, each sent at once; a float among them is a pause in seconds, None breaks
    off. A number is a status with no words.

    ``knows`` are the models that it names; asked not to stream it gives ``choices`` texts, or
    refuses where there are none.
    """

    knows: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    logprobs: dict[str, Any] | None = None

    daemon_threads = True

    def __init__(self, *script: list[Any] | int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = list(script)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []  # of each request, as its header says
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hung up was meant to."""


class Handler(BaseHTTPRequestHandler):
    server: FakeEndpoint

    def do_GET(self) -> None:
        self.server.keys.append(self.headers["Authorization"])
        if not self.server.knows:
            return self.send_error(404)
        self._json({"object": "list", "data": [{"id": name} for name in self.server.knows]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not body.get("stream"):
            return self._whole(body)
        with self.server.lock:
            self.server.asked.append(body)
            self.server.keys.append(self.headers["Authorization"])
            script = self.server.script
            said = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(said, int):
            return self.send_error(said)
        self.send_response(200)
        self.end_headers()
        for word in said:
            if word is None:
                return None
            if isinstance(word, float):
                time.sleep(word)
                continue
            self._event({"choices": [{"delta": {"content": word}, "finish_reason": None}]})
        self._event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        self._event({"choices": [], "usage": {"completion_tokens": len(said)}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _whole(self, body: dict[str, Any]) -> None:
        self.server.keys.append(self.headers["Authorization"])
        texts = self.server.choices[: body.get("n", 1)]
        if not texts:
            return self.send_error(400)
        told = self.server.logprobs if body.get("logprobs") else None
        rows = [{"message": {"content": text}, "logprobs": told} for text in texts]
        self._json({"choices": rows})

    def _json(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def _event(self, event: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def endpoint(*script: list[Any] | int) -> Iterator[FakeEndpoint]:
    server = FakeEndpoint(*script)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A warm model behind HTTP: ``python -m models_runtime.serve FOLDER PORT_FILE``.

The part of OpenAI's protocol that talks need: POST /v1/chat/completions with messages,
temperature, top_p, max_tokens, seed and stream; GET /health. It listens on 127.0.0.1 at a port
of the system's choosing, which PORT_FILE tells once the model is loaded. The first line on
standard input is the key that every request must bring; its end ends the process, so that no
server outlives whoever started it (docs/decisions/040).

Text becomes token ids where it always does, in ``chat``: what a person types can write no control
token, and the same seed gives what a sample job would give.
"""

from __future__ import annotations

import hmac
import json
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from models_runtime import loading
from models_runtime.backends import Generated, LocalBackend
from models_runtime.jobdir import EXIT_BAD_INPUT, BadInput, write_atomically
from models_runtime.records import MOST_NEW_TOKENS, PromptRecord, Sampler

MAX_BODY = 4 << 20  # bytes
FINISH = {"eos": "stop", "length": "length"}  # OpenAI's words for ours
REPLACEMENT = "\ufffd"  # how half a character decodes: the other half is still to come


class Refused(ValueError):
    """The request cannot be answered; the message is a sentence."""


class Model:
    """One model for many requests: they take turns, a burst of tokens each."""

    def __init__(self, folder: Path) -> None:
        self.backend = LocalBackend(loading.load_policy(folder), loading.load_tokenizer(folder))
        self.turn = threading.Lock()

    def answer(self, body: dict[str, Any]) -> Iterator[Generated]:
        """The completion as it grows. Raises Refused before the first token."""
        prompt, sampler = _asked(body)
        pieces = self.backend.grow(prompt, sampler)
        while True:
            with self.turn:
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece


def _asked(body: dict[str, Any]) -> tuple[PromptRecord, Sampler]:
    try:
        messages = [{k: str(m[k]) for k in ("role", "content")} for m in body["messages"]]
        prompt = PromptRecord(0, messages)
        sampler = Sampler(
            checkpoint="",
            k=1,
            temperature=float(body.get("temperature", 1.0)),
            top_p=float(body.get("top_p", 1.0)),
            max_new_tokens=int(body.get("max_tokens", 256)),
            seed=int(body.get("seed", 0)),
        )
    except (TypeError, KeyError, ValueError) as error:
        raise Refused(f"The request is not understood ({error}).") from error
    if not prompt.messages or not 1 <= sampler.max_new_tokens <= MOST_NEW_TOKENS:
        raise Refused(f"Send messages, and max_tokens from 1 to {MOST_NEW_TOKENS}.")
    return prompt, sampler


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.0"  # a reply ends with its connection
    timeout = 60.0  # seconds for the next bytes, either way: each connection holds a thread

    def do_GET(self) -> None:
        status = 200 if self.path == "/health" else 404
        self._say(status, {"status": "ok"} if status == 200 else _error("There is no such page."))

    def do_POST(self) -> None:
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.server.key}".encode()):
            return self._say(401, _error("The key is wrong."))
        if self.path != "/v1/chat/completions":
            return self._say(404, _error("There is no such page."))
        try:
            body = self._body()
            pieces = self.server.model.answer(body)
            return self._stream(pieces) if body.get("stream") else self._whole(pieces)
        except Refused as error:
            return self._say(400, _error(str(error)))

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or len(length) > len(str(MAX_BODY)) or int(length) > MAX_BODY:
            raise Refused(f"A request has at most {MAX_BODY} bytes, and says how many.")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise Refused("The request is not valid JSON.") from error
        if not isinstance(body, dict):
            raise Refused("The request is not a JSON object.")
        return body

    def _whole(self, pieces: Iterator[Generated]) -> None:
        *_, last = pieces
        message = {"role": "assistant", "content": last.text}
        choice = {"index": 0, "message": message, "finish_reason": FINISH[last.finish_reason]}
        self._say(200, {"choices": [choice], "usage": _usage(last)})

    def _stream(self, pieces: Iterator[Generated]) -> None:
        first = next(pieces)  # a refusal comes before the headers
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        sent, last = self._send_new("", first), first
        for last in pieces:
            sent = self._send_new(sent, last)
        self._event({"content": last.text[len(sent) :]}, last)
        self.wfile.write(b"data: [DONE]\n\n")

    def _send_new(self, sent: str, piece: Generated) -> str:
        """Send what the piece adds; what was sent in all."""
        text = piece.text.rstrip(REPLACEMENT)
        if len(text) > len(sent):
            self._event({"content": text[len(sent) :]})
            return text
        return sent

    def _event(self, delta: dict[str, str], last: Generated | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        event: dict[str, Any] = {"choices": [choice]}
        if last is not None:
            choice["finish_reason"] = FINISH[last.finish_reason]
            event["usage"] = _usage(last)
        self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _say(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a log of who said what when is kept nowhere."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, model: Model, key: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.model = model
        self.key = key

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked may go away in the middle; anything else belongs into the log."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _error(sentence: str) -> dict[str, Any]:
    return {"error": {"message": sentence}}


def _usage(last: Generated) -> dict[str, int]:
    return {"completion_tokens": len(last.ids), "prompt_cut": last.prompt_cut}


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        sys.stderr.write("This entry takes a model folder and a file for its port.\n")
        return EXIT_BAD_INPUT
    key = sys.stdin.readline().strip()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    loading.use_one_thread_when_asked()
    try:
        server = Server(Model(Path(arguments[0])), key)
    except BadInput as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_BAD_INPUT
    write_atomically(Path(arguments[1]), str(server.server_port))
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

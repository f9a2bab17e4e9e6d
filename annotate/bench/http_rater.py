"""A rater over HTTP: signs in, fetches a card, answers it, as a browser with rate.js does."""

from __future__ import annotations

import html
import http.client
import re
import uuid
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import urlencode

ACTION = re.compile(r'action="(/answers/[0-9a-f-]+/)" id="judge"')
STEP = re.compile(r'class="step [a-z ]+" name="([a-z_]+-choice)" value="([^"]+)"')
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
VERSION = re.compile(r'name="(asked|told)" value="([^"]+)"')
REASON = re.compile(r'name="reason" value="([a-z_]+)"')


class Lost(Exception):
    """The connection ended without a whole answer. ``status`` is what had come of one."""

    def __init__(self, status: int = 0) -> None:
        super().__init__(f"The connection was lost (status {status}).")
        self.status = status


@dataclass(frozen=True)
class Card:
    action: str  # where its answer goes
    steps: list[tuple[str, str]]  # (name, value) of every button of the judgement bar
    reasons: list[str]  # for skipping
    versions: dict[str, str]  # of the question (asked) and the guidelines (told)


@dataclass(frozen=True)
class Reply:
    status: int
    card: Card | None  # the next one, when there is one
    body: bytes
    headers: http.client.HTTPMessage


class HttpRater:
    """One signed-in browser on one connection. Every method but ``close`` may raise Lost."""

    def __init__(self, port: int, username: str, password: str, campaign: str) -> None:
        self.port = port
        self.username, self.password, self.campaign = username, password, campaign
        self.headers: dict[str, str] = {}  # sent with every request
        self._cookies: dict[str, str] = {}
        self._token = ""
        self._connection: http.client.HTTPConnection | None = None

    def sign_in(self) -> None:
        """Raises PermissionError when the server refuses."""
        if self._send("GET", "/sign-in/").status == 302:  # an earlier try went through
            return
        said = {"username": self.username, "password": self.password}
        reply = self._send("POST", "/sign-in/", said)
        if reply.status >= 500:
            raise Lost(reply.status)
        if reply.status != 302:
            raise PermissionError(f"{self.username} may not sign in ({reply.status}).")

    def page(self) -> Reply:
        """The whole page with the card in hand."""
        return self._send("GET", self._here)

    def look(self) -> Reply:
        """The card in hand as a fragment."""
        return self._send("GET", self._here, fragment=True)

    def answer(self, card: Card, step: tuple[str, str], key: uuid.UUID) -> Reply:
        fields = {step[0]: step[1], "idempotency_key": str(key), **card.versions}
        fields |= {"active_ms": "1500", "layout": "side_by_side/l"}
        return self._send("POST", card.action, fields, fragment=True)

    def skip(self, card: Card, reason: str) -> Reply:
        return self._send("POST", f"{card.action}skip/", {"reason": reason}, fragment=True)

    def undo(self) -> Reply:
        return self._send("POST", f"{self._here}undo/", {}, fragment=True)

    def get(self, path: str) -> Reply:
        return self._send("GET", path)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    @property
    def _here(self) -> str:
        return f"/rate/{self.campaign}/"

    def _send(
        self, method: str, path: str, fields: dict[str, str] | None = None, fragment: bool = False
    ) -> Reply:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
        headers |= {"HX-Request": "true"} if fragment else {}
        body = None
        if fields is not None:
            body = urlencode({"csrfmiddlewaretoken": self._token, **fields})
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        status, message, data = self._exchange(method, path, body, {**self.headers, **headers})
        self._take_cookies(message)
        return Reply(status, self._read(data), data, message)

    def _exchange(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        status = 0
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            status = response.status
            return status, response.headers, response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(status) from error

    def _take_cookies(self, message: http.client.HTTPMessage) -> None:
        for line in message.get_all("Set-Cookie", []):
            self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}

    def _read(self, data: bytes) -> Card | None:
        text = data.decode("utf-8", errors="replace")
        if token := TOKEN.search(text):
            self._token = token[1]
        action = ACTION.search(text)
        if action is None:
            return None
        steps = [(name, html.unescape(value)) for name, value in STEP.findall(text)]
        return Card(action[1], steps, REASON.findall(text), dict(VERSION.findall(text)))

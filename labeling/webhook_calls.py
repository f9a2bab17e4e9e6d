"""Calling the addresses of webhooks: one try of each message that is due."""

from __future__ import annotations

import http.client
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Timer
from urllib.parse import urlsplit

from django.conf import settings

from labeling import webhook_secrets, webhooks
from labeling.webhooks import Outcome
from models_runtime import outbound
from models_runtime.phrases import phrase

AT_ONCE = 8
SECONDS = 15.0  # for all of one try, as the scheme advises
READ = 2_000  # bytes of an answer


def send_due() -> int:
    """Send what is due, several at once; how many tries. The database is this thread's alone."""
    due = webhooks.claim(AT_ONCE)
    if not due:
        return 0
    sent = [(row.webhook.url, webhook_secrets.headers(row), row.body) for row in due]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda one: post(*one), sent))
    for message, outcome in zip(due, outcomes, strict=True):
        webhooks.settle(message, outcome)
    return len(due)


def post(url: str, headers: dict[str, str], body: str) -> Outcome:
    """One try. Redirects are answers like others, and no success."""
    began = time.monotonic()
    try:
        status, answer = _post(url, headers, body)
    except outbound.Unreachable as error:
        return Outcome(None, _since(began), _without_breaks(str(error)))
    except (OSError, http.client.HTTPException, ValueError):
        return Outcome(None, _since(began), phrase("No answer came in time, or none of HTTP."))
    return Outcome(status, _since(began), answer=answer)


def _post(url: str, headers: dict[str, str], body: str) -> tuple[int, str]:
    connect = outbound.connect if settings.WEBHOOKS_PRIVATE else outbound.connect_publicly
    connection, _ = connect(url)
    parts = urlsplit(url)
    # A receiver that sends a byte now and then would never meet the limit of one read.
    watch = Timer(SECONDS, _hang_up, [connection])
    watch.daemon = True
    watch.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body.encode(), headers)
        connection.sock.settimeout(SECONDS)
        response = connection.getresponse()
        return response.status, _text(response.read(READ))
    finally:
        watch.cancel()
        connection.close()


def _hang_up(connection: http.client.HTTPConnection) -> None:
    try:
        connection.sock.shutdown(socket.SHUT_RDWR)
    except (OSError, AttributeError):  # closed already
        return


def _text(answer: bytes) -> str:
    """For a person to read; a database takes no NUL."""
    return answer.decode("utf-8", "replace").replace("\0", "")


def _without_breaks(text: str) -> str:
    return " ".join(text.split())[:300]


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)

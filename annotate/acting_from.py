"""Middleware: what a request does is done from its client's address, with its browser."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from annotate import client_address
from models_runtime import acting
from models_runtime.acting import Place

# The first whose mark is in the header; most browsers carry the marks of those further down.
BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"), ("curl/", "curl"),
    ("python", "Python"),
)  # fmt: skip
SYSTEMS = (
    ("iPhone", "iOS"), ("iPad", "iPadOS"), ("Android", "Android"), ("CrOS", "ChromeOS"),
    ("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


def acting_from(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[..., HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        with acting.entered(lambda: _place(request)):
            return get_response(request)

    return middleware


def _place(request: HttpRequest) -> Place:
    channel = "API" if request.path.startswith("/api/") else "page"
    return Place(channel, client_address.of(request), agent(request.headers.get("User-Agent", "")))


def agent(header: str) -> str:
    """A browser's family and its system, and nothing that tells one person's from another's.

    >>> agent("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
    'Firefox · Linux'
    """
    found = [
        next((name for mark, name in marks if mark in header), "") for marks in (BROWSERS, SYSTEMS)
    ]
    return " · ".join(name for name in found if name)

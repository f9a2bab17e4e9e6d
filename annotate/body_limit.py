"""No request may be larger than what its address has a use for.

Django keeps a form's own size in bounds, but writes any file that comes with one to the disk
before a view, or the check of the form's token, has looked at who sends it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

# The addresses that take a file, from whoever is signed in.
UPLOADS = {"new-campaign", "upload-prompts", "upload-suggestions"}


class BodyLimit:
    """Middleware, before the one that checks the form's token."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        if _declared(request) <= _allowed(request):
            return None
        return render(request, "413.html", status=413)


def _declared(request: HttpRequest) -> int:
    """Bytes of the body; the server reads no more than the header says, and none without it."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _allowed(request: HttpRequest) -> int:
    match = request.resolver_match
    if match and match.url_name in UPLOADS and request.user.is_authenticated:
        return int(settings.LARGEST_UPLOAD)
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)

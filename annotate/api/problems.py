"""Errors as problem details (RFC 9457): a code for the program, a sentence for its person."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from ninja.errors import HttpError, ValidationError

from annotate import language
from models_runtime.states import StaleState

MEDIA_TYPE = "application/problem+json"
PREFIX = "/api/"
# Of a status that no route chose: the code, and what is said.
UNCHOSEN = {
    400: ("malformed", gettext_lazy("The request cannot be read.")),
    403: ("role", gettext_lazy("Your roles in the project do not let you do that.")),
    404: ("not-found", gettext_lazy("There is nothing here that this token may see.")),
    405: ("method", gettext_lazy("This address does not know that method.")),
    413: ("too-large", gettext_lazy("The request is larger than this address has a use for.")),
    500: ("error", gettext_lazy("Something went wrong here; whoever runs this has its log.")),
}


class Problem(Exception):
    """Ends a request. ``more`` are members of the answer beside the standard ones."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.more = headers or {}, more


def answer(problem: Problem) -> HttpResponse:
    """As application/problem+json."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        **problem.more,
    }
    made = HttpResponse(json.dumps(body), status=problem.status, content_type=MEDIA_TYPE)
    for name, value in problem.headers.items():
        made[name] = value
    made["Cache-Control"] = "no-store"
    return made


def told(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    """The answer to what a route raised, as ninja's handlers are called."""
    return answer(_of(error if isinstance(error, Exception) else error()))


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """What a service refuses, in its own sentence: 409 where it came too late, else 422."""
    try:
        yield
    except StaleState as error:
        raise Problem(409, "state", language.said_by(error)) from error
    except ValueError as error:
        raise Problem(422, "refused", language.said_by(error)) from error


def only_problems(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: whatever fails below /api/ is told as a problem, and not as a page."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.status_code < 400 or not request.path.startswith(PREFIX):
            return response
        if response.get("Content-Type", "").startswith(MEDIA_TYPE):
            return response
        made = answer(unchosen(response.status_code))
        if "Allow" in response:
            made["Allow"] = response["Allow"]
        return made

    return middleware


def unchosen(status: int) -> Problem:
    code, detail = UNCHOSEN.get(status, UNCHOSEN[400 if status < 500 else 500])
    return Problem(status, code, str(detail))


def _of(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, Http404):
        return unchosen(404)
    if isinstance(error, PermissionDenied):
        return unchosen(403)
    if isinstance(error, ValidationError):
        errors = [_named(one) for one in error.errors]
        said = _("The request does not fit what this address takes; see errors.")
        return Problem(422, "invalid", said, errors=errors)
    if isinstance(error, HttpError):
        cause = error.__cause__  # ninja hides what the parser of bodies raised
        return cause if isinstance(cause, Problem) else unchosen(error.status_code)
    raise error


def _named(error: dict[str, Any]) -> dict[str, str]:
    """Where, and what: without the value, which may be a secret that went to the wrong place."""
    return {"at": "/".join(str(step) for step in error["loc"]), "detail": str(error["msg"])}

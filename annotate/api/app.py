"""The API put together: its routes behind one gate, and its addresses."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path
from django.utils import translation
from django.utils.cache import get_conditional_response
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.operation import Operation

from annotate.api import (
    campaigns,
    cards,
    checkpoints,
    document,
    jobs,
    methods,
    problems,
    runs,
    snapshots,
)
from annotate.api.bodies import BoundedJson
from annotate.api.gate import Bearer, gate

ABOUT = (
    "The human side of RLHF: campaigns, frozen labels, training runs, checkpoints. A token, made "
    "on your account's page, acts as you in one project. Lists are by cursor, errors are problem "
    "details (RFC 9457), and GETs have ETags."
)
ROUTERS = (campaigns, snapshots, methods, runs, jobs, checkpoints, cards)


class Api(NinjaAPI):
    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The name of the function: what a client made from the document calls it."""
        return operation.view_func.__name__


def _made() -> Api:
    made = Api(
        title="Concord",
        version="1",
        description=ABOUT,
        urls_namespace="api",
        docs_url=None,
        openapi_url=None,
        auth=Bearer(),  # a route that names no scope lets nobody in
        parser=BoundedJson(),
    )
    made.add_decorator(gate, mode="view")
    for module in ROUTERS:
        made.add_router("", module.router)
    for kind in (problems.Problem, Http404, PermissionDenied, HttpError, ValidationError):
        made.add_exception_handler(kind, problems.told)
    return made


api = _made()


def operations() -> Iterator[tuple[str, Operation]]:
    """Every operation with its path below /api/v1."""
    for router in api._get_bound_routers():
        for address, view in router.path_operations.items():
            for operation in view.operations:
                yield address, operation


def scope_of(operation: Operation) -> str:
    """The scope that it asks for; "" where it forgot to name one."""
    return next((one.scope for one in operation.auth_callbacks if isinstance(one, Bearer)), "")


@functools.cache
def _document() -> bytes:
    """In English, whoever asks first."""
    with translation.override("en-gb"):
        plain: dict[str, Any] = api.get_openapi_schema(path_prefix="api/v1/")
        scopes = {one.view_func.__name__: scope_of(one) for _address, one in operations()}
        return json.dumps(document.completed(plain, scopes)).encode()


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """For everybody: it tells nothing of what is here."""
    body = _document()
    response = HttpResponse(body, content_type="application/json")
    response["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    found = get_conditional_response(request, etag=response["ETag"], response=response)
    return found if isinstance(found, HttpResponse) else response


@csrf_exempt
def nothing(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Any other address below /api/."""
    return problems.answer(problems.unchosen(404))


urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/openapi.json", openapi, name="api-document"),
    path("api/v1/", api.urls),
    path("api/", nothing, name="api-nothing"),
    path("api/<path:rest>", nothing, name="api-nothing-here"),
]

"""What every call of the API goes through: its token, its turn, its idempotency key, its ETag."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.translation import gettext as _
from ninja.security import HttpBearer

from annotate import access, language
from annotate.api import problems
from annotate.api.problems import Problem
from labeling import tokens
from labeling.models import Token, TokenAnswer, User

MOST_BODY = 1 << 20  # bytes
MOST_KEY = 200
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="concord"'}
Run = Callable[..., HttpResponseBase]


class Call(HttpRequest):
    """What a route receives: ``user`` is the token's, with the roles of its project alone."""

    user: User
    token: Token


class Bearer(HttpBearer):
    """The scope that a route asks for. Every route has one: without it the API answers 401."""

    def __init__(self, scope: str = "") -> None:
        super().__init__()
        self.scope = scope

    def authenticate(self, request: Any, token: str) -> Token:
        """The secret itself was looked at by the gate."""
        found: Token | None = getattr(request, "token", None)
        if found is None:
            raise Problem(401, "token", _("This address takes no token."), CHALLENGE)
        if self.scope not in found.scopes:
            said = _("The token lacks the scope %(scope)s.") % {"scope": self.scope or "-"}
            raise Problem(403, "scope", said, scope=self.scope)
        return found


def gate(run: Run) -> Run:
    """Around every operation. Cookies are nothing here, so there is no forged request either."""

    @functools.wraps(run)
    def gated(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            _enter(request)
            if request.method == "POST":
                response = _once(request, lambda: run(request, *args, **kwargs))
            else:
                response = run(request, *args, **kwargs)
        except Problem as problem:
            response = problems.answer(problem)
        return _marked(request, response)

    return gated


def _enter(request: Any) -> None:
    """Raises Problem unless the call has a token in force, a size and a turn."""
    token = _token(request)
    if wait := tokens.count_call(token):
        said = _("The token has made all calls that it may make in a minute.")
        raise Problem(429, "rate", said, {"Retry-After": str(wait)})
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BODY:
        raise problems.unchosen(413)
    request.token = token
    request.user = access.narrowed(token.user, token.project)


def _token(request: HttpRequest) -> Token:
    kind, _space, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        said = _("Send a token in the header Authorization: Bearer TOKEN.")
        raise Problem(401, "token", said, CHALLENGE)
    token = tokens.find(secret.strip())
    refused = tokens.refusal(token) if token else ""
    if token is None or refused:
        said = language.translated(refused) or _("There is no such token.")
        invalid = CHALLENGE["WWW-Authenticate"] + ', error="invalid_token"'
        raise Problem(401, "token", said, {"WWW-Authenticate": invalid})
    return token


def _once(request: Any, run: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Under an idempotency key the act and the record of its answer are one transaction: a call
    that is repeated, or that meets itself, acts once and is answered the same. What was refused
    changed nothing and is not kept."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return run()
    if len(key) > MOST_KEY or not key.isascii() or not key.isprintable():
        said = _("An idempotency key has at most 200 printable ASCII characters.")
        raise Problem(422, "idempotency-key", said)
    tokens.forget_answers()
    with transaction.atomic():
        row, new = _claimed(request.token, key, _digest(request))
        if not new:
            return _again(row, _digest(request))
        response = run()
        if response.status_code >= 400:
            transaction.set_rollback(True)
            return response
        row.status, row.body = response.status_code, _text(response)
        row.save(update_fields=["status", "body"])
    return response


def _claimed(token: Token, key: str, digest: str) -> tuple[TokenAnswer, bool]:
    try:
        with transaction.atomic():
            made = TokenAnswer.objects.create(token=token, key=key, request_sha256=digest)
            return made, True
    except IntegrityError:
        return TokenAnswer.objects.get(token=token, key=key), False


def _again(row: TokenAnswer, digest: str) -> HttpResponse:
    if row.request_sha256 != digest:
        said = _("That idempotency key went with another request.")
        raise Problem(422, "idempotency-key", said)
    made = HttpResponse(row.body, status=row.status, content_type="application/json")
    made["Idempotent-Replayed"] = "true"
    return made


def _digest(request: HttpRequest) -> str:
    head = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(head + request.body).hexdigest()


def _text(response: Any) -> str:
    return str(response.content.decode())


def _marked(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """With an ETag where there is a body to read again, and never in a shared cache."""
    patch_vary_headers(response, ["Authorization"])
    if not response.has_header("Cache-Control"):
        response["Cache-Control"] = "private, no-cache"
    if request.method != "GET" or response.status_code != 200:
        return response
    if isinstance(response, HttpResponse) and not response.has_header("ETag"):
        response["ETag"] = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    found = get_conditional_response(
        request,
        etag=response.get("ETag"),
        response=response,  # type: ignore[arg-type]  # a stream has an ETag as well
    )
    return found if found is not None else response

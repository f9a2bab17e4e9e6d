"""Says how many SQL queries a request made, to a client that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse

ASK = "X-Count-Queries"
CONTROL = ("BEGIN", "SAVEPOINT", "RELEASE")  # of transactions; some back ends report them


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    def count(request: HttpRequest) -> HttpResponse:
        if ASK not in request.headers:
            return get_response(request)
        made: list[str] = []

        def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if not sql.startswith(CONTROL):
                made.append(sql)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            response = get_response(request)
        response.headers[ASK] = str(len(made))
        return response

    return count

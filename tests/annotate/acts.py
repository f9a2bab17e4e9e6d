"""Every press that changes something writes an event: looked at in every test that presses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import Resolver404

WRITES = re.compile(r'\s*(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM)\s+"(\w+)"', re.I)
EVENTS = "models_runtime_auditevent"
# Of sessions, of what is wrong with a password, of a program's calls, and nobody's act.
BESIDE = re.compile(r"django_session|axes_|labeling_knock|labeling_token(?:use|answer)")
# Presses that change something and are no event, and why.
WITHOUT = {
    # A label, and each of its assignment's moves, is a row that tells who and when by itself.
    **dict.fromkeys(
        ("submit", "skip", "undo", "renew", "release", "talk-say", "talk-judge", "talk-rate",
         "talk-undo", "talk-again", "talk-end", "talk-start",
         "next_card", "answer_card", "skip_card"),
        "its own record",
    ),
    **dict.fromkeys(("flag", "talk-flag"), "its own record; what a lead decides is told"),
    "care": "which kinds somebody left stays between them and the table",
    "account": "keys: how somebody works is nobody's business; a new password is told",
    "language": "how somebody reads is nobody's business",
    **dict.fromkeys(
        ("open-notice", "mark-notice", "read-notices", "notice-settings", "end-mail", "told",
         "told-verdict"),
        "what somebody has read, and wants to be told, is nobody's business",
    ),
    "ask-password": "says the same, and does as much, where nobody has the address",
}  # fmt: skip


def watch(patch: pytest.MonkeyPatch) -> None:
    """Have every POST of a test client fail that changed rows and told nobody."""
    send = Client.request

    def watched(self: Client, **environ: Any) -> Any:
        if environ.get("REQUEST_METHOD") != "POST":
            return send(self, **environ)
        written: set[str] = set()
        with connection.execute_wrapper(_noting(written)):
            response = send(self, **environ)
        name = _named(response)
        changed = {table for table in written if not BESIDE.match(table)}
        if changed and EVENTS not in changed and "ROLLBACK" not in changed:
            assert name in WITHOUT, f"{name} changed {sorted(changed)} and wrote no event"
        return response

    patch.setattr(Client, "request", watched)


def _named(response: Any) -> str | None:
    """The name of the address; none of one that leads nowhere."""
    try:
        return getattr(response.resolver_match, "url_name", None)
    except Resolver404:
        return None


def _noting(written: set[str]) -> Callable[..., Any]:
    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        done = execute(sql, params, many, context)
        if sql.startswith("ROLLBACK"):  # what was refused changed nothing
            written.add("ROLLBACK")
        elif (found := WRITES.match(sql)) and _touched(found[0], context["cursor"]):
            written.add(found[1])
        return done

    return note


def _touched(verb: str, cursor: Any) -> bool:
    """Whether a row was written. SQLite counts those of an INSERT that returns ids too late."""
    return verb.lstrip().upper().startswith("INSERT") or cursor.rowcount != 0

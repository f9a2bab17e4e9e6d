"""Lists by cursor, the newest first: what comes meanwhile neither repeats nor hides a row."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from ninja import Path, Query, Schema

from annotate.api.problems import Problem

T = TypeVar("T")
WIDEST = 9_007_199_254_740_991  # an id that every language's numbers hold
Id = Annotated[int, Path(ge=1, le=WIDEST)]
Slug = Annotated[str, Path(pattern=r"^[-a-zA-Z0-9_]+$", max_length=200)]
Limit = Annotated[int, Query(ge=1, le=200, description="Rows at most.")]
Cursor = Annotated[
    str, Query(max_length=40, description="next of the page before; empty: the first page.")
]


class Page(Schema, Generic[T]):
    """``next`` is the cursor of the page that follows; null on the last."""

    items: list[T]
    next: str | None


def page(rows: QuerySet[Any], cursor: str, limit: int, made: Callable[[Any], Any]) -> Any:
    """The rows below the cursor. Raises Problem for a cursor that no page gave."""
    if cursor:
        rows = rows.filter(pk__lt=_id_of(cursor))
    found = list(rows.order_by("-pk")[: limit + 1])
    more = len(found) > limit
    items = [made(row) for row in found[:limit]]
    return {"items": items, "next": _cursor_of(found[limit - 1].pk) if more else None}


def _cursor_of(pk: int) -> str:
    return base64.urlsafe_b64encode(f"before {pk}".encode()).decode().rstrip("=")


def _id_of(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        word, number = text.split(" ")
        pk = int(number)
    except (ValueError, binascii.Error):
        word, pk = "", 0
    if word != "before" or not 0 < pk <= WIDEST:
        raise Problem(422, "cursor", _("That cursor is of no page of this list."))
    return pk

"""Bodies of requests: JSON of bounded depth, of texts and numbers that a database can hold."""

from __future__ import annotations

import json
import math
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.parser import Parser

from annotate.api.problems import Problem

DEEPEST = 16
WIDEST = 1 << 53  # beyond it programs of other languages round whole numbers


class BoundedJson(Parser):
    """The size was looked at by the gate."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Raises Problem for what is no JSON object that can be kept."""
        if request.content_type != "application/json":
            raise Problem(415, "media-type", _("Send the body as application/json."))
        try:
            body = json.loads(request.body.decode("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise Problem(400, "malformed", _("The body is no JSON.")) from None
        if not isinstance(body, dict):
            raise Problem(400, "malformed", _("The body is no JSON object."))
        if not _can_be_kept(body):
            said = _("The body is nested too deeply, or holds what no database can keep.")
            raise Problem(400, "malformed", said)
        return body


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are no JSON


def _can_be_kept(body: Any) -> bool:
    """Level by level, so that no nesting is too deep to be looked at."""
    level = [body]
    for _depth in range(DEEPEST):
        if not all(_is_fine(one) for one in level):
            return False
        inside = [one for one in level if isinstance(one, dict | list)]
        level = [one for box in inside for one in _held_by(box)]
        if not level:
            return True
    return False


def _held_by(box: dict[str, Any] | list[Any]) -> list[Any]:
    return [*box.keys(), *box.values()] if isinstance(box, dict) else box


def _is_fine(one: Any) -> bool:
    if isinstance(one, str):
        return "\0" not in one and not any("\ud800" <= letter <= "\udfff" for letter in one)
    if isinstance(one, int):
        return abs(one) <= WIDEST
    return not isinstance(one, float) or math.isfinite(one)

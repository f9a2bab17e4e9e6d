"""Training methods: what a run may be told, as JSON Schema made from the methods' own configs."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.http import Http404
from ninja import Router, Schema

from annotate import language
from annotate.api.gate import Bearer, Call
from annotate.api.pages import Slug
from annotate.method_titles import ABOUT, METHOD_TITLES, SCORERS
from training.configs import METHODS, Filters

router = Router(tags=["methods"])
READS = Bearer("runs:read")
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


class MethodOut(Schema):
    """``makes``: policy or reward_model. ``options``: a JSON Schema of what a run takes, with the
    authors' defaults; for a small model a run starts from others, which its answer has."""

    name: str
    title: str
    about: str
    makes: str
    options: dict[str, Any]


class MethodsOut(Schema):
    """``filters``: a JSON Schema of what a run may leave out of its data."""

    items: list[MethodOut]
    filters: dict[str, Any]


@router.get("/methods", response=MethodsOut, auth=READS)
def list_methods(request: Call) -> Any:
    """All methods with their options, and the filters of a run's data."""
    return {"items": [_method(name) for name in METHODS], "filters": schema_of(Filters)}


@router.get("/methods/{name}", response=MethodOut, auth=READS)
def get_method(request: Call, name: Slug) -> Any:
    """One method with its options."""
    if name not in METHODS:
        raise Http404
    return _method(name)


def schema_of(kind: type[Any]) -> dict[str, Any]:
    """A JSON Schema (2020-12) of a config dataclass, described as in training.configs.base."""
    options = {one.name: _option(one) for one in dataclasses.fields(kind)}
    return {"type": "object", "additionalProperties": False, "properties": options}


def _option(field: dataclasses.Field[Any]) -> dict[str, Any]:
    known = {
        "type": TYPES[type(field.default)],
        "description": language.translated(field.metadata.get("help")),
        "default": field.default,
        "minimum": field.metadata.get("low"),
        "maximum": field.metadata.get("high"),
        "enum": list(field.metadata.get("choices") or ()) or None,
    }
    return {name: value for name, value in known.items() if value is not None}


def _method(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": str(METHOD_TITLES.get(name, name)),
        "about": str(ABOUT.get(name, "")),
        "makes": "reward_model" if name in SCORERS else "policy",
        "options": schema_of(METHODS[name][1]),
    }

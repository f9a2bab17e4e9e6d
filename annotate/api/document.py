"""The OpenAPI 3.1 document: what ninja makes of the routes, and what is true of all of them."""

from __future__ import annotations

from typing import Any

from annotate.api import problems
from annotate.api.checkpoints import MARKDOWN
from annotate.api.gate import MOST_KEY
from annotate.api.runs import NDJSON

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is for the program, `detail` for its person.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "scope": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["at", "detail"],
                "properties": {"at": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
ALWAYS = {
    401: "No token, or none in force.",
    403: "The token lacks the scope, or its person the role.",
    404: "Nothing that this token may see.",
    422: "The request does not fit, or was refused for the reason given.",
    429: "Too many calls; Retry-After says for how many seconds.",
}
OF_A_POST = {
    400: "The body is no JSON that can be kept.",
    409: "It came too late: the state does not allow it any more.",
    413: "The body is too large.",
    415: "The body is no application/json.",
}
KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": (
        "A name of your own for this act, kept for a day: repeated, it acts once and is answered "
        "the same; with another request it is refused (422)."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": MOST_KEY, "pattern": "^[!-~]+$"},
}
FRESH = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "description": "The ETag of an answer that you have: 304 where it still holds.",
    "schema": {"type": "string", "pattern": "^[!-~]*$"},
}
# What routes answer that is no JSON object, by the name of the operation.
OTHER_BODIES = {
    "stream_metrics": {NDJSON: {"schema": {"type": "string"}}},
    "get_model_card": {MARKDOWN: {"schema": {"type": "string"}}},
    "download_snapshot_file": {"application/octet-stream": {"schema": {"type": "string"}}},
}


def completed(document: dict[str, Any], scopes: dict[str, str]) -> dict[str, Any]:
    """The document with errors, headers and scopes of every operation (its id -> its scope)."""
    document["components"]["schemas"]["Problem"] = PROBLEM
    for operations in document["paths"].values():
        for method, operation in operations.items():
            name = operation["operationId"]
            operation["security"] = [{"Bearer": [scopes[name]]}]
            operation["responses"].update(_errors(method))
            operation["parameters"].append(KEY if method == "post" else FRESH)
            if name in OTHER_BODIES:
                operation["responses"][200]["content"] = OTHER_BODIES[name]
            if method == "get":
                operation["responses"][304] = {"description": "What you have still holds."}
    return document


def _errors(method: str) -> dict[int, Any]:
    said = {**ALWAYS, **(OF_A_POST if method == "post" else {})}
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {problems.MEDIA_TYPE: {"schema": schema}}
    return {status: {"description": text, "content": content} for status, text in said.items()}

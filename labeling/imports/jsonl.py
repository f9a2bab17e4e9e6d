"""JSON lines: one object a line. Blank lines are passed over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from labeling.imports import Fault, Row, lines
from models_runtime.phrases import phrase

EXAMPLE = """\
{"prompt": "Why is the sky blue?", "category": "science", "id": "q1"}
{"instruction": "Make this shorter.", "input": "A sentence that goes on.", "tags": ["rewrite"]}
{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi!"}]}
{"turns": ["Write a poem.", "Now make it rhyme."], "language": "en", "author": "a7"}
"""


def rows(path: Path) -> Iterator[Row]:
    for number, text in lines(path):
        if isinstance(text, Fault):
            yield number, text
        elif text.strip():
            yield number, _parsed(text)


def _parsed(text: str) -> dict[str, Any] | Fault:
    try:
        row = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        return Fault(phrase("The JSON is nested too deeply."))
    except json.JSONDecodeError as error:
        return Fault(
            phrase(
                "This is not JSON: %(reason)s at character %(place)s.",
                reason=error.msg,
                place=error.pos + 1,
            )
        )
    except ValueError as error:
        return Fault(
            phrase(
                "This is not JSON that can be read: %(reason)s.", reason=str(error).split(";")[0]
            )
        )
    if not isinstance(row, dict):
        return Fault(phrase("The line holds no JSON object, as {...}."))
    return row


def _no_constant(name: str) -> NoReturn:
    raise ValueError(phrase("%(name)s is not JSON", name=name))

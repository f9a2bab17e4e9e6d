"""Names and options as Markdown and YAML that mean themselves, whatever characters they hold"""

from __future__ import annotations

import json
import re
from typing import Any

MARKS = re.compile(r"([\\`*_{}#!|~^=+])")
# A backslash before these begins a formula, or leaves an address an address.
SPELLED = re.compile(r"[<>()\[\]&$@]|:(?=//)|\.(?=[^\W\d])")


def inert(text: object) -> str:
    """One line of Markdown that shows the text: no link, no markup, no invisible character."""
    line = MARKS.sub(r"\\\1", _visible(" ".join(str(text).split())))
    return SPELLED.sub(lambda match: f"&#{ord(match.group())};", line)


def code(text: object) -> str:
    """A code span that shows the text; a backtick, which would end it, becomes an apostrophe."""
    return f"`{_visible(' '.join(str(text).split())).replace('`', chr(39)) or ' '}`"


def yaml(data: dict[str, Any]) -> str:
    """A mapping as YAML in which every value is JSON, whose strings YAML reads the same."""
    return "".join(f"{name}: {_json(value)}\n" for name, value in data.items())


def _json(value: Any) -> str:
    """What cannot be printed is escaped as YAML takes it, beyond the basic plane too."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in text)


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in text)

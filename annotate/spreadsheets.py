"""Cells of a CSV file, which somebody will open in a spreadsheet."""

from __future__ import annotations

import re
from typing import Any

FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")


def cell(value: Any) -> Any:
    """A figure as it is; a text that a spreadsheet would run as a formula, as the text."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value

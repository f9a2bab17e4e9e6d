"""Export formats, one module per trainer: rows(...), columns(...), EXAMPLE. Pure.

A format turns judged comparisons into rows; ``files`` writes rows as JSON lines or Parquet.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

EXPORTS = {
    "trl": "labeling.exports.trl",
    "sft": "labeling.exports.sft",
    "kto": "labeling.exports.kto",
    "ranked": "labeling.exports.ranked",
}


def load(name: str) -> ModuleType:
    """The module of a format. Raises ValueError naming the formats there are."""
    if name not in EXPORTS:
        raise ValueError(f"There is no export format named {name}: choose {', '.join(EXPORTS)}.")
    return import_module(EXPORTS[name])

"""What raters said about one comparison, as plain records: what snapshots freeze, exports write
and agreement counts. Pure; snapshots.judged reads them from the tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from models_runtime.records import Message, Preference

SOURCES = ("person", "program", "simulated")


@dataclass(frozen=True)
class Answer:
    """One label in force. ``preferences`` and ``ties`` are what it says in the TRAINING
    direction; ``answer`` is what was asked and stored. ``rater`` is a pseudonym."""

    label: int
    rater: str
    source: str  # person | program | simulated
    preferences: list[Preference]
    ties: list[list[int]]
    counted: bool = True
    late: bool = False
    occasion: int = 0  # above 0: a hidden repeat, which measures the rater and never votes
    order: list[int] = field(default_factory=list)  # completion ids as shown, left to right
    question: int = 1
    guideline: int | None = None
    active_ms: int | None = None
    layout: str = ""
    created_at: str = ""  # ISO 8601, UTC
    answer: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JudgedCompletion:
    id: int
    text: str
    checkpoint: str = ""
    finish_reason: str = "unknown"
    on_policy: bool = True
    system_prompt: str = ""


@dataclass(frozen=True)
class Judged:
    """A comparison with its labels in force, in the order they were given.

    ``flags`` holds the codes of unresolved flags.
    """

    comparison: int
    iteration: int  # its number; 0 for what belongs to none
    prompt: int
    item: str
    split: str
    fold: str
    strategy: str
    messages: list[Message]
    completions: list[JudgedCompletion]
    answers: list[Answer]
    flags: list[str] = field(default_factory=list)

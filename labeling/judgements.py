"""What raters said about one comparison, as plain records: what snapshots freeze, exports write
and agreement counts. Pure; snapshots.judged reads them from the tables."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from models_runtime.records import Message, Preference

SOURCES = ("person", "program", "simulated")
ERASED = "pairs with an erased text"  # what Judged.erased counts, in words


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
    trains_on: str = "chosen"  # the question's direction, for what ``answer`` says besides


@dataclass(frozen=True)
class JudgedCompletion:
    """``following``: what a talk's thread went on with, in a comparison of whole threads.
    ``written``: a rater wrote it in an answer, and nobody was shown it. ``erased``: its text, or
    that of its prompt, was a person's who had it erased."""

    id: int
    text: str
    checkpoint: str = ""
    finish_reason: str = "unknown"
    on_policy: bool = True
    system_prompt: str = ""
    following: list[Message] = field(default_factory=list)
    written: bool = False
    erased: bool = False

    @property
    def said(self) -> list[Message]:
        """All of it as messages, the reply to the prompt first."""
        return [{"role": "assistant", "content": self.text}, *self.following]


@dataclass(frozen=True)
class Judged:
    """A comparison with its labels in force, in the order they were given.

    ``flags`` holds the codes of unresolved flags. ``erased`` says how many of the pairs that
    labels state were taken out of them, since a text of theirs was erased. ``asked`` holds the
    parts of each question that was answered, by its number. ``category`` and ``tags`` are the
    prompt's.
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
    erased: int = 0
    asked: dict[int, dict[str, dict[str, Any]]] = field(default_factory=dict)
    category: str = ""
    tags: list[str] = field(default_factory=list)
    resolved: Answer | None = None  # a lead's own answer, where one decides the comparison

    @property
    def shown(self) -> set[int]:
        """The ids of what raters chose among: all but what they wrote themselves."""
        return {completion.id for completion in self.completions if not completion.written}


def without_erased(judged: Judged) -> Judged:
    """The comparison without the pairs, ordered or tied, that name an erased text: nothing can
    be learned from them but that an empty answer is better, or worse."""
    erased = {completion.id for completion in judged.completions if completion.erased}
    if not erased:
        return judged
    answers = [_without(answer, erased) for answer in judged.answers]
    lost = sum(map(_pairs, judged.answers)) - sum(map(_pairs, answers))
    resolved = _without(judged.resolved, erased) if judged.resolved else None
    return replace(judged, answers=answers, resolved=resolved, erased=lost)


def _without(answer: Answer, erased: Collection[int]) -> Answer:
    return replace(
        answer,
        preferences=[
            pair
            for pair in answer.preferences
            if pair.chosen not in erased and pair.rejected not in erased
        ],
        ties=[tie for tie in answer.ties if not set(tie) & set(erased)],
    )


def _pairs(answer: Answer) -> int:
    return len(answer.preferences) + len(answer.ties)

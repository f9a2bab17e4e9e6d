"""What a rater sees of an assignment, and nothing more.

Blind by construction: a Card is built from the texts in their displayed order and the
assignment's random id. No completion, checkpoint or comparison id reaches a template.
"""

from __future__ import annotations

import functools
import uuid
from dataclasses import dataclass
from typing import Any

from labeling import questions, rendering
from labeling.models import Assignment, Completion, GuidelineVersion, QuestionVersion
from labeling.questions.pairwise import Step

# Which keys of the keyboard a printed key stands for, by KeyboardEvent.code.
CODES = {
    **{str(d): (f"Digit{d}", f"Numpad{d}") for d in range(10)},
    **{letter: (f"Key{letter.upper()}",) for letter in "abcdefghijklmnopqrstuvwxyz"},
}
SPEAKERS = {"user": "Person", "assistant": "Model", "system": "Setting"}


@dataclass(frozen=True)
class Side:
    letter: str
    html: str  # safe: rendered when it was sampled or imported, else plain text
    text: str
    cut_off: bool  # at the length limit

    @property
    def name(self) -> str:
        return self.letter.lower()


@dataclass(frozen=True)
class Button:
    step: Step
    codes: str  # space-separated KeyboardEvent codes


@dataclass(frozen=True)
class Group:
    """Buttons that stand together: the left side's, the middle, the right side's."""

    name: str
    buttons: list[Button]


@dataclass(frozen=True)
class Card:
    assignment: uuid.UUID
    turns: list[dict[str, str]]
    sides: list[Side]
    part: str  # the question's part that the judgement bar answers
    groups: list[Group]
    key: uuid.UUID  # the idempotency key of a browser without scripts


def build(assignment: Assignment, question: QuestionVersion) -> Card:
    """The card of one assignment, asking this question."""
    texts = Completion.objects.in_bulk(assignment.order)
    key, part = next(iter(question.parts.items()))
    return Card(
        assignment=assignment.public_id,
        turns=_turns(assignment.comparison.prompt.messages),
        sides=[
            _side(letter, texts[pk]) for letter, pk in zip("AB", assignment.order, strict=False)
        ],
        part=key,
        groups=_groups(part),
        key=uuid.uuid4(),
    )


def answer_of(question: QuestionVersion, posted: dict[str, str]) -> dict[str, Any]:
    """The raw parts of an answer as a form sends them, one ``choice-KEY`` for each part."""
    return {key: {"choice": posted.get(f"choice-{key}", "")} for key in question.parts}


@functools.lru_cache(maxsize=64)
def _rendered(markdown: str) -> str:
    return rendering.render(markdown)


def guidelines_html(version: GuidelineVersion | None) -> str:
    """The guidelines as safe HTML, rendered once a process: 12 ms for a long text."""
    return _rendered(version.markdown) if version else ""


def _side(letter: str, shown: Completion) -> Side:
    html = shown.html if shown.renderer else rendering.visible(shown.text)
    return Side(letter, html, shown.text, cut_off=shown.finish_reason == "length")


def _turns(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    return [
        {"who": SPEAKERS.get(m["role"], m["role"]), "html": rendering.visible(m["content"])}
        for m in messages
    ]


def _groups(part: dict[str, Any]) -> list[Group]:
    groups: dict[str, list[Button]] = {"left": [], "middle": [], "right": []}
    for step in questions.load(part["type"]).scale(part):
        name = {0: "left", 1: "right"}.get(step.position, "middle")
        codes = " ".join(code for key in step.keys for code in CODES.get(key, ()))
        groups[name].append(Button(step, codes))
    return [Group(name, buttons) for name, buttons in groups.items() if buttons]

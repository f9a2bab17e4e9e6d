"""What a rater sees of an assignment, and nothing more.

Blind by construction: a Card is built from the texts in their displayed order and the
assignment's random id. No completion, checkpoint or comparison id reaches a template.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy

from labeling import boundaries, questions, rendering, repairs, written
from labeling.models import (
    Assignment,
    Campaign,
    Completion,
    ConsentVersion,
    GuidelineVersion,
    QuestionVersion,
)
from labeling.questions import Shown, texts
from models_runtime.records import Message

LETTERS = "ABCDEFGHI"
EXAMPLE_PROMPT: list[Message] = [
    {"role": "user", "content": "Why is the sky blue? Please tell it in one sentence."}
]
EXAMPLE_ANSWERS = [
    "Air scatters the blue part of sunlight more than the red, so blue comes from all around.",
    "Because it reflects the sea.",
    "The sky is blue due to **Rayleigh scattering**, whose strength grows as 1/λ⁴.",
    "It is not always blue: look at it in the evening.",
    "Blue light bounces about in the air, and that is what you see.",
    "Nobody knows for certain.",
    "Sunlight holds all colours, and air sends the blue ones on detours.",
    "Space is black, so the sky is really black.",
    "Ozone colours it, at dusk above all.",
]
CHOSEN = ("about", "category")  # fields of a typed part that nobody types
SPEAKERS = {
    "user": gettext_lazy("Person"),
    "assistant": gettext_lazy("Model"),
    "system": gettext_lazy("Setting"),
}


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
class Part:
    """One part of the question: what templates/questions/TYPE.html draws."""

    key: str
    type: str
    config: dict[str, Any]
    controls: dict[str, Any]
    given: dict[str, str]  # by field: what was said before and taken back, refused or suggested
    is_suggested: bool = False

    @property
    def required(self) -> bool:
        return bool(self.config.get("required", True))

    @property
    def template(self) -> str:
        return f"questions/{self.type}.html"


@dataclass(frozen=True)
class Card:
    assignment: uuid.UUID | None  # none of a preview
    turns: list[dict[str, str]]
    sides: list[Side]
    parts: list[Part]
    instant: bool  # one press is the whole answer
    kinds: list[str]  # of prompts, this one's, that the rater may leave
    key: uuid.UUID  # the idempotency key of a browser without scripts
    suggested_by: str = ""  # where its rater may know

    @property
    def is_suggested(self) -> bool:
        """Whether an answer is filled in that the rater did not give."""
        return any(part.is_suggested for part in self.parts)


def build(
    assignment: Assignment, question: QuestionVersion, refused: dict[str, str] | None = None
) -> Card:
    """The card of one assignment, asking this question. ``refused`` is an answer to it that was
    sent and not stored; else what comes back is the answer that the rater took back, and on a
    card that is new the answer that was suggested, if one was: to be confirmed, not pressed by
    accident."""
    rows = assignment.completions
    given, suggested = _given(question, assignment, refused), {}
    if not given and refused is None:
        given = suggested = repairs.suggested(assignment, question)
    return Card(
        assignment=assignment.public_id,
        turns=turns(assignment.comparison.prompt.messages),
        sides=[
            side(letter, rows[pk]) for letter, pk in zip(LETTERS, assignment.order, strict=False)
        ],
        parts=_parts(question, _shown(question, assignment, rows), given, suggested),
        instant=questions.is_instant(question.parts) and not suggested,
        kinds=_kinds(assignment),
        key=uuid.uuid4(),
        suggested_by=repairs.suggester(assignment) if suggested else "",
    )


def sample(
    question: QuestionVersion,
    messages: list[Message],
    said: list[str],
    given: dict[str, dict[str, str]] | None = None,
) -> Card:
    """A card that belongs to nobody, for a look at it before there is one, or for an answer by a
    lead: the completions are numbered from 1, and nothing leads to an assignment. ``given`` are
    the fields that stand filled, by KEY."""
    shown = Shown(list(range(1, len(said) + 1)), texts=dict(enumerate(said, 1)))
    return Card(
        assignment=None,
        turns=turns(messages),
        sides=[
            Side(letter, rendering.render(text), text, cut_off=False)
            for letter, text in zip(LETTERS, said, strict=False)
        ],
        parts=_parts(question, shown, given or {}, {}),
        instant=False,
        kinds=[],
        key=uuid.uuid4(),
    )


def example(question: QuestionVersion, completions: int) -> Card:
    """The same with a made-up prompt and as many answers."""
    return sample(question, EXAMPLE_PROMPT, EXAMPLE_ANSWERS[:completions])


def wording(campaign: Campaign) -> str:
    """Which versions of question and guidelines a card of now shows: a browser compares it."""
    asked, told = campaign.question, campaign.guideline
    return f"{asked.number if asked else 0}/{told.number if told else 0}"


def answer_of(question: QuestionVersion, posted: dict[str, str]) -> dict[str, Any]:
    """The raw parts of an answer as a form sends them."""
    return questions.raw_parts(question.parts, posted)


def unsaved(
    assignment: Assignment, question: QuestionVersion, posted: dict[str, str]
) -> list[str]:
    """The texts that somebody typed into an answer: not what the card itself put there."""
    there = {texts.cleaned(text).strip() for text in written.texts_of(assignment)().values()}
    found = []
    for key, raw in answer_of(question, posted).items():
        if hasattr(questions.load(question.parts[key]["type"]), "typed"):
            typed = (texts.cleaned(raw[field]) for field in raw if field not in CHOSEN)
            found += [text for text in typed if text.strip() and text.strip() not in there]
    return found


@functools.lru_cache(maxsize=512)
def _rendered(markdown: str) -> str:
    return rendering.render(markdown)


@functools.lru_cache(maxsize=512)
def said_html(text: str) -> str:
    """What was said to the model, as safe HTML. A prompt comes back, to other raters and as the
    beginning of a talk; short plain ones cost 0.1 ms, 500 characters with code 1.6 ms."""
    return rendering.render(text)


def guidelines_html(version: GuidelineVersion | None) -> str:
    """The guidelines as safe HTML, rendered once a process: 12 ms for a long text."""
    return _rendered(version.markdown) if version else ""


def consent_html(version: ConsentVersion) -> str:
    return _rendered(version.markdown)


def answer_html(markdown: str) -> str:
    """A lead's answer to a question about a card, which many read."""
    return _rendered(markdown)


def side(letter: str, shown: Completion) -> Side:
    """An imported text is rendered when somebody reads it: thousands arrive at once."""
    html = rendering.stored(shown.text, shown.html, shown.renderer)
    if not shown.renderer:
        html = said_html(shown.text)
    return Side(letter, html, shown.text, cut_off=shown.finish_reason == "length")


def turns(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    return [
        {
            "who": str(SPEAKERS.get(message["role"], message["role"])),
            "html": said_html(message["content"]),
            "text": message["content"],
        }
        for message in messages
    ]


def _shown(
    question: QuestionVersion, assignment: Assignment, rows: dict[int, Completion]
) -> Shown:
    """What the question's parts need to know about this card."""
    said = {pk: row.text for pk, row in rows.items()}
    writes = any(part["type"] == "prompt_writing" for part in question.parts.values())
    counts = written.counts(assignment.comparison.campaign) if writes else {}
    return Shown(assignment.order, texts=said, written=counts)


def _kinds(assignment: Assignment) -> list[str]:
    comparison = assignment.comparison
    warned = comparison.campaign.content_warning
    return boundaries.kinds(comparison.prompt) if warned else []


def _given(
    question: QuestionVersion, assignment: Assignment, refused: dict[str, str] | None
) -> dict[str, dict[str, str]]:
    return answer_of(question, refused) if refused else written.given(assignment)


def _parts(
    question: QuestionVersion,
    shown: Shown,
    given: dict[str, dict[str, str]],
    suggested: Collection[str],
) -> list[Part]:
    return [
        Part(
            key=key,
            type=part["type"],
            config=part,
            controls=questions.load(part["type"]).controls(part, shown),
            given=given.get(key, {}),
            is_suggested=key in suggested,
        )
        for key, part in question.parts.items()
    ]

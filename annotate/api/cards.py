"""Cards for programs that rate: the next one, its answer, putting it away.

Blind as a page is: a card has the texts in the order in which they are shown, and a random id.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import Http404
from ninja import Field, Router, Schema, Status

from annotate import access, language
from annotate.api.gate import Bearer, Call
from annotate.api.pages import Slug
from annotate.api.problems import Problem, refusals
from annotate.api.runs import Strict
from labeling import labels, leases, wording
from labeling.models import Assignment
from labeling.questions import InvalidAnswer
from models_runtime.records import Message

router = Router(tags=["cards"])
WRITES = Bearer("labels:write")
Text = Annotated[str, Field(max_length=100_000)]
DAY_MS = 24 * 3600 * 1000


class TurnOut(Schema):
    role: str
    content: str


class CardOut(Schema):
    """``answers`` in the order in which they are shown: the first is 0 in an answer. ``parts`` is
    what is asked, by key; ``question`` and ``guidelines`` are versions' numbers."""

    id: UUID
    campaign: str
    prompt: list[TurnOut]
    answers: list[str]
    text: str
    parts: dict[str, Any]
    question: int
    guidelines: int | None
    leased_until: datetime


class AnswerIn(Strict):
    """``parts``: by key, the fields that the instrument takes, as on a page: of a pair
    {"preference": {"choice": "0:better"}}. ``key``: a UUID of your own for this answer; repeated,
    the stored label is given back. ``question`` and ``guidelines`` are as the card had them."""

    key: UUID
    parts: dict[str, dict[str, Text]]
    question: int | None = Field(None, ge=0, le=999_999)
    guidelines: int | None = Field(None, ge=0, le=999_999)
    active_ms: int | None = Field(None, ge=0, le=DAY_MS)


class SkipIn(Strict):
    reason: str = Field(max_length=20)


class LabelOut(Schema):
    """``late``: it came after the lease's end, and is kept."""

    id: UUID
    card: UUID
    late: bool
    created_at: datetime


@router.post("/campaigns/{slug}/next", response={200: CardOut, 204: None}, auth=WRITES)
def next_card(request: Call, slug: Slug) -> Any:
    """The next card, leased: what the program holds already comes first. 204 when nothing is left
    for it now."""
    _require_program(request)
    campaign = access.campaign_for_rater(request.user, slug)
    with refusals():
        card = leases.claim_next(rater=request.user, campaign=campaign)
    return Status(200, _card(card)) if card else Status(204, None)


@router.post("/cards/{card}/label", response={201: LabelOut}, auth=WRITES)
def answer_card(request: Call, card: UUID, body: AnswerIn) -> Any:
    """Answer a card. Its label is stored when this returns, as a program's."""
    assignment = _own(request, card)
    try:
        shown = wording.shown_on(assignment, asked=body.question, told=body.guidelines)
        label = labels.record_label(
            assignment=assignment,
            parts=body.parts,
            idempotency_key=body.key,
            question=shown.question,
            guideline=shown.guideline,
            active_ms=body.active_ms,
        )
    except (labels.NotOpen, labels.IdempotencyConflict) as error:
        raise Problem(409, "state", language.said_by(error)) from error
    except InvalidAnswer as error:
        raise Problem(422, "refused", language.said_by(error)) from error
    return Status(201, _label(label, card))


@router.post("/cards/{card}/skip", response={204: None}, auth=WRITES)
def skip_card(request: Call, card: UUID, body: SkipIn) -> Any:
    """Put a card away: cannot_judge, language, broken or uncomfortable. Repeating it changes
    nothing."""
    assignment = _own(request, card)
    try:
        labels.skip(assignment=assignment, reason=body.reason)
    except labels.NotOpen as error:
        raise Problem(409, "state", language.said_by(error)) from error
    except InvalidAnswer as error:
        raise Problem(422, "refused", language.said_by(error)) from error
    return Status(204, None)


def _require_program(request: Call) -> None:
    """A person's labels are a person's: nobody rates by a script under their own name."""
    if request.user.kind != "program":
        raise Http404


def _own(request: Call, card: UUID) -> Assignment:
    _require_program(request)
    assignment = access.assignment_for_rater(request.user, card)
    if assignment.campaign.project_id != request.token.project_id:
        raise Http404
    return assignment


def _card(row: Assignment) -> dict[str, Any]:
    campaign, held = row.campaign, row.completions
    question, guideline = campaign.question, campaign.guideline
    assert question is not None  # access.campaigns_for_rater
    said: list[Message] = row.comparison.prompt.messages
    return {
        "id": row.public_id,
        "campaign": campaign.slug,
        "prompt": [{"role": one["role"], "content": one["content"]} for one in said],
        "answers": [held[pk].text for pk in row.order],
        "text": question.text,
        "parts": question.parts,
        "question": question.number,
        "guidelines": guideline.number if guideline else None,
        "leased_until": row.leased_until,
    }


def _label(row: labels.Label, card: UUID) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "card": card,
        "late": row.late,
        "created_at": row.created_at,
    }

"""What a rater answered or skipped last, in words: what the drawer of the last ten says."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.text import Truncator
from django.utils.translation import gettext as _

from annotate import language
from labeling import questions
from labeling.boundaries import Limits
from labeling.models import Assignment, Campaign, Label, Prompt

FIRST_WORDS = 12


@dataclass(frozen=True)
class Row:
    """``withheld`` says why the prompt's words are not shown, where they are not."""

    assignment: uuid.UUID
    at: datetime
    prompt: str  # its first words
    withheld: str
    said: str
    may_return: bool  # its card may be shown again


def rows(done: Sequence[Assignment], campaign: Campaign, limits: Limits | None) -> list[Row]:
    """One for each of the assignments, in the same order."""
    answers = Label.objects.filter(
        assignment__in=done, kind="answer", superseded_by__isnull=True
    ).select_related("question_version")
    by_assignment = {label.assignment_id: label for label in answers}
    veiled = campaign.veiled
    return [_row(one, by_assignment.get(one.pk), limits, veiled) for one in done]


def _row(assignment: Assignment, label: Label | None, limits: Limits | None, veiled: bool) -> Row:
    prompt = assignment.comparison.prompt
    withheld = _withheld(prompt, limits, veiled)
    assert assignment.submitted_at is not None
    return Row(
        assignment=assignment.public_id,
        at=assignment.submitted_at,
        prompt="" if withheld else _first_words(prompt),
        withheld=withheld,
        said=_answer(label) if label else _skip(assignment),
        may_return=limits is None or limits.may_see(prompt),
    )


def _first_words(prompt: Prompt) -> str:
    asked = [message["content"] for message in prompt.messages if message["role"] == "user"]
    return Truncator(asked[-1] if asked else "").words(FIRST_WORDS)


def _withheld(prompt: Prompt, limits: Limits | None, veiled: bool) -> str:
    """A list that is opened by a key is no way round a warning."""
    if limits is None:
        return ""
    if not limits.consented:
        return _("Shown once you agree to the warning.")
    if not limits.allow(prompt):
        return _("Of a kind that you left.")
    return _("Veiled, as its card is.") if veiled else ""


def _answer(label: Label) -> str:
    """With the letters that this rater saw."""
    asked = label.question_version.parts
    return language.translated(questions.words_of(asked, label.answer, label.order)) or _(
        "answered"
    )


def _skip(assignment: Assignment) -> str:
    reason = assignment.get_skip_reason_display()
    return _("skipped: %(reason)s") % {"reason": reason}

"""What a card or a talk asked and told its rater: the versions that its label is recorded under.

A card may wait in a browser while a lead revises the question or the guidelines. Its answer names
the versions that it showed, and those are the label's: who reads the label later reads what the
rater read. A version counts where the card can have shown it, so where nothing had replaced it
when the card was first handed out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from labeling.models import Assignment, Conversation, GuidelineVersion, QuestionVersion
from labeling.questions import InvalidAnswer
from models_runtime.phrases import phrase

NONE = 0  # the number of guidelines that there were not yet
AT_ONCE = timedelta(minutes=1)  # a card may be drawn while the next version is being stored
Version = TypeVar("Version", QuestionVersion, GuidelineVersion)


@dataclass(frozen=True)
class Wording:
    """The question and the guidelines of one card; a campaign may have no guidelines."""

    question: QuestionVersion
    guideline: GuidelineVersion | None


def shown_on(card: Assignment, *, asked: int | None, told: int | None) -> Wording:
    """The versions with these numbers; the newest where the card names none. Raises InvalidAnswer
    for versions that it cannot have shown: it is to be read as it stands now."""
    campaign, since = card.campaign, card.leased_at
    if campaign.question is None:
        raise InvalidAnswer(phrase("This campaign asks no question yet."))
    guideline = _told(campaign.guideline, told, since)
    return Wording(_version(campaign.question, asked, since), guideline)


def told_in(talk: Conversation, number: int | None) -> GuidelineVersion | None:
    """The guidelines of this number, that its page led to; the newest where it names none. Its
    question is the talk's own as long as it lasts. Raises InvalidAnswer as shown_on does."""
    return _told(talk.campaign.guideline, number, talk.created_at)


def _told(
    newest: GuidelineVersion | None, number: int | None, since: datetime
) -> GuidelineVersion | None:
    """Number 0 stands for none: what came before the first."""
    if newest is None or (number == NONE and _is_replaced_after(since, newest, NONE)):
        return None
    return _version(newest, number, since)


def _version(newest: Version, number: int | None, since: datetime) -> Version:
    """Read from the database only where it is not the newest, which it nearly always is."""
    if number is None or number == newest.number:
        return newest
    shown = _numbered(newest, number)
    if shown is None or not _is_replaced_after(since, newest, number):
        raise InvalidAnswer(phrase("What is asked has changed since: read it again, then answer."))
    return shown


def _is_replaced_after(since: datetime, newest: Version, number: int) -> bool:
    """Whether the next version came when a card of then may have been drawn already."""
    following = _numbered(newest, number + 1)
    return following is not None and following.created_at >= since - AT_ONCE


def _numbered(newest: Version, number: int) -> Version | None:
    if number == newest.number:
        return newest
    rows = type(newest)._default_manager.filter(campaign=newest.campaign_id, number=number)
    return rows.first()

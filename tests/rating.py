"""Answering a card as a test's shorthand."""

from __future__ import annotations

import uuid
from datetime import timedelta

from labeling import labels, leases
from labeling.models import Assignment, Campaign, Label, User


def answer(rater: User, campaign: Campaign, choice: str) -> Label:
    """The rater's next card of the campaign, answered with a step's value."""
    assignment = leases.claim_next(rater=rater, campaign=campaign)
    assert assignment is not None, "nothing is left to rate"
    return labels.record_label(
        assignment=assignment,
        parts={"preference": {"choice": choice}},
        idempotency_key=uuid.uuid4(),
    )


def held_for(card: Assignment, **time: float) -> Assignment:
    """The card as if it had been handed out that long ago (``minutes=5``): active time is granted
    as far as time passed."""
    card.leased_at -= timedelta(**time)
    card.save(update_fields=["leased_at"])
    return card

"""Answering a card as a test's shorthand."""

from __future__ import annotations

import uuid

from labeling import labels, leases
from labeling.models import Campaign, Label, User


def answer(rater: User, campaign: Campaign, choice: str) -> Label:
    """The rater's next card of the campaign, answered with a step's value."""
    assignment = leases.claim_next(rater=rater, campaign=campaign)
    assert assignment is not None, "nothing is left to rate"
    return labels.record_label(
        assignment=assignment,
        parts={"preference": {"choice": choice}},
        idempotency_key=uuid.uuid4(),
    )

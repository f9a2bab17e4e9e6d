"""Items with a known answer, as a test's shorthand."""

from __future__ import annotations

import uuid
from typing import Any

from labeling import gold, labels, leases
from labeling.gold import Key
from labeling.models import Assignment, Campaign, Comparison, Gold, Label, User
from tests.factories import ComparisonFactory


def expected(comparison: Comparison, strength: str | None = "better") -> dict[str, Any]:
    """That the first completion is the better one."""
    first, second = comparison.items.order_by("position").values_list("completion", flat=True)
    return {
        "preference": {
            "type": "pairwise",
            "outcome": "prefer",
            "chosen": first,
            "rejected": second,
            "strength": strength,
        }
    }


def make_gold(
    campaign: Campaign,
    count: int = 1,
    purpose: str = "gold",
    *,
    rules: dict[str, Any] | None = None,
    explanation: str = "The first one is **right**.",
) -> list[Gold]:
    """Items that expect the first completion, made of comparisons that nobody is handed."""
    made = []
    for _ in range(count):
        source = ComparisonFactory(campaign=campaign, overlap=0)
        key = Key(expected(source), rules or {"preference": {}}, explanation)
        made.append(gold.add(comparison=source, purpose=purpose, key=key))
    return made


def choice(card: Assignment, *, right: bool = True, strength: str = "better") -> str:
    """The step that says, on this card, that the first completion is the better one, or not."""
    first = card.comparison.items.order_by("position").values_list("completion", flat=True)[0]
    side = card.order.index(first)
    return f"{side if right else 1 - side}:{strength}"


def say(card: Assignment, *, right: bool = True, strength: str = "better") -> Label:
    return labels.record_label(
        assignment=card,
        parts={"preference": {"choice": choice(card, right=right, strength=strength)}},
        idempotency_key=uuid.uuid4(),
    )


def claim(rater: User, campaign: Campaign) -> Assignment:
    campaign.refresh_from_db()
    card = leases.claim_next(rater=rater, campaign=campaign)
    assert card is not None, "nothing is left to rate"
    return card

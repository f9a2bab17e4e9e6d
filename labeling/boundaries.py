"""What a rater agreed to see in a campaign with a content warning, and how much of it a day.

Asked before a card is handed out, in such campaigns alone: the others pay no query for it. Only
people have boundaries. labeling.care changes them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from labeling.models import Assignment, Boundary, Campaign, Prompt, User

DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Limits:
    """``consented``: cards may be shown. ``left``: kinds of prompts that the rater is not shown,
    by category or tag, because they left them or, as ``unasked``, did not say yes to them.
    ``resumes_at``: when the next new card may come, where today's are used up."""

    consented: bool
    left: frozenset[str] = frozenset()
    unasked: frozenset[str] = frozenset()
    resumes_at: datetime | None = None

    def allow(self, prompt: Prompt) -> bool:
        """Whether the prompt is of no kind that the rater is not shown."""
        return not self.left & set(kinds(prompt))

    def may_see(self, prompt: Prompt) -> bool:
        """Whether a card of it may be shown again to a rater who has had it."""
        return self.consented and self.allow(prompt)


def of(rater: User, campaign: Campaign, now: datetime) -> Limits | None:
    """The rater's limits in this campaign; None where there are none."""
    if not campaign.content_warning or rater.kind != "person":
        return None
    row = Boundary.objects.filter(rater=rater, campaign=campaign).first()
    unasked = frozenset(campaign.sensitive_kinds) - frozenset(row.opted_in if row else [])
    return Limits(
        consented=not campaign.needs_consent or bool(row and row.consented_at),
        left=frozenset(row.left if row else []) | unasked,
        unasked=unasked,
        resumes_at=_resumes_at(rater, campaign.daily_cards, now) if campaign.daily_cards else None,
    )


def kinds(prompt: Prompt) -> list[str]:
    """What a rater may leave when they meet this prompt: its category, and its tags."""
    return list(dict.fromkeys([name for name in (prompt.category, *prompt.tags) if name]))


def has_kinds(campaign: Campaign) -> bool:
    """Whether any of the campaign's prompts is of a kind that a rater could leave."""
    rows = Prompt.objects.filter(prompt_set__campaign=campaign)
    return rows.exclude(category="", tags=[]).exists()


def unless_left(limits: Limits | None) -> tuple[str, list[Any]]:
    """The same as a condition on the table labeling_comparison, named c, with its values."""
    if limits is None or not limits.left:
        return "", []
    left = sorted(limits.left)
    tags = sorted({_like(form) for name in left for form in _json_forms(name)})
    tests = [f"p.category IN ({', '.join(['%s'] * len(left))})"]
    tests += ["CAST(p.tags AS TEXT) LIKE %s ESCAPE '!'"] * len(tags)
    sql = (
        "AND NOT EXISTS (SELECT 1 FROM labeling_prompt p WHERE p.id = c.prompt_id "
        f"AND ({' OR '.join(tests)}))"
    )
    return sql, [*left, *tags]


def _resumes_at(rater: User, most: int, now: datetime) -> datetime | None:
    """When the oldest of the last ``most`` cards is a day old: cards of every campaign with a
    warning count, whatever became of them, but those given back unread."""
    rows = Assignment.objects.filter(rater=rater, leased_at__gt=now - DAY)
    seen = rows.exclude(campaign__content_warning="").exclude(state="expired")
    times = seen.order_by("-leased_at").values_list("leased_at", flat=True)
    oldest = next(iter(times[most - 1 : most]), None)
    return oldest + DAY if oldest else None


def _json_forms(name: str) -> set[str]:
    """How a tag stands in the column: SQLite keeps what was written, PostgreSQL unescapes it."""
    return {json.dumps(name), json.dumps(name, ensure_ascii=False)}


def _like(text: str) -> str:
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return f"%{text}%"

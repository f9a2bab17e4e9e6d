"""Whom a lead offers a campaign to, and how many answers of one rater it takes at most."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from labeling.models import Campaign, RaterGroup, User
from models_runtime import audit
from models_runtime.phrases import phrase

MOST = 1_000_000


@dataclass(frozen=True)
class Rules:
    """A campaign's settings. ``groups``: ids of groups and skills; a rater is in any of the
    groups, and has all of the skills. ``most_answers`` and ``most_daily`` (in 24 hours): the
    most answers of one rater; 0: no limit."""

    groups: frozenset[int] = frozenset()
    by_language: bool = False
    most_answers: int = 0
    most_daily: int = 0


def of(campaign: Campaign) -> Rules:
    wanted = campaign.wanted_groups.values_list("pk", flat=True) if campaign.wants_groups else []
    return Rules(
        frozenset(wanted), campaign.by_language, campaign.most_answers, campaign.most_daily
    )


def settle(*, campaign: Campaign, rules: Rules, actor: User | None = None) -> None:
    """Put a campaign's settings in force, from the next card on. Raises ValueError."""
    if not (0 <= rules.most_answers <= MOST and 0 <= rules.most_daily <= MOST):
        raise ValueError(phrase("Write a number of answers up to a million."))
    with transaction.atomic():
        held = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if of(held) == rules:
            return
        # Held, so that none of them is removed meanwhile.
        rows = RaterGroup.objects.select_for_update().filter(
            pk__in=rules.groups, project=held.project_id
        )
        wanted = list(rows.order_by("pk"))
        if len(wanted) != len(rules.groups):
            raise ValueError(phrase("One of these groups is not there any more: look again."))
        held.wanted_groups.set(wanted)
        stored = {
            "wants_groups": bool(wanted),
            "by_language": rules.by_language,
            "most_answers": rules.most_answers,
            "most_daily": rules.most_daily,
        }
        Campaign.objects.filter(pk=held.pk).update(**stored)
        said = {**stored, "groups": [row.pk for row in wanted]}
        audit.record(verb="queue settled", obj=held, actor=actor, data=said)
    campaign.refresh_from_db(fields=list(stored))

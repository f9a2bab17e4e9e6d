"""Campaigns: made by a lead as a draft, then moved through their states."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from labeling.iterations import parse_plan
from labeling.models import Campaign, GuidelineVersion, QuestionVersion, User
from models_runtime import audit, states
from models_runtime.models import Checkpoint, Project


@dataclass(frozen=True)
class Ask:
    """What raters are asked and told. ``parts`` is the instrument (presets.parts)."""

    text: str
    parts: dict[str, dict[str, Any]]
    trains_on: str = "chosen"
    guidelines: str = ""


@dataclass(frozen=True)
class Setting:
    """Whose completions are rated, and the plan the iterations start from."""

    first_policy: Checkpoint | None = None
    labels_per_comparison: int = 1
    plan: dict[str, Any] = field(default_factory=dict)


def create(
    *, project: Project, name: str, ask: Ask, setting: Setting, actor: User | None = None
) -> Campaign:
    """A draft campaign with version 1 of its question and guidelines.

    Raises ValueError on a plan with an unknown setting.
    """
    plan = dataclasses.asdict(parse_plan(setting.plan))
    with transaction.atomic():
        campaign = Campaign.objects.create(
            project=project,
            slug=_free_slug(name),
            name=name,
            first_policy=setting.first_policy,
            labels_per_comparison=setting.labels_per_comparison,
            plan=plan,
        )
        campaign.question = QuestionVersion.objects.create(
            campaign=campaign, number=1, text=ask.text, parts=ask.parts, trains_on=ask.trains_on
        )
        campaign.guideline = GuidelineVersion.objects.create(
            campaign=campaign, number=1, markdown=ask.guidelines, created_by=actor
        )
        campaign.save(update_fields=["question", "guideline"])
        audit.record(verb="campaign created", obj=campaign, actor=actor, to_state="draft")
    return campaign


def move(campaign: Campaign, to: str, *, actor: User | None = None) -> None:
    """Open, pause, resume or close. Raises states.StaleState when that cannot be done now."""
    before = campaign.state
    with transaction.atomic():
        states.advance(campaign, to)
        audit.record(
            verb="campaign moved", obj=campaign, actor=actor, from_state=before, to_state=to
        )


def _free_slug(name: str) -> str:
    """An address made of the name, with a number where it is taken."""
    base = slugify(name)[:40] or "campaign"
    taken = set(Campaign.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    numbered = (f"{base}-{n}" for n in range(2, len(taken) + 3))
    return next(slug for slug in (base, *numbered) if slug not in taken and slug != "new")

"""Campaigns: made by a lead as a draft, then moved through their states."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from labeling import confirmations, consents
from labeling.iterations import parse_plan
from labeling.models import Campaign, GuidelineVersion, QuestionVersion, User
from models_runtime import audit, states
from models_runtime.models import Checkpoint, Project
from models_runtime.phrases import phrase

LONGEST_QUESTION = 500  # as the column


class CannotRevise(ValueError):
    """Nothing was changed; says why in one sentence."""


@dataclass(frozen=True)
class Ask:
    """What raters are asked and told. ``parts`` is the instrument (presets.parts)."""

    text: str
    parts: dict[str, dict[str, Any]]
    trains_on: str = "chosen"
    guidelines: str = ""
    must_confirm: bool = False  # whether raters confirm the guidelines before their first card


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
        # Held, so that no version of the consent is published between reading and storing it.
        Project.objects.select_for_update().get(pk=project.pk)
        campaign = Campaign.objects.create(
            project=project,
            consent=consents.in_force(project),
            slug=_free_slug(name),
            name=name,
            first_policy=setting.first_policy,
            labels_per_comparison=setting.labels_per_comparison,
            plan=plan,
        )
        campaign.question = QuestionVersion.objects.create(
            campaign=campaign,
            number=1,
            text=ask.text,
            parts=ask.parts,
            trains_on=ask.trains_on,
            created_by=actor,
        )
        campaign.guideline = GuidelineVersion.objects.create(
            campaign=campaign,
            number=1,
            markdown=ask.guidelines,
            must_confirm=ask.must_confirm,
            created_by=actor,
        )
        campaign.confirm_from = int(ask.must_confirm)
        campaign.save(update_fields=["question", "guideline", "confirm_from"])
        audit.record(verb="campaign created", obj=campaign, actor=actor, to_state="draft")
    return campaign


def revise_question(
    *, campaign: Campaign, text: str, trains_on: str, based_on: int, actor: User | None = None
) -> QuestionVersion:
    """The question in other words, or in the other direction, from the next card on. The
    instrument stays. Labels keep the version that their card showed.

    ``based_on`` is the number of the version that was read before it was changed. What says
    nothing new makes no version. Raises CannotRevise.
    """
    text = text.strip()
    if not text or len(text) > LONGEST_QUESTION:
        raise CannotRevise(
            phrase(
                "A question has 1 to %(longest_question)s characters.",
                longest_question=LONGEST_QUESTION,
            )
        )
    if trains_on not in dict(QuestionVersion.DIRECTIONS):
        raise CannotRevise(phrase("The direction is either chosen or rejected."))
    with transaction.atomic():
        current = _held(campaign).question
        if current is None:
            raise CannotRevise(phrase("The campaign asks no question yet."))
        if (current.text, current.trains_on) == (text, trains_on):
            return current
        _check_newest(current.number, based_on)
        made = QuestionVersion.objects.create(
            campaign=campaign,
            number=current.number + 1,
            text=text,
            parts=current.parts,
            trains_on=trains_on,
            created_by=actor,
        )
        _put_in_force(campaign, "question", made, actor)
    return made


def revise_guidelines(
    *,
    campaign: Campaign,
    markdown: str,
    based_on: int,
    must_confirm: bool = False,
    actor: User | None = None,
) -> GuidelineVersion:
    """Other guidelines, from the next label on; labels keep the version they were made under.
    With ``must_confirm`` raters confirm them before the next card.

    ``based_on`` and what says nothing new: as for the question; whether the version in force is
    to be confirmed can be said of it later. Raises CannotRevise.
    """
    markdown = markdown.replace("\r\n", "\n")
    with transaction.atomic():
        held = _held(campaign)
        current = held.guideline
        if current is not None and current.markdown.replace("\r\n", "\n") == markdown:
            _switch_confirming(campaign, current, must_confirm, actor)
            return current
        newest = current.number if current else 0
        _check_newest(newest, based_on)
        made = GuidelineVersion.objects.create(
            campaign=campaign,
            number=newest + 1,
            markdown=markdown,
            must_confirm=must_confirm,
            created_by=actor,
        )
        _put_in_force(campaign, "guideline", made, actor)
        _keep_confirming(campaign)
    return made


def move(campaign: Campaign, to: str, *, actor: User | None = None) -> None:
    """Open, pause, resume or close. Raises states.StaleState when that cannot be done now."""
    before = campaign.state
    with transaction.atomic():
        states.advance(campaign, to)
        audit.record(
            verb="campaign moved", obj=campaign, actor=actor, from_state=before, to_state=to
        )


def _held(campaign: Campaign) -> Campaign:
    """Read anew and held, so that two leads do not make one number twice."""
    row = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if row.state == "closed":
        raise CannotRevise(phrase("The campaign is closed: what it asked stays as it was."))
    return row


def _check_newest(newest: int, based_on: int) -> None:
    if newest != based_on:
        raise CannotRevise(
            phrase(
                "Version %(newest)s was made while you wrote: read it, then save yours again.",
                newest=newest,
            )
        )


def _put_in_force(
    campaign: Campaign, name: str, made: QuestionVersion | GuidelineVersion, actor: User | None
) -> None:
    setattr(campaign, name, made)
    campaign.save(update_fields=[name])
    audit.record(verb=f"{name} revised", obj=campaign, actor=actor, data={"number": made.number})


def _switch_confirming(
    campaign: Campaign, version: GuidelineVersion, wanted: bool, actor: User | None
) -> None:
    """Whether raters confirm the version in force."""
    rows = GuidelineVersion.objects.filter(pk=version.pk, must_confirm=not wanted)
    if not rows.update(must_confirm=wanted):
        return
    version.must_confirm = wanted
    _keep_confirming(campaign)
    said = {"number": version.number, "must_confirm": wanted}
    audit.record(verb="guideline confirmation settled", obj=campaign, actor=actor, data=said)


def _keep_confirming(campaign: Campaign) -> None:
    campaign.confirm_from = confirmations.newest_to_confirm(campaign)
    campaign.save(update_fields=["confirm_from"])


def _free_slug(name: str) -> str:
    """An address made of the name, with a number where it is taken."""
    base = slugify(name)[:40] or "campaign"
    taken = set(Campaign.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    numbered = (f"{base}-{n}" for n in range(2, len(taken) + 3))
    return next(slug for slug in (base, *numbered) if slug not in taken and slug != "new")

"""Guidelines that each rater confirms: what changed is read before another card comes.

A campaign keeps the number of the newest guidelines that must be confirmed, and a rater's seat the
number that they confirmed last: an answer compares the two, which were read anyway, and asks the
database for nothing. Programs and simulated raters read no guidelines.
"""

from __future__ import annotations

from django.db import transaction

from labeling import seats
from labeling.models import (
    Assignment,
    Campaign,
    GuidelinesConfirmed,
    GuidelineVersion,
    Label,
    User,
)
from labeling.questions import InvalidAnswer
from labeling.seats import Work
from models_runtime import audit
from models_runtime.phrases import phrase

SAID = phrase("The guidelines have changed: read what is new and confirm it first.")


class NotConfirmed(InvalidAnswer):
    """The answer was given under guidelines that its rater has not confirmed. Nothing was
    changed."""


def is_pending(rater: User, campaign: Campaign, work: Work) -> bool:
    """Whether this rater, who has done so much there, confirms something first. No query."""
    return rater.kind == "person" and work.confirmed < campaign.confirm_from


def is_pending_now(rater: User, campaign: Campaign) -> bool:
    """The same where the rater's seat was not read; no query where nothing is to be confirmed."""
    if not campaign.confirm_from or rater.kind != "person":
        return False
    return is_pending(rater, campaign, seats.work(rater, campaign))


def refusal(rater: User, campaign: Campaign) -> str:
    """Why no talk may be begun or gone on with, as a sentence; "" where it may."""
    return SAID if is_pending_now(rater, campaign) else ""


def check(rater: User, campaign: Campaign, work: Work, told: int | None) -> None:
    """Raises NotConfirmed for an answer under the guidelines with the id ``told``, where those
    are new to its rater. What a card showed before they came is answered as it stands."""
    if told is None or not is_pending(rater, campaign, work):
        return
    rows = GuidelineVersion.objects.filter(pk=told, number__gte=campaign.confirm_from)
    if rows.exists():
        raise NotConfirmed(SAID)


def confirm(*, rater: User, version: GuidelineVersion) -> None:
    """The rater has read this version. Repeating it keeps the first time."""
    campaign = version.campaign
    with transaction.atomic():
        seats.hold(rater.pk, campaign.pk)
        _row, made = GuidelinesConfirmed.objects.get_or_create(rater=rater, version=version)
        seats.confirm(rater.pk, campaign.pk, version.number)
        if made:
            audit.record(
                verb="guidelines confirmed",
                obj=version,
                project=campaign.project,
                actor=rater,
                data={"number": version.number},
            )


def read_before(rater: User, version: GuidelineVersion) -> GuidelineVersion | None:
    """What this rater knows: the newest earlier version that they confirmed, or else the one
    that their newest answer was given under."""
    earlier = GuidelineVersion.objects.filter(
        campaign=version.campaign_id, number__lt=version.number
    ).order_by("-number")
    found = earlier.filter(confirmed__rater=rater).first()
    if found is not None:
        return found
    newest = Assignment.objects.filter(
        rater=rater, campaign=version.campaign_id, submitted_at__isnull=False
    ).order_by("-submitted_at", "-id")
    told = Label.objects.filter(assignment__in=newest.values("pk")[:1]).order_by("-id")
    return earlier.filter(pk__in=told.values("guideline_version")[:1]).first()


def is_confirmed(rater: User, version: GuidelineVersion) -> bool:
    return GuidelinesConfirmed.objects.filter(rater=rater, version=version).exists()


def newest_to_confirm(campaign: Campaign) -> int:
    """The number of the newest guidelines that must be confirmed; 0: of none."""
    rows = campaign.guidelines.filter(must_confirm=True).order_by("-number")
    return rows.values_list("number", flat=True).first() or 0

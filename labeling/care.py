"""Care for raters of harmful texts: the lead's settings, and what each rater draws as a line.

Nothing here is counted against anybody: a kind that was left is no skip, and a consent that is
taken back closes the campaign to its rater until they give it again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from django.db import transaction
from django.utils import timezone

from labeling import boundaries, leases
from labeling.models import Assignment, Boundary, Campaign, User
from models_runtime import audit
from models_runtime.phrases import phrase

LONGEST_WARNING = 2000
MOST_KINDS = 100


@dataclass(frozen=True)
class Care:
    """A campaign's settings; without a warning the others say nothing. ``daily_cards``: the most
    cards of all campaigns with a warning that a rater is shown in 24 hours here; 0: no limit.
    ``sensitive_kinds``: categories and tags of prompts that a rater says yes to, one by one."""

    content_warning: str = ""
    needs_consent: bool = False
    veiled: bool = False
    daily_cards: int = 0
    sensitive_kinds: list[str] = field(default_factory=list)


def of(campaign: Campaign) -> Care:
    return Care(
        campaign.content_warning,
        campaign.needs_consent,
        campaign.veiled,
        campaign.daily_cards,
        campaign.sensitive_kinds,
    )


def settle(*, campaign: Campaign, care: Care, actor: User | None = None) -> None:
    """Put a campaign's settings in force, from the next card on. Raises ValueError for settings
    that need a warning where there is none."""
    if not care.content_warning.strip() and care != Care(care.content_warning):
        raise ValueError(phrase("Write the content warning first: the other settings need one."))
    if care == of(campaign):
        return
    with transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(**asdict(care))
        audit.record(verb="care settled", obj=campaign, actor=actor, data=asdict(care))
    campaign.refresh_from_db(fields=list(asdict(care)))


def consent(*, rater: User, campaign: Campaign) -> None:
    """The rater has read the warning and goes on. Repeating it keeps the first time."""
    with transaction.atomic():
        row = _boundary(rater, campaign)
        if row.consented_at is None:
            row.consented_at = timezone.now()
            row.save(update_fields=["consented_at"])
            audit.record(verb="consent given", obj=campaign, actor=rater)


def withdraw_consent(*, rater: User, campaign: Campaign) -> None:
    """The rater stops: what they hold is given back, and nothing is handed out. What they
    answered stays."""
    with transaction.atomic():
        row = _boundary(rater, campaign)
        if row.consented_at is None:
            return
        row.consented_at = None
        row.save(update_fields=["consented_at"])
        audit.record(verb="consent withdrawn", obj=campaign, actor=rater)
        _give_back(rater, campaign)


def leave(*, rater: User, campaign: Campaign, kind: str) -> None:
    """No more prompts of this category or tag for the rater, and those in hand are given back.
    Which kinds somebody left stays between them and the table: no log says it."""
    with transaction.atomic():
        row = _boundary(rater, campaign)
        if kind and kind not in row.left and len(row.left) < MOST_KINDS:
            row.left = [*row.left, kind]
            row.opted_in = [name for name in row.opted_in if name != kind]
            row.save(update_fields=["left", "opted_in"])
        _give_back(rater, campaign, kind)


def opt_in(*, rater: User, campaign: Campaign, kind: str) -> None:
    """Offer a sensitive kind from the next card on. What is none is passed over."""
    with transaction.atomic():
        row = _boundary(rater, campaign)
        if kind in campaign.sensitive_kinds and kind not in row.opted_in:
            row.opted_in = [*row.opted_in, kind]
            row.left = [name for name in row.left if name != kind]
            row.save(update_fields=["left", "opted_in"])


def come_back(*, rater: User, campaign: Campaign, kind: str) -> None:
    """Offer the kind again."""
    with transaction.atomic():
        row = _boundary(rater, campaign)
        row.left = [name for name in row.left if name != kind]
        row.save(update_fields=["left"])


def _boundary(rater: User, campaign: Campaign) -> Boundary:
    """The rater's row, held until the transaction ends."""
    Boundary.objects.get_or_create(rater=rater, campaign=campaign)
    return Boundary.objects.select_for_update(no_key=True).get(rater=rater, campaign=campaign)


def _give_back(rater: User, campaign: Campaign, kind: str | None = None) -> None:
    """The cards in hand, of one kind or all."""
    live = Assignment.objects.filter(
        rater=rater, campaign=campaign, state="leased", comparison__conversation=None
    )
    for card in live.select_related("comparison__prompt").order_by("pk"):
        if kind is None or kind in boundaries.kinds(card.comparison.prompt):
            leases.release(card)

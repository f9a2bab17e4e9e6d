"""What becomes of a flag (labels.flag raises it): taken back by its rater, settled by a lead.

An unresolved flag keeps its comparison out of training, exports and win rates.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from labeling import disputes, slots, withdrawals
from labeling.models import Assignment, Campaign, Comparison, Flag, User
from models_runtime import audit, states


def take_back(*, assignment: Assignment, code: str) -> None:
    """Undo labels.flag, while no lead has settled it. Repeating it changes nothing."""
    Flag.objects.filter(assignment=assignment, code=code, resolved_at__isnull=True).delete()
    _look_again(assignment.comparison)


def unresolved(campaign: Campaign) -> QuerySet[Flag]:
    """The newest first, with all that a lead needs to judge them; none of what was discarded,
    but for a talk's pair, which is also discarded when the talk ends without a judgement."""
    # The sum keeps the database from going through the campaign's cards: flags are fewer.
    rows = Flag.objects.annotate(of=F("comparison__campaign") + 0).filter(of=campaign.pk)
    rows = rows.filter(resolved_at__isnull=True)
    rows = rows.exclude(comparison__state="discarded", comparison__conversation=None)
    rows = rows.select_related("comparison__prompt", "rater")
    return rows.prefetch_related("comparison__items__completion").order_by("-id")


def resolve(*, flag: Flag, actor: User) -> bool:
    """Nothing is wrong: the comparison counts again. False when it was settled already."""
    with transaction.atomic():
        open_one = Flag.objects.filter(pk=flag.pk, resolved_at__isnull=True)
        if not open_one.update(resolved_at=timezone.now()):
            return False
        _audit("flag resolved", flag.comparison, actor, flag.code)
    _look_again(flag.comparison)
    return True


def discard(*, flag: Flag, actor: User) -> bool:
    """Take the comparison out for good, with all its flags: it is shown to nobody, trains
    nothing and is no part of what was collected; its labels are kept. False when that was done
    already."""
    comparison = flag.comparison
    before = comparison.state
    unresolved = comparison.flags.filter(resolved_at__isnull=True)
    with transaction.atomic():
        try:
            states.advance(comparison, "discarded")
        except states.StaleState:  # a talk's, which has ended
            if not unresolved.update(resolved_at=timezone.now()):
                return False
            _audit("flag resolved", comparison, actor, flag.code)
            disputes.look_at([comparison.pk])
            return True
        slots.discount(comparison)
        unresolved.update(resolved_at=timezone.now())
        _audit("comparison discarded", comparison, actor, flag.code, before, "discarded")
    disputes.look_at([comparison.pk])
    return True


def _look_again(comparison: Comparison) -> None:
    """One flag less: a comparison that was withdrawn for it is handed out again."""
    withdrawals.put_back(comparison)
    disputes.look_at([comparison.pk])


def _audit(
    verb: str, comparison: Comparison, actor: User, code: str, before: str = "", after: str = ""
) -> None:
    audit.record(
        verb=verb,
        obj=comparison,
        actor=actor,
        project=comparison.campaign.project,
        from_state=before,
        to_state=after,
        data={"code": code},
    )

"""Comparisons with personal data, as a rater says: handed to nobody until a lead decides.

A withdrawn comparison is in a state of its own, which the queue does not hold. Its slots and
labels stay as they are: what is in hand goes back, and where it is put back it is as it was.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Case, F, Q, Value, When

from labeling import slots
from labeling.models import Assignment, Comparison, Flag
from models_runtime import audit, states

CODE = "personal_data"


def withdraw(comparison: Comparison, keep: Assignment | None = None) -> bool:
    """Take it out of the queue, and out of all hands but those of ``keep``, who has read it
    already. False when it is out, and for a talk's, which is nobody else's."""
    if not close(comparison):
        return False
    empty_hands(comparison, keep)
    return True


def close(comparison: Comparison) -> bool:
    """Take it out of the queue alone: nobody is handed it any more."""
    before = comparison.state
    if comparison.conversation_id is not None:
        return False
    with transaction.atomic():
        try:
            states.advance(comparison, "withdrawn")
        except states.StaleState:
            return False
        _audit("comparison withdrawn", comparison, before)
    return True


def empty_hands(comparison: Comparison, keep: Assignment | None = None) -> None:
    """Have what is in hand of it given back, but for ``keep``; an answer that comes first is an
    answer. One at a time and in no transaction that holds the comparison: whoever answers holds
    their assignment before it."""
    for held in list(comparison.assignments.filter(state="leased").only("pk")):
        if keep is None or held.pk != keep.pk:
            _give_back(held.pk)


def put_back(comparison: Comparison) -> bool:
    """Hand it out again, unless somebody's flag still says that there is personal data. False
    when it was not withdrawn."""
    unresolved = Flag.objects.filter(comparison=comparison, code=CODE, resolved_at__isnull=True)
    rows = Comparison.objects.filter(pk=comparison.pk, state="withdrawn")
    full = Q(overlap__gt=0, counted=F("overlap"))
    with transaction.atomic():
        if unresolved.exists():
            return False
        if not rows.update(state=Case(When(full, then=Value("complete")), default=Value("open"))):
            return False
        comparison.refresh_from_db(fields=["state"])
        _audit("comparison put back", comparison, "withdrawn")
    return True


def _give_back(pk: int) -> None:
    with transaction.atomic():
        fresh = slots.locked(pk)
        if fresh.state == "leased":
            states.advance(fresh, "expired")
            if not fresh.is_aside:
                slots.give_back(fresh.comparison)


def _audit(verb: str, comparison: Comparison, before: str) -> None:
    audit.record(
        verb=verb,
        obj=comparison,
        project=comparison.campaign.project,
        from_state=before,
        to_state=comparison.state,
    )

"""Comparisons kept back for now: by a pilot, or since enough is collected of their kind.

Only what nobody has had yet is withheld, so nothing in hand is lost and no label. A withheld
comparison has overlap 0 and no slots, as if it wanted no label: the queue passes it by without
asking, and slots_left + live leases + counted == overlap holds. ``withheld`` keeps its overlap.
Every statement is conditional and short: whoever takes a slot first keeps it.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import F, QuerySet

from labeling.models import Campaign, Comparison

AT_ONCE = 500  # changed in one transaction; raters' answers wait no longer


def rows(campaign: Campaign) -> QuerySet[Comparison]:
    """What is withheld of a campaign and may still be asked, in the order of the queue."""
    kept = Comparison.objects.filter(campaign=campaign, withheld__gt=0, state="open")
    return kept.order_by("shuffle", "id")


def untouched(campaign: Campaign) -> QuerySet[Comparison]:
    """What could be withheld: ordinary cards of which nobody holds or has answered one."""
    return Comparison.objects.filter(
        campaign=campaign,
        state="open",
        slots_left__gt=0,
        slots_left=F("overlap"),
        conversation=None,
        purpose="work",
    )


def withhold(found: QuerySet[Comparison]) -> int:
    """Keep back up to AT_ONCE of these comparisons; how many were."""
    ids = list(found.values_list("pk", flat=True)[:AT_ONCE])
    with transaction.atomic():
        still = Comparison.objects.filter(
            pk__in=ids, state="open", slots_left__gt=0, slots_left=F("overlap")
        )
        return still.update(withheld=F("overlap"), overlap=0, slots_left=0)


def release(found: QuerySet[Comparison], *, least: int = 0) -> list[int]:
    """Open up to AT_ONCE of these withheld comparisons, each for ``least`` labels or more; which
    they were."""
    ids = list(found.values_list("pk", flat=True)[:AT_ONCE])  # of a slice, no more than it has
    with transaction.atomic():
        kept = Comparison.objects.select_for_update(no_key=True)
        still = list(kept.filter(pk__in=ids, withheld__gt=0).values_list("pk", "withheld"))
        for wanted in {overlap for _pk, overlap in still}:
            alike = [pk for pk, overlap in still if overlap == wanted]
            labels = max(wanted, least)
            Comparison.objects.filter(pk__in=alike, withheld__gt=0).update(
                withheld=0, overlap=labels, slots_left=labels
            )
    return [pk for pk, _overlap in still]

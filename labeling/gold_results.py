"""What answers to gold items came to: written with the answer, in its transaction.

A result is its answer's alone. An answer that is taken back takes its result out of every count,
and the next one gets its own; what a lead corrects is marked anew.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from labeling import marking
from labeling.marking import Mark
from labeling.models import Assignment, Campaign, Gold, GoldResult, Label, User
from models_runtime import audit

CHUNK = 500


def record(label: Label) -> GoldResult | None:
    """The result of an answer to an item with a known answer; None where there is no such item
    any more. Inside the transaction that records the label."""
    gold = Gold.objects.filter(comparison=label.comparison_id).first()
    if gold is None:
        return None
    mark = _marked(gold, label)
    return GoldResult.objects.create(
        label=label,
        gold=gold,
        rater_id=label.rater_id,
        occasion=label.assignment.occasion,
        right=mark.right,
        distance=mark.distance,
        shows=_shows(gold, label.comparison.campaign),
        void_at=timezone.now() if gold.retired_at else None,
    )


def in_force(path: str = "") -> Q:
    """Results that count, as a condition on them or on rows that lead to one by ``path``."""
    at = f"{path}__" if path else ""
    return Q(
        **{
            f"{at}void_at": None,
            f"{at}label__kind": "answer",
            f"{at}label__superseded_by__isnull": True,
        }
    )


def to_tell(rater: User, campaign: Campaign) -> QuerySet[GoldResult]:
    """What this rater is to read before anything else, the oldest first."""
    rows = GoldResult.objects.filter(rater=rater, shows=True, told_at=None)
    return rows.filter(
        gold__campaign=campaign, label__superseded_by=None, label__kind="answer"
    ).order_by("id")


def told(result: GoldResult) -> bool:
    """The rater has read it. False when they had before."""
    with transaction.atomic():
        rows = GoldResult.objects.filter(pk=result.pk, shows=True, told_at=None)
        if not rows.update(told_at=timezone.now()):
            return False
        campaign, said = result.gold.campaign, {"gold": result.gold_id}
        audit.record(verb="explanation read", obj=campaign, actor=result.rater, data=said)
    return True


def is_known(assignment: Assignment) -> bool:
    """Whether the rater of this card was told what was expected of them, or is being told: it is
    on their screen as soon as their answer is stored."""
    rows = GoldResult.objects.filter(label__assignment=assignment, shows=True)
    return rows.exists()


def void(gold: Gold) -> int:
    """No answer to this item counts any more; how many did."""
    rows = GoldResult.objects.filter(gold=gold, void_at=None)
    return rows.update(void_at=timezone.now())


def restore(gold: Gold) -> int:
    """The answers to an item that is asked again count as before."""
    return GoldResult.objects.filter(gold=gold).exclude(void_at=None).update(void_at=None)


def mark_again(gold: Gold) -> int:
    """Mark all answers to a corrected item by what is expected now; how many came out otherwise.
    Inside the transaction that corrects it."""
    changed = 0
    rows = GoldResult.objects.filter(gold=gold).select_related("label__question_version")
    for result in rows.iterator(chunk_size=CHUNK):
        mark = _marked(gold, result.label)
        if (mark.right, mark.distance) != (result.right, result.distance):
            own = GoldResult.objects.filter(pk=result.pk)
            changed += own.update(right=mark.right, distance=mark.distance)
    return changed


def _marked(gold: Gold, label: Label) -> Mark:
    """Turned round, a question asks for something else than what was expected of it."""
    asked = label.question_version
    if asked.trains_on != gold.trains_on:
        return Mark(None, None)
    return marking.mark(asked.parts, gold.expected, gold.rules, label.answer["parts"])


def _shows(gold: Gold, campaign: Campaign) -> bool:
    """Training explains itself, the test does not before it is over, gold where the lead wants."""
    return gold.purpose == "training" or (gold.purpose == "gold" and campaign.gold_feedback)

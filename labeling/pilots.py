"""A campaign opened as a pilot: a few comparisons, each for several raters, before all the others.

While a pilot is in force everything else is withheld (withheld.py); a tick keeps it so, whenever
comparisons come. The items are the first of the queue, whose order was drawn when they were made:
a random sample. Then a lead widens to all, or revises what is asked and has another pilot.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from labeling import campaigns, withheld
from labeling.models import Campaign, Comparison, Pilot, PilotItem, User
from labeling.questions import live
from models_runtime import audit
from models_runtime.phrases import phrase

SMALLEST, LARGEST = 5, 500
LEAST_OVERLAP, MOST_OVERLAP = 2, 9
LOOKS = 40  # transactions of one look


class Refused(ValueError):
    """Nothing was changed; says why in one sentence."""


def begin(
    *, campaign: Campaign, size: int, overlap: int = LEAST_OVERLAP, actor: User | None = None
) -> Pilot:
    """A pilot of ``size`` comparisons at ``overlap`` labels each or more, from the next look on.
    Raises Refused."""
    check(campaign, size, overlap)
    with transaction.atomic():
        row = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if in_force(row):
            raise Refused(phrase("A pilot is under way already."))
        if row.state != "draft" and not row.pilots.exists():
            raise Refused(phrase("A campaign that is open already has no pilot any more."))
        pilot = _begin(row, size, overlap, actor)
    _hold_back(pilot)  # what a draft has already: none of it may be had as it opens
    return pilot


def check(campaign: Campaign, size: int, overlap: int) -> None:
    """Raises Refused, one sentence, for a pilot that cannot be."""
    question = campaign.question
    if question is None:
        raise Refused(phrase("The campaign asks no question yet."))
    if live.of(question.parts):
        raise Refused(phrase("Raters talk with models here: there are no cards to try first."))
    if not SMALLEST <= size <= LARGEST:
        raise Refused(
            phrase("A pilot has %(low)s to %(high)s comparisons.", low=SMALLEST, high=LARGEST)
        )
    if not LEAST_OVERLAP <= overlap <= MOST_OVERLAP:
        raise Refused(
            phrase(
                "In a pilot every comparison gets %(low)s to %(high)s labels.",
                low=LEAST_OVERLAP,
                high=MOST_OVERLAP,
            )
        )


def in_force(campaign: Campaign) -> Pilot | None:
    """The pilot that waits for its labels, or for a decision."""
    return Pilot.objects.filter(campaign=campaign, decision="").select_related("question").first()


def of(campaign: Campaign) -> list[Pilot]:
    """All there were, the newest first."""
    rows = Pilot.objects.filter(campaign=campaign).select_related("question", "campaign")
    return list(rows.order_by("-number"))


def newest(campaign: Campaign) -> Pilot | None:
    return Pilot.objects.filter(campaign=campaign).order_by("-number").first()


def withholds(campaign: Campaign) -> bool:
    """Whether a pilot keeps comparisons back, or is still giving them back."""
    return Pilot.objects.filter(campaign=campaign, settled_at=None).exists()


def widen(*, pilot: Pilot, actor: User | None = None) -> bool:
    """Put everything to raters; False when it was decided already. A tick does it, some at a
    time."""
    return _decide(pilot, "widened", actor)


def revise(
    *,
    pilot: Pilot,
    text: str,
    trains_on: str,
    markdown: str,
    based_on: tuple[int, int],
    actor: User | None = None,
) -> Pilot:
    """Ask and tell otherwise, and try that on as many other comparisons. ``based_on`` are the
    numbers of question and guidelines that were read before they were changed. What the first
    pilot has not put to anybody goes back. Raises Refused and campaigns.CannotRevise."""
    campaign = pilot.campaign
    with transaction.atomic():
        campaigns.revise_question(
            campaign=campaign, text=text, trains_on=trains_on, based_on=based_on[0], actor=actor
        )
        campaigns.revise_guidelines(
            campaign=campaign, markdown=markdown, based_on=based_on[1], actor=actor
        )
        if not _decide(pilot, "revised", actor):
            raise Refused(phrase("What comes of this pilot is decided already."))
        row = Campaign.objects.select_for_update().select_related("question").get(pk=campaign.pk)
        return _begin(row, pilot.size, pilot.overlap, actor)


def keep(now: datetime | None = None) -> None:
    """Withhold and draw for pilots in force, open what widened ones withheld. Safe to repeat, and
    at once with itself."""
    rows = Pilot.objects.filter(settled_at=None).exclude(campaign__state="closed")
    for pilot in rows.select_related("campaign"):
        if pilot.decision:
            _open_all(pilot, now or timezone.now())
        else:
            _hold_back(pilot)
            _draw(pilot)


def items_of(pilot: Pilot) -> QuerySet[Comparison]:
    """The comparisons that it puts to raters."""
    return Comparison.objects.filter(pk__in=pilot.items.values("comparison"))


def _begin(campaign: Campaign, size: int, overlap: int, actor: User | None) -> Pilot:
    last = campaign.pilots.aggregate(n=Max("number"))["n"] or 0
    assert campaign.question is not None
    pilot = Pilot.objects.create(
        campaign=campaign,
        number=last + 1,
        size=size,
        overlap=overlap,
        question=campaign.question,
        began_by=actor,
    )
    said = {"number": pilot.number, "size": size, "overlap": overlap}
    audit.record(verb="pilot begun", obj=campaign, actor=actor, data=said)
    return pilot


def _decide(pilot: Pilot, decision: str, actor: User | None) -> bool:
    """Of two leads who decide, one does. One that is revised is settled at once: what it withheld
    stays so for the next."""
    now = timezone.now()
    settled = now if decision == "revised" else None
    with transaction.atomic():
        rows = Pilot.objects.filter(pk=pilot.pk, decision="")
        if not rows.update(decision=decision, decided_at=now, settled_at=settled):
            return False
        said = {"number": pilot.number, "decision": decision}
        audit.record(verb="pilot decided", obj=pilot.campaign, actor=actor, data=said)
    return True


def _hold_back(pilot: Pilot) -> None:
    """What is no item of it, and nobody has had."""
    others = withheld.untouched(pilot.campaign).exclude(pk__in=pilot.items.values("comparison"))
    for _ in range(LOOKS):
        if not withheld.withhold(others):
            return


def _draw(pilot: Pilot) -> None:
    """Open as many items as are missing, once all comparisons are there to be drawn from."""
    if pilot.campaign.iterations.filter(state="sampling").exists():
        return
    with transaction.atomic():
        fresh = Pilot.objects.select_for_update().get(pk=pilot.pk)
        missing = fresh.size - fresh.items.count()
        if fresh.decision or missing <= 0:
            return
        rows = withheld.rows(pilot.campaign)[:missing]
        drawn = withheld.release(rows, least=fresh.overlap)
        PilotItem.objects.bulk_create(PilotItem(pilot=fresh, comparison_id=pk) for pk in drawn)


def _open_all(pilot: Pilot, now: datetime) -> None:
    for _ in range(LOOKS):
        if not withheld.release(withheld.rows(pilot.campaign)):
            break
    else:
        return
    sampling = pilot.campaign.iterations.filter(state="sampling").exists()
    if not sampling and not withheld.rows(pilot.campaign).exists():
        Pilot.objects.filter(pk=pilot.pk, settled_at=None).update(settled_at=now)

"""Sending a label back: its rater is asked to look again, and told why.

The answer is withdrawn, as if its rater had taken it back, and the card is theirs again with the
lead's words on it. Until they answer, the label is in its chain and not accepted. A lead who
thinks better of it has the answer put in force again, while nothing new was said.
"""

from __future__ import annotations

from collections import Counter

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from labeling import disputes, exclusions, labels, leases
from labeling.models import Assignment, Campaign, Label, SendBack, User
from models_runtime import audit
from models_runtime.phrases import phrase

LONGEST = 1_000  # characters of what a lead writes


class NotPossible(ValueError):
    """Said to the lead; nothing was changed."""


def send_back(*, label: Label, text: str, actor: User) -> SendBack:
    """Raises NotPossible for what is not in force, was given in a talk or by no person, and where
    it could not be answered again."""
    text = text.strip()
    if not text:
        raise NotPossible(phrase("Say what the rater should look at."))
    if len(text) > LONGEST:
        raise NotPossible(phrase("Write at most %(n)s characters.", n=str(LONGEST)))
    _check_answerable(label)
    with transaction.atomic():
        try:
            card = labels.reopen(label.assignment)
        except labels.NotOpen:
            raise _too_late() from None
        withdrawn = Label.objects.filter(assignment=card).order_by("-pk").first()
        if withdrawn is None or withdrawn.supersedes_id != label.pk:
            raise _too_late()
        row = SendBack.objects.create(
            assignment=card,
            label=label,
            campaign_id=card.campaign_id,
            rater_id=label.rater_id,
            text=text,
            by=actor,
        )
        _audit("label sent back", row, actor)
    leases.make_room_for(card)
    disputes.look_at([label.comparison_id])
    return row


def take_back(*, row: SendBack, actor: User) -> bool:
    """Put the answer in force again. False when something else was said since, or when that was
    done already. Raises NotPossible where it would be an excluded one that counts."""
    if exclusions.covering(row.label).exists():
        raise NotPossible(phrase("It is excluded: lift that first."))
    with transaction.atomic():
        if not labels.restore(row.label):
            return False
        SendBack.objects.filter(pk=row.pk).update(taken_back_at=timezone.now())
        _audit("send back taken back", row, actor)
    disputes.look_at([row.label.comparison_id])
    return True


def asked(assignment: Assignment) -> SendBack | None:
    """What its lead asks of a card in hand; None for what was never answered, which costs no
    query."""
    if assignment.submitted_at is None or assignment.state == "submitted":
        return None
    return _open(SendBack.objects.filter(assignment=assignment)).order_by("-id").first()


def waiting(rater: User, campaign: Campaign) -> QuerySet[SendBack]:
    """What this rater was asked to look at again and has not answered, the oldest first."""
    rows = _open(SendBack.objects.filter(rater=rater, campaign=campaign))
    return rows.select_related("assignment__comparison__prompt").order_by("id")


def counts(rater: User) -> Counter[int]:
    """How many wait for this rater, by campaign."""
    rows = _open(SendBack.objects.filter(rater=rater))
    return Counter(rows.values_list("campaign_id", flat=True))


def open_of(campaign: Campaign) -> QuerySet[SendBack]:
    """The same of all raters, the newest first."""
    rows = _open(SendBack.objects.filter(campaign=campaign))
    return rows.select_related("rater", "by", "label").order_by("-id")


def erase_texts(user: User) -> int:
    """Empty what was written to this rater, or by this person; how many texts."""
    rows = SendBack.objects.filter(Q(rater=user) | Q(by=user)).exclude(text="")
    return rows.update(text="")


def _open(rows: QuerySet[SendBack]) -> QuerySet[SendBack]:
    """Those that wait for an answer. What its rater took back again after answering is theirs;
    what they let expire and others have filled is wanted no more."""
    still = Q(assignment__state="leased") | Q(
        assignment__state="expired",
        assignment__comparison__state="open",
        assignment__comparison__slots_left__gt=0,
    )
    newer = Label.objects.filter(
        assignment=OuterRef("assignment"), kind="answer", pk__gt=OuterRef("label")
    )
    return rows.filter(still, ~Exists(newer), taken_back_at__isnull=True)


def _check_answerable(label: Label) -> None:
    comparison = label.comparison
    if comparison.conversation_id is not None:
        raise NotPossible(phrase("What was said in a talk cannot be sent back."))
    if label.source != "person" or label.assignment.is_aside:
        raise NotPossible(phrase("Only what a person answered in the campaign is sent back."))
    if comparison.campaign.state == "closed":
        raise NotPossible(phrase("This campaign is closed: its answers stay as they are."))
    if comparison.state in ("discarded", "withdrawn"):
        raise NotPossible(phrase("Nobody is shown this comparison now."))
    iteration = comparison.iteration
    if iteration is not None and iteration.state != "collecting":
        raise NotPossible(
            phrase("Its iteration collects no more: the answer could not be given again.")
        )
    if hasattr(label, "set_aside") and label.set_aside.exclusion_id is not None:
        raise NotPossible(phrase("It is excluded: lift that first."))


def _too_late() -> NotPossible:
    return NotPossible(phrase("The rater has taken this answer back or changed it since."))


def _audit(verb: str, row: SendBack, actor: User) -> None:
    audit.record(
        verb=verb,
        obj=row,
        actor=actor,
        project=row.label.comparison.campaign.project,
        data={"label": row.label_id},
    )

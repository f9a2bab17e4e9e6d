"""Questions that raters ask about a card in hand, and what leads answer: to the one who asked, to
everybody, and into the guidelines.

A rater's words stay between them and the leads: what everybody reads is the question as the lead
puts it. How many answers somebody has not seen yet stands in their seat, which each card reads
anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from labeling import campaigns, seats
from labeling.models import Assignment, Campaign, CardQuestion, GuidelineVersion, Seat, User
from labeling.questions import texts
from models_runtime import audit
from models_runtime.phrases import phrase

LONGEST, LONGEST_ANSWER = 2000, 10_000
MOST_OPEN = 20  # unanswered ones of a rater in a campaign
SHOWN = 100  # newest answers in the panel


class NotPossible(ValueError):
    """Nothing was changed; says why in one sentence."""


@dataclass(frozen=True)
class Reply:
    """A lead's answer in Markdown. With ``told``, the question in the lead's own words, all
    raters of the campaign read it; ``heading`` also puts both at the end of the guidelines, under
    that heading."""

    answer: str
    told: str = ""
    heading: str = ""


def ask(*, assignment: Assignment, text: str) -> CardQuestion:
    """A question about a card, which stays in hand. The same words about the same card again are
    the same question. Raises NotPossible."""
    said = _checked(text, LONGEST)
    rater, campaign = assignment.rater, assignment.campaign
    with transaction.atomic():
        seats.hold(rater.pk, campaign.pk)  # of two presses one comes after the other
        mine = CardQuestion.objects.filter(rater=rater, campaign=campaign, answered_at=None)
        if same := mine.filter(assignment=assignment, text=said).first():
            return same
        if mine.count() >= MOST_OPEN:
            raise NotPossible(
                phrase("Your lead has not answered %(n)s questions of yours yet.", n=MOST_OPEN)
            )
        made = CardQuestion.objects.create(
            campaign=campaign, assignment=assignment, rater=rater, text=said
        )
        audit.record(verb="card question asked", obj=made, actor=rater, project=campaign.project)
    return made


def answer(*, question: CardQuestion, reply: Reply, actor: User) -> bool:
    """Answer it. Of two leads one does: False for the other. Raises NotPossible, and
    campaigns.CannotRevise where the guidelines cannot be changed; then nothing was changed."""
    campaign = question.campaign
    written = _checked(reply.answer, LONGEST_ANSWER)
    told = _checked(reply.told, LONGEST) if reply.told.strip() else ""
    if reply.heading and not told:
        raise NotPossible(
            phrase("Write the question in your own words, so that everybody can read it.")
        )
    now = timezone.now()
    with transaction.atomic():
        entered = _enter(campaign, told, written, reply.heading, actor) if reply.heading else None
        open_one = CardQuestion.objects.filter(pk=question.pk, answered_at=None)
        done = open_one.update(
            answer=written,
            told=told,
            answered_by=actor,
            answered_at=now,
            shared_at=now if told else None,
            guideline=entered,
        )
        if not done:
            transaction.set_rollback(True)
            return False
        _mark_unread(campaign, None if told else question.rater_id)
        data = {"shared": bool(told), "guidelines": entered.number if entered else 0}
        audit.record(
            verb="card question answered",
            obj=question,
            actor=actor,
            project=campaign.project,
            data=data,
        )
    return True


def unshare(*, question: CardQuestion, actor: User) -> bool:
    """Show the answer to nobody but the one who asked. False where it was so already. What
    entered the guidelines stays there, and is changed there."""
    with transaction.atomic():
        shared = CardQuestion.objects.filter(pk=question.pk, shared_at__isnull=False)
        if not shared.update(shared_at=None):
            return False
        audit.record(
            verb="card answer withdrawn",
            obj=question,
            actor=actor,
            project=question.campaign.project,
        )
    return True


def unanswered(campaign: Campaign) -> QuerySet[CardQuestion]:
    """The oldest first."""
    return campaign.card_questions.filter(answered_at=None).order_by("pk")


def answered(campaign: Campaign) -> QuerySet[CardQuestion]:
    """The newest first."""
    return campaign.card_questions.filter(answered_at__isnull=False).order_by("-answered_at")


def shared(campaign: Campaign) -> list[CardQuestion]:
    """What all raters read, the newest first."""
    rows = campaign.card_questions.filter(shared_at__isnull=False)
    return list(rows.order_by("-shared_at")[:SHOWN])


def own(rater: User, campaign: Campaign) -> list[CardQuestion]:
    """What a rater asked and everybody does not read, the newest first."""
    rows = campaign.card_questions.filter(rater=rater, shared_at=None).exclude(text="")
    return list(rows.order_by("-pk")[:SHOWN])


def seen(rater: User, campaign: Campaign) -> None:
    """The rater has the answers before them."""
    unread = Seat.objects.filter(rater=rater, campaign=campaign, answers_unread__gt=0)
    unread.update(answers_unread=0)


def erase(rater: User) -> int:
    """Empty what the rater asked and the answers that only they read, and what they answered one
    other rater when they were a lead; how many. What all read is the campaign's own wording, and
    stays."""
    alone = CardQuestion.objects.filter(shared_at=None)
    answered = alone.filter(answered_by=rater).exclude(answer="").update(answer="", told="")
    rows = CardQuestion.objects.filter(rater=rater, erased_at=None)
    rows.filter(shared_at=None).update(answer="", told="")
    return answered + rows.update(text="", erased_at=timezone.now())


def _enter(
    campaign: Campaign, told: str, written: str, heading: str, actor: User
) -> GuidelineVersion:
    """A new version of the guidelines with the question and its answer at their end."""
    campaign.refresh_from_db(fields=["guideline"])
    before = campaign.guideline.markdown.rstrip() if campaign.guideline else ""
    title = f"## {heading}"
    asked = "\n".join(f"**{line.strip()}**" for line in told.splitlines() if line.strip())
    begun = [before] if title in before.splitlines() else [before, title]
    markdown = "\n\n".join([*filter(None, begun), asked, written])
    newest = campaign.guideline.number if campaign.guideline else 0
    return campaigns.revise_guidelines(
        campaign=campaign, markdown=f"{markdown}\n", based_on=newest, actor=actor
    )


def _mark_unread(campaign: Campaign, rater: int | None) -> None:
    """One more answer for one rater, or for all. Seats are held in one order."""
    rows = Seat.objects.filter(campaign=campaign)
    rows = rows.filter(rater=rater) if rater else rows
    held = list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    Seat.objects.filter(pk__in=held).update(answers_unread=F("answers_unread") + 1)


def _checked(text: str, longest: int) -> str:
    said = texts.cleaned(text).strip()
    if not said:
        raise NotPossible(phrase("Write something first."))
    if len(said) > longest:
        raise NotPossible(phrase("At most %(longest)s characters.", longest=longest))
    return said

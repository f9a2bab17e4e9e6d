"""Gold can be wrong: a rater says so, a lead decides, and both are told."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from labeling import gold
from labeling.models import Campaign, Contest, GoldResult, User
from labeling.questions.texts import cleaned
from models_runtime import audit, states
from models_runtime.phrases import phrase

LONGEST = 4_000  # characters of a reason


def open_contest(*, result: GoldResult, text: str, rater: User) -> Contest:
    """A rater disagrees with what was expected of an answer of theirs. Once an answer; repeating
    it gives back the first. Raises ValueError without a reason, and before they were told."""
    text = cleaned(text).strip()
    if not text:
        raise ValueError(phrase("Say why you disagree: the lead reads it."))
    if len(text) > LONGEST:
        raise ValueError(phrase("Say it in at most %(most)s characters.", most=LONGEST))
    if not result.shows:
        raise ValueError(phrase("What was expected there is not told."))
    campaign = result.gold.campaign
    try:
        with transaction.atomic():
            made = Contest.objects.create(result=result, campaign=campaign, rater=rater, text=text)
            said = {"contest": made.pk, "gold": result.gold_id}
            audit.record(verb="gold contested", obj=campaign, actor=rater, data=said)
    except IntegrityError:
        return Contest.objects.get(result=result)
    return made


def uphold(*, contest: Contest, reason: str = "", actor: User) -> None:
    """The rater is right: the item is asked no more, and no answer to it counts. Correcting it
    instead is gold.revise, and then this with ``corrected``. Repeating it changes nothing; raises
    states.StaleState when it was decided otherwise."""
    with transaction.atomic():
        _decide(contest, "upheld", reason, actor)
        gold.retire(gold=contest.result.gold, actor=actor)


def uphold_corrected(*, contest: Contest, key: gold.Key, reason: str = "", actor: User) -> int:
    """The rater is right, and this is what should have been expected: every answer to the item is
    marked anew. How many came out otherwise. Raises ValueError for a key that cannot be."""
    with transaction.atomic():
        _decide(contest, "upheld", reason, actor)
        return gold.revise(gold=contest.result.gold, key=key, actor=actor)


def reject(*, contest: Contest, reason: str, actor: User) -> None:
    """The item stays; the rater reads why. Raises ValueError without a reason."""
    if not reason.strip():
        raise ValueError(phrase("Say why it stays: the rater reads it."))
    with transaction.atomic():
        _decide(contest, "rejected", reason, actor)


def reopen(*, contest: Contest, actor: User) -> None:
    """Take a decision back: the contest waits again. An item that it retired is asked again; one
    that it corrected stays as it was corrected. Repeating it changes nothing."""
    with transaction.atomic():
        rows = Contest.objects.filter(pk=contest.pk).exclude(state="open")
        before = contest.state
        if not rows.update(
            state="open", reason="", decided_by=None, decided_at=None, told_at=None
        ):
            return
        if before == "upheld":
            gold.restore(gold=contest.result.gold, actor=actor)
        said = {"contest": contest.pk}
        audit.record(verb="contest reopened", obj=contest.campaign, actor=actor, data=said)


def waiting(campaign: Campaign) -> QuerySet[Contest]:
    return _rows(campaign).filter(state="open").order_by("id")


def decided(campaign: Campaign) -> QuerySet[Contest]:
    return _rows(campaign).exclude(state="open").order_by("-decided_at", "-id")


def to_tell(rater: User, campaign: Campaign) -> Contest | None:
    """The oldest decision that its rater has not read."""
    rows = _rows(campaign).filter(rater=rater, told_at=None).exclude(state="open")
    return rows.order_by("decided_at", "id").first()


def told(contest: Contest) -> bool:
    """The rater has read the decision. False when they had before."""
    with transaction.atomic():
        rows = Contest.objects.filter(pk=contest.pk, told_at=None).exclude(state="open")
        if not rows.update(told_at=timezone.now()):
            return False
        said = {"contest": contest.pk}
        audit.record(verb="decision read", obj=contest.campaign, actor=contest.rater, data=said)
    return True


def erase(rater: User) -> int:
    """Empty what this rater wrote and what was answered to it, and what they answered others when
    they were a lead; how many. Inside the transaction that erases them. Repeating it changes
    nothing."""
    decided = Contest.objects.filter(decided_by=rater).exclude(reason="").update(reason="")
    rows = Contest.objects.filter(rater=rater, erased_at=None)
    return decided + rows.update(text="", reason="", erased_at=timezone.now())


def _rows(campaign: Campaign) -> QuerySet[Contest]:
    return Contest.objects.filter(campaign=campaign).select_related(
        "rater", "result__gold__comparison__prompt", "result__label__question_version"
    )


def _decide(contest: Contest, state: str, reason: str, actor: User) -> None:
    reason = cleaned(reason).strip()
    if len(reason) > LONGEST:
        raise ValueError(phrase("Say it in at most %(most)s characters.", most=LONGEST))
    now = timezone.now()
    rows = Contest.objects.filter(pk=contest.pk, state="open")
    if not rows.update(state=state, reason=reason, decided_by=actor, decided_at=now):
        raise states.StaleState(contest, state)
    said = {"contest": contest.pk, "gold": contest.result.gold_id}
    audit.record(verb=f"contest {state}", obj=contest.campaign, actor=actor, data=said)

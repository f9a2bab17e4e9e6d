"""A campaign's test: how a rater's try ended, and trying again."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from labeling import gold_results, seats
from labeling.models import Campaign, GoldResult, Qualification, Seat, User
from models_runtime import audit
from models_runtime.phrases import phrase


class NotNow(ValueError):
    """What was asked for does not fit where the rater is."""


def decide(rater: User, campaign: Campaign, attempt: int, asked: int) -> Qualification:
    """End a try whose every item was answered or skipped. Inside a transaction that holds the
    rater's seat. An item without a right answer counts as wrong."""
    right = right_answers(rater, campaign, attempt)
    passed = 100 * right >= campaign.pass_mark * asked
    row = Qualification.objects.create(
        rater=rater,
        campaign=campaign,
        attempt=attempt,
        right=right,
        asked=asked,
        pass_mark=campaign.pass_mark,
        passed=passed,
    )
    seats.enter(rater.pk, campaign.pk, "work" if passed else "failed")
    said = {"right": right, "asked": asked, "pass_mark": campaign.pass_mark, "attempt": attempt}
    verb = "test passed" if passed else "test not passed"
    audit.record(verb=verb, obj=campaign, actor=rater, data=said)
    return row


def right_answers(rater: User, campaign: Campaign, attempt: int) -> int:
    """Of a try of the test, so far."""
    rows = GoldResult.objects.filter(
        gold_results.in_force(),
        rater=rater,
        occasion=attempt,
        right=True,
        gold__campaign=campaign,
        gold__purpose="qualification",
    )
    return rows.count()


def is_decided(rater_id: int, campaign_id: int, attempt: int) -> bool:
    rows = Qualification.objects.filter(rater=rater_id, campaign=campaign_id, attempt=attempt)
    return rows.exists()


def to_tell(rater: User, campaign: Campaign) -> Qualification | None:
    """The newest verdict that its rater has not read."""
    rows = Qualification.objects.filter(rater=rater, campaign=campaign, told_at=None)
    return rows.order_by("-attempt").first()


def told(verdict: Qualification) -> bool:
    """The rater has read it. False when they had before."""
    with transaction.atomic():
        rows = Qualification.objects.filter(pk=verdict.pk, told_at=None)
        if not rows.update(told_at=timezone.now()):
            return False
        said = {"attempt": verdict.attempt}
        audit.record(verb="verdict read", obj=verdict.campaign, actor=verdict.rater, data=said)
    return True


def try_again(*, rater: User, campaign: Campaign, actor: User) -> None:
    """Let somebody who failed take the test once more, from its beginning. Raises NotNow for
    anybody else; repeating it changes nothing."""
    with transaction.atomic():
        seats.hold(rater.pk, campaign.pk)
        rows = Seat.objects.filter(rater=rater, campaign=campaign, stage="failed")
        seat = rows.first()
        if seat is None:
            raise NotNow(phrase("Only who did not pass takes the test again."))
        rows.update(stage="qualification", attempt=seat.attempt + 1)
        _record("test given again", campaign, actor, rater)


def let_in(*, rater: User, campaign: Campaign, actor: User) -> None:
    """Let somebody work who has not been through training and test. Repeating it changes
    nothing."""
    with transaction.atomic():
        before = seats.hold(rater.pk, campaign.pk).stage
        if before == "work":
            return
        seats.enter(rater.pk, campaign.pk, "work")
        _record("let in without test", campaign, actor, rater)


def send_to_training(*, rater: User, campaign: Campaign, actor: User) -> None:
    """Put somebody at work back before the training and the test: what they have not answered of
    the training items is asked, and the test anew. Repeating it changes nothing."""
    with transaction.atomic():
        work = seats.hold(rater.pk, campaign.pk)
        if work.stage != "work":
            return
        tried = is_decided(rater.pk, campaign.pk, work.attempt)
        Seat.objects.filter(rater=rater, campaign=campaign).update(
            stage="", attempt=work.attempt + 1 if tried else work.attempt
        )
        _record("sent to training", campaign, actor, rater)


def _record(verb: str, campaign: Campaign, actor: User, rater: User) -> None:
    audit.record(verb=verb, obj=campaign, actor=actor, data={"rater": rater.pk})

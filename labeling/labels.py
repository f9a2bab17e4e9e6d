"""Recording what raters say: answers, withdrawals, skips, flags. Labels are only ever appended."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Collection
from dataclasses import astuple
from datetime import datetime
from enum import Enum
from typing import Any, Literal, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from labeling import (
    accepted,
    adaptive,
    admission,
    asides,
    boundaries,
    confirmations,
    disputes,
    gold_results,
    leases,
    questions,
    rates,
    seats,
    slots,
    withdrawals,
    written,
)
from labeling.iterations import plan_of
from labeling.models import (
    Assignment,
    Campaign,
    Comparison,
    Flag,
    GuidelineVersion,
    Iteration,
    Label,
    QuestionVersion,
    User,
)
from labeling.questions import InvalidAnswer
from labeling.seats import Work
from models_runtime import states
from models_runtime.phrases import phrase

__all__ = ["IdempotencyConflict", "InvalidAnswer", "NotOpen"]
T = TypeVar("T")
LONGEST_ACTIVE_MS = 24 * 3600 * 1000
# From here on an assignment's occasion says that it is a lead's decision, not a rater's card.
DECISIONS = 30_000
UNDO_WITHIN = 10  # a rater's newest answers and skips in a campaign


class Newest(Enum):
    """Whoever answers says nothing of guidelines: those of now were read. None says that there
    were none to read."""

    GUIDELINES = "newest"


Told = GuidelineVersion | None | Literal[Newest.GUIDELINES]


class IdempotencyConflict(Exception):
    """The same key came with another body: a fault of the client, nothing was changed."""


class NotOpen(Exception):
    """The card was answered or skipped already (another tab, another request)."""


class NotNewest(Exception):
    """Something was answered or taken back since the page was drawn. Nothing was changed."""


def record_label(
    *,
    assignment: Assignment,
    parts: dict[str, Any],
    idempotency_key: uuid.UUID,
    question: QuestionVersion | None = None,
    guideline: Told = Newest.GUIDELINES,
    active_ms: int | None = None,
    layout: str = "",
    now: datetime | None = None,
) -> Label:
    """Store the answer to an assignment; in the database when this returns.

    ``parts`` is ``{KEY: what the instrument posts}``, e.g. ``{"preference": {"choice":
    "0:slightly"}}``. ``question`` and ``guideline`` are the versions that the rater was shown,
    where they are not the campaign's newest: a card that is in hand while the question is turned
    round is answered as it was asked, and one that came before any guidelines without them.
    Repeating a key with the same parts gives back the stored
    label. An answer after the lease's end is kept and marked late; it counts when a slot is free.

    Raises InvalidAnswer (NotConfirmed among them), NotOpen, IdempotencyConflict; then nothing was
    changed.
    """
    sent = _sent(assignment, parts, idempotency_key, guideline, active_ms, layout, now)

    def alone() -> Label:
        label, _ = _record(assignment, question, parts, sent)
        slots.tally(label)
        return label

    return _once(assignment, sent, alone) or _stored(assignment, sent)


def record_and_claim(
    *,
    assignment: Assignment,
    parts: dict[str, Any],
    idempotency_key: uuid.UUID,
    question: QuestionVersion | None = None,
    guideline: Told = Newest.GUIDELINES,
    active_ms: int | None = None,
    layout: str = "",
    have: Collection[uuid.UUID] = (),
) -> leases.Hand:
    """record_label and then leases.hand for the same rater, in one transaction where nothing has
    to be waited for: a commit is what an answer costs most."""
    rater, campaign = assignment.rater, assignment.comparison.campaign
    sent = _sent(assignment, parts, idempotency_key, guideline, active_ms, layout, None)

    def both() -> leases.Hand:
        label, work = _record(assignment, question, parts, sent)
        after = None if assignment.is_aside else assignment.comparison
        hand = leases.hand_within(rater, campaign, work, have=have, wait=False, after=after)
        slots.tally(label, hand.card.comparison.iteration if hand.card else None)
        return hand

    done = _once(assignment, sent, both)
    if done and (done.card or done.waits):
        return done
    try:
        return leases.hand(rater=rater, campaign=campaign, have=have)
    except leases.NoCards:  # what was answered is stored all the same
        return leases.Hand(None, seats.work(rater, campaign))


def skip(*, assignment: Assignment, reason: str, now: datetime | None = None) -> None:
    """Put a card away; its slot is free for others. Repeating it changes nothing.

    Raises InvalidAnswer for a reason that is not offered, NotOpen when it was answered and for
    a talk's pair.
    """
    if reason not in dict(Assignment.SKIP_REASONS):
        raise InvalidAnswer(phrase("Choose one of the reasons for skipping."))
    with transaction.atomic():
        fresh = slots.locked(assignment.pk)
        if fresh.comparison.conversation_id is not None:
            raise NotOpen(phrase("A pair of a talk is judged, or ends with it."))
        if fresh.state == "skipped":
            return
        if fresh.state == "submitted":
            raise NotOpen(phrase("This comparison was already answered."))
        if fresh.state == "leased":
            if not fresh.is_aside:
                slots.give_back(fresh.comparison)
        else:  # expired: its slot went back then
            states.advance(fresh, "leased")
        states.advance(fresh, "skipped", skip_reason=reason, submitted_at=now or timezone.now())


def undo(
    *,
    rater: User,
    campaign: Campaign,
    assignment: uuid.UUID | None = None,
    last: uuid.UUID | None = None,
    now: datetime | None = None,
) -> Assignment | None:
    """Take back the rater's last answer or skip, or ``assignment`` of the last ten; None when
    there is none.

    The assignment is leased again with its display order. An answer's withdrawal is appended,
    and its place is held for the new one. Where others have taken the slot of a skipped or
    uncounted card meanwhile, it comes back expired: a new answer is kept, and not counted.
    Cards that were leased ahead are given back where it would be one too many.

    ``last`` is the newest card as the page knew it, so that of two presses at once one counts.
    Raises NotNewest when it is not the newest any more, NotOpen in a closed campaign, where it
    could not be answered again, and for a card that its rater may not be shown any more; then
    nothing was changed. What was said in talks is taken back there (turns.take_back), never here.
    """
    now = now or timezone.now()
    if campaign.state == "closed":
        raise NotOpen(phrase("This campaign is closed: its answers stay as they are."))
    with transaction.atomic():
        seats.hold(rater.pk, campaign.pk)
        done = dict(_done(rater, campaign).values_list("public_id", "pk")[:UNDO_WITHIN])
        newest = next(iter(done), None)
        if last not in (None, newest):
            raise NotNewest
        wanted = done.get(assignment or newest) if newest else None
        if wanted is None:
            return None
        card = slots.locked(wanted)
        _check_may_return(card, now)
        _reopen(card, now)
    leases.make_room_for(card)
    return card


def reopen(assignment: Assignment, now: datetime | None = None) -> Assignment:
    """Take back the answer to a talk's pair, or one that a lead sends back; it is leased again.
    Raises NotOpen when there is none. Whether the talk has gone on since is for the caller to
    know."""
    with transaction.atomic():
        seats.hold(assignment.rater_id, assignment.campaign_id)
        card = slots.locked(assignment.pk)
        if card.state != "submitted":
            raise NotOpen(phrase("There is nothing to take back."))
        _reopen(card, now or timezone.now())
    return card


def restore(answer: Label) -> bool:
    """Put an answer in force again that was withdrawn, as it was: a new row of its chain. False
    when something was said since, by its rater or by another request."""
    assignment = answer.assignment
    with transaction.atomic():
        worth = rates.taken_back(answer, assignment.campaign_id)
        more = Work(*(-one for one in astuple(worth)[:5]))
        seats.hold(assignment.rater_id, assignment.campaign_id, more=more)
        card = slots.locked(assignment.pk)
        last = _newest(card)
        open_now = card.state in ("leased", "expired")
        if not open_now or last is None or last.supersedes_id != answer.pk:
            seats.hold(assignment.rater_id, assignment.campaign_id, more=worth)
            return False
        counted = card.state == "leased" or slots.take(card.comparison_id)
        # When it was given: the days in which it is paid, and its place among the last ten.
        states.advance(card, "submitted", submitted_at=answer.created_at)
        label = _again(card, answer, last, counted)
        if counted:
            slots.count(card)
            adaptive.reconsider(card.comparison)
            slots.tally(label)
    return True


def record_decision(*, comparison: Comparison, lead: User, parts: dict[str, Any]) -> Label:
    """A lead's own answer to a comparison: a label apart from its raters', which holds no place
    and is among nobody's last answers. Inside a transaction that holds the comparison. Raises
    InvalidAnswer."""
    now = timezone.now()
    earlier = Assignment.objects.filter(
        comparison=comparison, rater=lead, occasion__gte=DECISIONS
    ).count()
    shown = comparison.items.order_by("position").values_list("completion_id", flat=True)
    card = Assignment.objects.create(
        comparison=comparison,
        rater=lead,
        campaign_id=comparison.campaign_id,
        occasion=DECISIONS + earlier,
        state="submitted",
        order=list(shown),
        leased_at=now,
        leased_until=now,
    )
    asked = _question(card, None)
    cleaned = questions.clean_parts(asked.parts, parts, card.order, written.texts_of(card))
    label = _append(
        card,
        question_version=asked,
        guideline_version_id=comparison.campaign.guideline_id,
        counted=False,
        idempotency_key=uuid.uuid4(),
        body_sha256=_sha256({"assignment": str(card.public_id), "parts": parts}),
        answer=written.store(card, cleaned) if cleaned.typed else cleaned.answer,
        created_at=now,
    )
    if cleaned.typed:
        written.keep_texts(label, cleaned)
    return label


def withdraw_decision(answer: Label) -> None:
    """Take a lead's own answer back, for good. Inside a transaction that holds the comparison."""
    _withdraw(answer.assignment, answer, timezone.now())


def recent(rater: User, campaign: Campaign) -> list[Assignment]:
    """The last that the rater answered or skipped in this campaign, the newest first."""
    rows = _done(rater, campaign).select_related("comparison__prompt")
    return list(rows[:UNDO_WITHIN])


def newest(rater: User, campaign: Campaign) -> uuid.UUID | None:
    """The public id of what undo takes back."""
    return _done(rater, campaign).values_list("public_id", flat=True).first()


def _done(rater: User, campaign: Campaign) -> QuerySet[Assignment]:
    rows = Assignment.objects.filter(
        rater=rater,
        campaign=campaign,
        submitted_at__isnull=False,  # for the index
        state__in=("submitted", "skipped"),
        comparison__conversation=None,
    )
    return rows.order_by("-submitted_at", "-id")


def flag(*, assignment: Assignment, code: str) -> Flag:
    """Say that something is wrong with the card; it stays in hand. Once per code. With personal
    data it is handed to nobody else until a lead decides.

    Raises InvalidAnswer for a code that is not offered.
    """
    if code not in dict(Flag.CODES):
        raise InvalidAnswer(phrase("Choose one of the reasons for flagging."))
    row, _ = Flag.objects.get_or_create(
        assignment=assignment,
        code=code,
        defaults={"comparison_id": assignment.comparison_id, "rater_id": assignment.rater_id},
    )
    if row.resolved_at is None:
        if code == withdrawals.CODE:
            withdrawals.withdraw(assignment.comparison, keep=assignment)
        disputes.look_at([assignment.comparison_id])
    return row


def collected(campaign: Campaign, iteration: Iteration | None = None) -> dict[str, int]:
    """campaign_done of campaign_target: counted labels of the iteration that is collecting (0 of
    0 while none is). ``iteration`` is that one, where it was read already."""
    if iteration is None:
        rows = campaign.iterations.filter(state="collecting")
        iteration = rows.order_by("-number").first()
    if iteration is None:
        return {"campaign_done": 0, "campaign_target": 0}
    plan = plan_of(iteration)
    others = iteration.labels_others if plan.count_simulated else 0
    return {
        "campaign_done": iteration.labels_people + others,
        "campaign_target": plan.target_labels,
    }


def _sent(
    assignment: Assignment,
    parts: dict[str, Any],
    key: uuid.UUID,
    guideline: Told,
    active_ms: int | None,
    layout: str,
    now: datetime | None,
) -> dict[str, Any]:
    """What the label says of the request."""
    return {
        "guideline_version_id": _told(assignment.comparison.campaign, guideline),
        "idempotency_key": key,
        "body_sha256": _sha256({"assignment": str(assignment.public_id), "parts": parts}),
        "active_ms": _plausible(active_ms),
        "layout": layout[:30],
        "created_at": now or timezone.now(),
    }


def _told(campaign: Campaign, guideline: Told) -> int | None:
    if guideline is Newest.GUIDELINES:
        return campaign.guideline_id
    if guideline is None:
        return None
    if guideline.campaign_id != campaign.pk:
        raise InvalidAnswer(phrase("Those guidelines are another campaign's."))
    return guideline.pk


def _once(assignment: Assignment, sent: dict[str, Any], act: Callable[[], T]) -> T | None:
    """Do it in one transaction; None when the same request was stored before, which its key
    tells when it is stored again. Raises IdempotencyConflict."""
    try:
        with transaction.atomic():
            return act()
    except (IntegrityError, NotOpen, confirmations.NotConfirmed):
        if not _stored_rows(assignment, sent).exists():
            raise
        _stored(assignment, sent)
        return None


def _stored(assignment: Assignment, sent: dict[str, Any]) -> Label:
    label = _stored_rows(assignment, sent).get()
    if label.body_sha256 != sent["body_sha256"]:
        raise IdempotencyConflict(phrase("This key was used before for another answer."))
    return label


def _stored_rows(assignment: Assignment, sent: dict[str, Any]) -> QuerySet[Label]:
    key = sent["idempotency_key"]
    return Label.objects.filter(rater_id=assignment.rater_id, idempotency_key=key)


def _record(
    assignment: Assignment,
    question: QuestionVersion | None,
    parts: dict[str, Any],
    sent: dict[str, Any],
) -> tuple[Label, Work]:
    """The label, and what its rater's answers in the campaign come to now. What is left to do
    is slots.tally."""
    work, sent = _timed(assignment, sent)
    campaign = assignment.comparison.campaign
    confirmations.check(assignment.rater, campaign, work, sent["guideline_version_id"])
    fresh, said = _submit(assignment, sent["created_at"])
    asked = _question(fresh, question)
    cleaned = questions.clean_parts(asked.parts, parts, fresh.order, written.texts_of(fresh))
    answer = written.store(fresh, cleaned) if cleaned.typed else cleaned.answer
    label = _append(fresh, question_version=asked, answer=answer, **said, **sent)
    if cleaned.typed:
        written.keep_texts(label, cleaned)
    if fresh.comparison.purpose != "work":
        gold_results.record(label)
    if label.counted:
        slots.count(fresh)
        adaptive.reconsider(fresh.comparison)
    return label, work


def _timed(assignment: Assignment, sent: dict[str, Any]) -> tuple[Work, dict[str, Any]]:
    """The rater's seat held, and what the label says, with the time that could have passed. Who
    talks has worked on a pair since before it was there."""
    talk = assignment.comparison.conversation
    granted, work = seats.answer(
        assignment.rater_id,
        assignment.campaign_id,
        claimed_ms=sent["active_ms"] or 0,
        since=talk.created_at if talk else assignment.leased_at,
        now=sent["created_at"],
    )
    return work, {**sent, "active_ms": None if sent["active_ms"] is None else granted}


def _submit(assignment: Assignment, at: datetime) -> tuple[Assignment, dict[str, Any]]:
    """Move an assignment to submitted; as it is stored, with what its label says of that."""
    if _submit_in_hand(assignment, at):
        counted = not assignment.is_aside
        return assignment, {"late": False, "counted": counted, "supersedes": None}
    fresh = slots.locked(assignment.pk)
    if fresh.state not in ("leased", "expired"):
        raise NotOpen(phrase("This comparison was already answered or skipped."))
    holds_slot = fresh.state == "leased"
    late = not holds_slot or at > fresh.leased_until
    earlier = _newest(fresh) if fresh.submitted_at else None
    states.advance(fresh, "submitted", submitted_at=at)
    counted = not fresh.is_aside and (holds_slot or slots.take(fresh.comparison_id))
    return fresh, {"late": late, "counted": counted, "supersedes": earlier}


def _submit_in_hand(assignment: Assignment, at: datetime) -> bool:
    """The usual case, without reading the row again: leased, in time, and answered once."""
    if assignment.state != "leased" or at > assignment.leased_until:
        return False
    untouched = Assignment.objects.filter(pk=assignment.pk, state="leased", submitted_at=None)
    return bool(untouched.update(state="submitted", submitted_at=at))


def _append(assignment: Assignment, **fields: Any) -> Label:
    """A new row of the assignment's chain: answer <- withdrawn <- answer."""
    comparison = assignment.comparison
    return Label.objects.create(
        assignment=assignment,
        comparison=comparison,
        rater=assignment.rater,
        source=assignment.rater.kind,
        order=assignment.order,
        **fields,
    )


def _question(assignment: Assignment, shown: QuestionVersion | None) -> QuestionVersion:
    campaign = assignment.comparison.campaign
    question = shown or campaign.question
    if question is None:
        raise InvalidAnswer(phrase("This campaign asks no question yet."))
    if question.campaign_id != campaign.pk:
        raise InvalidAnswer(phrase("That question is another campaign's."))
    return question


def _newest(assignment: Assignment) -> Label | None:
    return assignment.labels.order_by("-id").first()


def _check_may_return(card: Assignment, now: datetime) -> None:
    """Whoever wants to read no more of something does not get it back by a key."""
    if why := admission.bar(card.rater, card.comparison.campaign):
        raise NotOpen(admission.SAID[why])
    if confirmations.is_pending_now(card.rater, card.comparison.campaign):
        raise NotOpen(confirmations.SAID)
    if asides.is_settled(card):
        raise NotOpen(phrase("You have been told what was expected there: your answer stays."))
    limits = boundaries.of(card.rater, card.comparison.campaign, now)
    if limits and not limits.consented:
        raise NotOpen(phrase("Agree to the content warning first: your answers stay until then."))
    if limits and not limits.allow(card.comparison.prompt):
        raise NotOpen(
            phrase("You want to see no more of that kind: your answer to it stays as it is.")
        )


def _reopen(assignment: Assignment, now: datetime) -> None:
    answer = _newest(assignment) if assignment.state == "submitted" else None
    if answer is not None:
        _withdraw(assignment, answer, now)
        less = rates.taken_back(answer, assignment.campaign_id)
        seats.hold(assignment.rater_id, assignment.campaign_id, more=less)
    counts = answer is not None and accepted.is_counted(answer)
    holds_slot = counts or assignment.is_aside or slots.take(assignment.comparison_id)
    if counts:
        slots.uncount(assignment)
    ends = leases.ends_of(assignment.comparison, now)
    states.advance(assignment, "leased", leased_until=ends, skip_reason="")
    if not holds_slot:
        states.advance(assignment, "expired", leased_until=now)


def _withdraw(assignment: Assignment, answer: Label, now: datetime) -> None:
    written.take_back(answer)
    _append(
        assignment,
        kind="withdrawn",
        supersedes=answer,
        question_version=answer.question_version,
        guideline_version_id=answer.guideline_version_id,
        counted=False,
        idempotency_key=uuid.uuid4(),
        body_sha256=_sha256({"withdraws": str(answer.public_id)}),
        answer={"v": 1, "parts": {}},
        created_at=now,
    )


def _again(card: Assignment, answer: Label, last: Label, counted: bool) -> Label:
    """The same answer as a new row, with what was typed in it."""
    label = _append(
        card,
        supersedes=last,
        question_version=answer.question_version,
        guideline_version_id=answer.guideline_version_id,
        late=answer.late,
        counted=counted,
        active_ms=answer.active_ms,
        layout=answer.layout,
        idempotency_key=uuid.uuid4(),
        body_sha256=answer.body_sha256,
        answer=answer.answer,
        created_at=answer.created_at,
    )
    written.copy_texts(answer, label)
    return label


def _sha256(body: Any) -> str:
    canonical = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plausible(active_ms: int | None) -> int | None:
    """A browser's clock may be wrong by years; a card is not open for longer than a day."""
    return None if active_ms is None else min(max(active_ms, 0), LONGEST_ACTIVE_MS)

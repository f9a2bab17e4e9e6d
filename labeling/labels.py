"""Recording what raters say: answers, withdrawals, skips, flags. Labels are only ever appended."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from labeling import leases, questions, slots
from labeling.iterations import plan_of
from labeling.models import Assignment, Campaign, Flag, Label, QuestionVersion, User
from labeling.questions import InvalidAnswer
from models_runtime import states

__all__ = ["IdempotencyConflict", "InvalidAnswer", "NotOpen"]
LONGEST_ACTIVE_MS = 24 * 3600 * 1000


class IdempotencyConflict(Exception):
    """The same key came with another body: a fault of the client, nothing was changed."""


class NotOpen(Exception):
    """The card was answered or skipped already (another tab, another request)."""


def record_label(
    *,
    assignment: Assignment,
    parts: dict[str, Any],
    idempotency_key: uuid.UUID,
    question: QuestionVersion | None = None,
    active_ms: int | None = None,
    layout: str = "",
    now: datetime | None = None,
) -> Label:
    """Store the answer to an assignment; in the database when this returns.

    ``parts`` is ``{KEY: what the instrument posts}``, e.g. ``{"preference": {"choice":
    "0:slightly"}}``. ``question`` is the version that the rater was shown, where it is not the
    campaign's newest: a card that is in hand while the question is turned round is answered as
    it was asked. Repeating a key with the same parts gives back the stored label. An answer
    after the lease's end is kept and marked late; it counts when a slot is free.

    Raises InvalidAnswer, NotOpen, IdempotencyConflict; then nothing was changed.
    """
    body = _sha256({"assignment": str(assignment.public_id), "parts": parts})
    sent = {
        "idempotency_key": idempotency_key,
        "body_sha256": body,
        "active_ms": _plausible(active_ms),
        "layout": layout[:30],
        "created_at": now or timezone.now(),
    }
    if stored := _stored(assignment, idempotency_key, body):
        return stored
    try:
        with transaction.atomic():
            return _record(assignment, question, parts, sent)
    except (IntegrityError, NotOpen):
        # The same request was under way twice, and the other one came first.
        if stored := _stored(assignment, idempotency_key, body):
            return stored
        raise


def skip(*, assignment: Assignment, reason: str, now: datetime | None = None) -> None:
    """Put a card away; its slot is free for others. Repeating it changes nothing.

    Raises InvalidAnswer for a reason that is not offered, NotOpen when it was answered.
    """
    if reason not in dict(Assignment.SKIP_REASONS):
        raise InvalidAnswer("Choose one of the reasons for skipping.")
    with transaction.atomic():
        fresh = slots.locked(assignment)
        if fresh.state == "skipped":
            return
        if fresh.state == "submitted":
            raise NotOpen("This comparison was already answered.")
        if fresh.state == "leased":
            slots.give_back(fresh.comparison)
        else:  # expired: its slot went back then
            states.advance(fresh, "leased")
        states.advance(fresh, "skipped", skip_reason=reason, submitted_at=now or timezone.now())


def undo(*, rater: User, campaign: Campaign, now: datetime | None = None) -> Assignment | None:
    """Take back the rater's last answer or skip; None when there is none.

    The assignment is leased again with its display order. An answer's withdrawal is appended,
    and its place is held for the new one. Where others have taken the slot of a skipped or
    uncounted card meanwhile, it comes back expired: a new answer is kept, and not counted.
    """
    now = now or timezone.now()
    done = Assignment.objects.filter(
        rater=rater, comparison__campaign=campaign, state__in=("submitted", "skipped")
    )
    with transaction.atomic():
        last = done.order_by("-submitted_at", "-id").first()
        if last is None:
            return None
        fresh = slots.locked(last)
        if fresh.state in ("submitted", "skipped"):  # else a second press came first
            _reopen(fresh, now)
        return fresh


def flag(*, assignment: Assignment, code: str) -> Flag:
    """Say that something is wrong with the card; it stays in hand. Once per code.

    Raises InvalidAnswer for a code that is not offered.
    """
    if code not in dict(Flag.CODES):
        raise InvalidAnswer("Choose one of the reasons for flagging.")
    row, _ = Flag.objects.get_or_create(
        assignment=assignment,
        code=code,
        defaults={"comparison_id": assignment.comparison_id, "rater_id": assignment.rater_id},
    )
    return row


def progress(rater: User, campaign: Campaign) -> dict[str, int]:
    """mine: the rater's answers in this campaign; campaign_done of campaign_target: counted
    labels of the iteration that is collecting (0 of 0 while none is)."""
    mine = rater.assignments.filter(comparison__campaign=campaign, state="submitted").count()
    iteration = campaign.iterations.filter(state="collecting").order_by("-number").first()
    if iteration is None:
        return {"mine": mine, "campaign_done": 0, "campaign_target": 0}
    plan = plan_of(iteration)
    others = iteration.labels_others if plan.count_simulated else 0
    return {
        "mine": mine,
        "campaign_done": iteration.labels_people + others,
        "campaign_target": plan.target_labels,
    }


def _stored(assignment: Assignment, key: uuid.UUID, body: str) -> Label | None:
    label = Label.objects.filter(rater_id=assignment.rater_id, idempotency_key=key).first()
    if label is not None and label.body_sha256 != body:
        raise IdempotencyConflict("This key was used before for another answer.")
    return label


def _record(
    assignment: Assignment,
    question: QuestionVersion | None,
    parts: dict[str, Any],
    sent: dict[str, Any],
) -> Label:
    fresh = slots.locked(assignment)
    if fresh.state not in ("leased", "expired"):
        raise NotOpen("This comparison was already answered or skipped.")
    asked = _question(fresh, question)
    answer = questions.clean_parts(asked.parts, parts, fresh.order)
    holds_slot = fresh.state == "leased"
    late = not holds_slot or sent["created_at"] > fresh.leased_until
    earlier = _newest(fresh) if fresh.submitted_at else None
    states.advance(fresh, "submitted", submitted_at=sent["created_at"])
    counted = holds_slot or slots.take(fresh.comparison)
    said = {"question_version": asked, "answer": answer, "late": late, "counted": counted}
    label = _append(fresh, supersedes=earlier, **said, **sent)
    if counted:
        slots.count(fresh)
    return label


def _append(assignment: Assignment, **fields: Any) -> Label:
    """A new row of the assignment's chain: answer <- withdrawn <- answer."""
    comparison = assignment.comparison
    return Label.objects.create(
        assignment=assignment,
        comparison=comparison,
        rater=assignment.rater,
        guideline_version_id=comparison.campaign.guideline_id,
        source=assignment.rater.kind,
        order=assignment.order,
        **fields,
    )


def _question(assignment: Assignment, shown: QuestionVersion | None) -> QuestionVersion:
    campaign = assignment.comparison.campaign
    question = shown or campaign.question
    if question is None:
        raise InvalidAnswer("This campaign asks no question yet.")
    if question.campaign_id != campaign.pk:
        raise InvalidAnswer("That question is another campaign's.")
    return question


def _newest(assignment: Assignment) -> Label | None:
    return assignment.labels.order_by("-id").first()


def _reopen(assignment: Assignment, now: datetime) -> None:
    answer = _newest(assignment) if assignment.state == "submitted" else None
    if answer is not None:
        _withdraw(assignment, answer, now)
    holds_slot = bool(answer and answer.counted) or slots.take(assignment.comparison)
    if answer is not None and answer.counted:
        slots.uncount(assignment)
    ends = leases.until(assignment.comparison.campaign, now)
    states.advance(assignment, "leased", leased_until=ends, skip_reason="")
    if not holds_slot:
        states.advance(assignment, "expired", leased_until=now)


def _withdraw(assignment: Assignment, answer: Label, now: datetime) -> None:
    _append(
        assignment,
        kind="withdrawn",
        supersedes=answer,
        question_version=answer.question_version,
        counted=False,
        idempotency_key=uuid.uuid4(),
        body_sha256=_sha256({"withdraws": str(answer.public_id)}),
        answer={"v": 1, "parts": {}},
        created_at=now,
    )


def _sha256(body: Any) -> str:
    canonical = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plausible(active_ms: int | None) -> int | None:
    """A browser's clock may be wrong by years; a card is not open for longer than a day."""
    return None if active_ms is None else min(max(active_ms, 0), LONGEST_ACTIVE_MS)

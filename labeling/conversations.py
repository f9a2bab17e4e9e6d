"""Talks with live models: how one begins, what may be done in it now, and how it ends.

What happens at a turn is in ``turns``, and who writes the replies in ``replies``. All of it is
rows; the models answer in another process.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from labeling import admission, boundaries, confirmations, iterations, leases, slots
from labeling.models import (
    TALK_WAITS,
    Assignment,
    Campaign,
    Completion,
    Conversation,
    Reply,
    Turn,
    User,
)
from labeling.questions import InvalidAnswer, live
from labeling.questions.live import Live
from models_runtime import states
from models_runtime.models import Checkpoint, Endpoint
from models_runtime.phrases import phrase

# What a talk waits for.
Stage = Literal["talking", "waiting", "failed", "judging", "voting", "rating", "full", "over"]
_draw = random.SystemRandom()  # who answers, and what is asked for, must not be guessable

Speaker = dict[str, int]  # {"checkpoint": id} or {"endpoint": id}
KEPT_EVERY = timedelta(hours=1)  # a page that waits for a reply asks four times a second


class NotNow(Exception):
    """What was asked for cannot be done at this point of the talk; one sentence, nothing was
    changed."""


def live_of(campaign: Campaign) -> Live | None:
    """The talk that the campaign asks for; None when its raters answer cards."""
    return live.of(campaign.question.parts) if campaign.question else None


def form_of(talk: Conversation) -> Live:
    """The talk that this one is: as its question asked when it began."""
    assert talk.question is not None
    found = live.of(talk.question.parts)
    assert found is not None
    return found


def current(rater: User, campaign: Campaign) -> Conversation | None:
    """The talk that the rater is in."""
    rows = Conversation.objects.filter(rater=rater, campaign=campaign, ended_at=None)
    return rows.select_related("question", "campaign").first()


def begin(*, rater: User, campaign: Campaign, now: datetime | None = None) -> Conversation:
    """A talk, with who answers and a red team's goal drawn; the open one where there is one, so
    that repeating it changes nothing. Raises NotNow."""
    now = now or timezone.now()
    with transaction.atomic():
        leases.one_at_a_time(rater)
        if found := current(rater, campaign):
            return found
        form = live_of(campaign)
        if campaign.state != "open" or form is None:
            raise NotNow(phrase("Nobody can be talked with here at the moment."))
        if refused := admission.refusal(rater, campaign, now):
            raise NotNow(refused)
        if refused := confirmations.refusal(rater, campaign):
            raise NotNow(refused)
        limits = boundaries.of(rater, campaign, now)
        if limits and (not limits.consented or limits.resumes_at):
            raise NotNow(phrase("Agree to what is shown here first, or go on tomorrow."))
        goals = form.part.get("goals") or [""]
        return Conversation.objects.create(
            campaign=campaign,
            rater=rater,
            question=campaign.question,
            goal=_draw.choice(goals),
            speakers=_speakers(campaign, form),
            created_at=now,
            held_until=now + TALK_WAITS,
            deadline=now + timedelta(minutes=form.minutes) if form.minutes else None,
        )


def keep(talk: Conversation, now: datetime | None = None) -> None:
    """Its rater is here: it waits for them from now on."""
    now = now or timezone.now()
    if talk.ended_at is None and talk.held_until < now + TALK_WAITS - KEPT_EVERY:
        rows = Conversation.objects.filter(pk=talk.pk, ended_at=None)
        rows.update(held_until=now + TALK_WAITS)


def close_abandoned(now: datetime | None = None) -> int:
    """Close the talks that nobody came back to. What was said and judged in them stays. Returns
    how many."""
    now = now or timezone.now()
    over = Conversation.objects.filter(ended_at=None, held_until__lt=now)
    return sum(_close(talk, now) for talk in over.only("pk").order_by("pk"))


def _close(talk: Conversation, now: datetime) -> int:
    with transaction.atomic():
        held = held_for_change(talk)
        if held.ended_at is not None or held.held_until >= now:
            return 0  # ended, or gone on with, since it was found
        end(held, now, end_reason="abandoned")
    return 1


def stage(talk: Conversation, *, now: datetime | None = None) -> Stage:
    """What the talk waits for. "voting": an arena whose turns are used up; "full": likewise a
    conversation, which can only end."""
    if talk.ended_at is not None:
        return "over"
    form, turn = form_of(talk), last_turn(talk)
    if turn is not None:
        written = set(turn.replies.values_list("completion__state", flat=True))
        if written & {"pending", "partial"}:
            return "waiting"
        if "failed" in written and talk.finished_at is None:
            return "failed"
        if form.each and written == {"done"} and _is_unjudged(judgement_of(talk)):
            return "judging"
    return _between_turns(talk, form, turn, now or timezone.now())


def _between_turns(talk: Conversation, form: Live, turn: Turn | None, now: datetime) -> Stage:
    full = turn is not None and turn.number + 1 >= form.turns
    over = talk.finished_at is not None or (talk.deadline is not None and talk.deadline <= now)
    if form.kind == "red_team" and (over or full):
        return "rating"
    if full:
        return "voting" if form.kind == "arena" else "full"
    return "talking"


def may_vote(talk: Conversation, now_at: Stage) -> bool:
    """Whether an arena's vote can be cast: from the first answered message on."""
    return form_of(talk).kind == "arena" and (
        now_at == "voting" or (now_at == "talking" and last_turn(talk) is not None)
    )


def may_say_last(talk: Conversation, now_at: Stage) -> bool:
    """Whether one message more is taken though a session's time is over: what its rater was
    writing when the clock ran out. Not where they ended it themselves."""
    if now_at != "rating" or talk.finished_at is not None or talk.deadline is None:
        return False
    turn = last_turn(talk)
    if turn is None:
        return True
    return turn.created_at < talk.deadline and turn.number + 1 < form_of(talk).turns


def last_turn(talk: Conversation) -> Turn | None:
    return talk.turns.order_by("-number").first()


def judgement_of(talk: Conversation) -> Assignment | None:
    """The assignment of the newest comparison: the last turn's pair, or an arena's two threads."""
    rows = Assignment.objects.filter(comparison__conversation=talk).select_related("comparison")
    return rows.order_by("-comparison__turn", "-id").first()


def finish(*, talk: Conversation, now: datetime | None = None) -> None:
    """No more turns: a red team's session is to be rated, or is over where nothing was said; any
    other talk ends without another judgement. Repeating it changes nothing."""
    now = now or timezone.now()
    with transaction.atomic():
        held = held_for_change(talk)
        if held.ended_at is not None:
            return
        if form_of(held).kind == "red_team" and held.finished_at is None and _answered(held):
            if form_of(held).each and _has_failed(held):  # else it is the session's own
                end_comparison(held)
            Conversation.objects.filter(pk=held.pk).update(finished_at=now)
            return
        end(held, now)


def leave(*, talk: Conversation, reason: str, now: datetime | None = None) -> None:
    """End the talk at once, saying why; nothing more is asked about it. Repeating it changes
    nothing. Raises InvalidAnswer for a reason that is not offered."""
    if reason not in dict(Conversation.LEAVE_REASONS):
        raise InvalidAnswer(phrase("Choose one of the reasons for leaving."))
    with transaction.atomic():
        held = held_for_change(talk)
        if held.ended_at is None:
            end(held, now or timezone.now(), end_reason=reason)


def end(talk: Conversation, now: datetime, **changes: Any) -> None:
    """Close a held talk: what nobody will judge is discarded, what nobody will read is no longer
    written. Locked in the order of those who write: the talk, its replies, their completions."""
    end_comparison(talk)
    waiting = Reply.objects.filter(turn__conversation=talk, settled_at=None)
    waiting.update(settled_at=now, token=None, leased_until=None)
    unwritten = Completion.objects.filter(reply__turn__conversation=talk)
    unwritten.filter(state__in=("pending", "partial")).update(state="failed")
    Conversation.objects.filter(pk=talk.pk).update(ended_at=now, **changes)


def end_comparison(talk: Conversation) -> None:
    """Discard the comparison that is in the rater's hands: it will not be judged."""
    unjudged = Assignment.objects.filter(
        comparison__conversation=talk, state__in=("leased", "expired")
    )
    for pk in list(unjudged.values_list("pk", flat=True)):
        assignment = slots.locked(pk)
        if assignment.state == "leased":
            states.advance(assignment, "expired")
            slots.give_back(assignment.comparison)
        if assignment.comparison.state != "discarded":
            states.advance(assignment.comparison, "discarded")


def held_for_change(talk: Conversation) -> Conversation:
    """The talk read anew and held until the transaction ends: one act at a time in it."""
    rows = Conversation.objects.select_related("question", "campaign__project", "rater")
    return rows.select_for_update(of=("self",), no_key=True).get(pk=talk.pk)


def speaking_now(since: datetime) -> QuerySet[Conversation]:
    """Open talks of open campaigns that something happened in since then."""
    lately = Q(created_at__gte=since) | Q(turns__created_at__gte=since)
    rows = Conversation.objects.filter(lately, ended_at=None, campaign__state="open")
    return rows.distinct()


def tally(campaign: Campaign) -> dict[str, int]:
    """How many talks there are: open, ended by their rater, left with a reason, abandoned."""
    is_open, is_abandoned = Q(ended_at=None), Q(end_reason="abandoned")
    left = ~Q(end_reason="") & ~is_abandoned
    return Conversation.objects.filter(campaign=campaign).aggregate(
        open=Count("pk", filter=is_open),
        ended=Count("pk", filter=~is_open & Q(end_reason="")),
        left=Count("pk", filter=left),
        abandoned=Count("pk", filter=is_abandoned),
    )


def candidates(campaign: Campaign, form: Live) -> list[Speaker]:
    """Who may answer. Raises NotNow naming a model that is not there."""
    names = form.part.get("models") or []
    if names:
        return [_named(campaign, name) for name in names]
    policy = iterations.current_policy(campaign)
    if form.kind != "arena":
        return [{"checkpoint": policy.pk}] if policy else []
    return [{"checkpoint": pk} for pk in _family(campaign)]


def check_models(campaign: Campaign) -> None:
    """Raises NotNow while the campaign's talk has too few models to begin; cards need none."""
    if form := live_of(campaign):
        _enough(campaign, form)


def _enough(campaign: Campaign, form: Live) -> list[Speaker]:
    found = candidates(campaign, form)
    if form.kind == "arena" and len(found) < 2:
        raise NotNow(
            phrase(
                "An arena needs two models: two that it names, or its policy and one that was "
                "trained from it."
            )
        )
    if not found:
        raise NotNow(phrase("There are not enough models to talk with yet."))
    return found


def _named(campaign: Campaign, name: str) -> Speaker:
    ready = Checkpoint.objects.filter(project=campaign.project_id, kind="policy", state="ready")
    if found := ready.filter(name=name).first():
        return {"checkpoint": found.pk}
    if reached := Endpoint.objects.filter(project=campaign.project_id, name=name).first():
        return {"endpoint": reached.pk}
    raise NotNow(phrase("A model that this campaign names is not there."))


def _family(campaign: Campaign) -> list[int]:
    """Every policy that the campaign has had, and what was trained from one."""
    had = {campaign.first_policy_id, *campaign.promotions.values_list("checkpoint", flat=True)}
    rows = Checkpoint.objects.filter(
        Q(pk__in=had - {None}) | Q(parent__in=had - {None}), kind="policy", state="ready"
    )
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _speakers(campaign: Campaign, form: Live) -> list[Speaker]:
    """One for each reply, drawn; the same model twice where there is only one, but in an arena."""
    found = _enough(campaign, form)
    drawn = _draw.sample(found, min(form.replies, len(found)))
    return (drawn * form.replies)[: form.replies]


def _has_failed(talk: Conversation) -> bool:
    """Whether a reply to the last message did not come: its pair cannot be seen."""
    turn = last_turn(talk)
    return turn is not None and turn.replies.filter(completion__state="failed").exists()


def _answered(talk: Conversation) -> bool:
    return Reply.objects.filter(turn__conversation=talk, completion__state="done").exists()


def _is_unjudged(assignment: Assignment | None) -> bool:
    """Whatever became of its lease: only a judgement, or that there is nothing to judge, lets a
    talk go on."""
    if assignment is None or assignment.state == "submitted":
        return False
    return assignment.comparison.state != "discarded"

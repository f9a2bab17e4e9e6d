"""The turns of a talk: what a rater says, how they judge the replies, and taking that back.

A turn is one transaction. Its prompt holds the messages so far, its completions wait to be
written, and where there are two the rater already holds the assignment of their comparison, which
is nobody else's. An arena has one comparison, of its two threads' first replies.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from labeling import (
    admission,
    boundaries,
    comparisons,
    confirmations,
    iterations,
    labels,
    leases,
    questions,
    snapshots,
)
from labeling.conversations import (
    NotNow,
    Speaker,
    end,
    form_of,
    held_for_change,
    judgement_of,
    last_turn,
    may_say_last,
    may_vote,
    stage,
)
from labeling.imports.shapes import split_of
from labeling.iterations import parse_plan
from labeling.labels import Newest, Told
from labeling.models import (
    Assignment,
    Campaign,
    Comparison,
    ComparisonCompletion,
    Completion,
    Conversation,
    Flag,
    Label,
    Prompt,
    PromptSet,
    Reply,
    Turn,
)
from labeling.questions import InvalidAnswer, texts
from models_runtime.phrases import phrase
from models_runtime.records import Message

LONGEST = 20_000  # characters of one message
SOURCE = "talk"  # of a prompt that a rater said, and of a comparison in a talk
_draw = random.SystemRandom()


def say(
    *, talk: Conversation, text: str, idempotency_key: uuid.UUID, now: datetime | None = None
) -> Turn:
    """The rater's next message, with the replies that are now to be written; stored when this
    returns. Repeating a key with the same text gives back the stored turn. When a session's time
    is over one message more is taken: what was being written then.

    Raises InvalidAnswer for a text that cannot be sent, NotNow, labels.IdempotencyConflict.
    """
    text = _checked(text)
    now = now or timezone.now()
    with transaction.atomic():
        held = held_for_change(talk)
        if stored := held.turns.filter(idempotency_key=idempotency_key).first():
            return _same(stored, text)
        now_at = stage(held, now=now)
        may_say = now_at == "talking" or may_say_last(held, now_at)
        if not may_say or held.campaign.state != "open":
            raise NotNow(phrase("Nothing can be said here right now."))
        if refused := admission.refusal(held.rater, held.campaign, now):
            raise NotNow(refused)
        if refused := confirmations.refusal(held.rater, held.campaign):
            raise NotNow(refused)
        limits = boundaries.of(held.rater, held.campaign, now)
        if limits and (not limits.consented or limits.resumes_at):
            raise NotNow(phrase("Agree to what is shown here first, or go on tomorrow."))
        before = last_turn(held)
        if before is not None and form_of(held).each:
            _go_on_after(held, before)
        turn = Turn.objects.create(
            conversation=held,
            number=0 if before is None else before.number + 1,
            idempotency_key=idempotency_key,
            created_at=now,
        )
        written = _ask_models(held, turn, text, now)
        if form_of(held).each or (len(written) == 2 and turn.number == 0):
            _compare(held, turn.number, written, now)
    return turn


def judge(
    *,
    talk: Conversation,
    parts: dict[str, Any],
    idempotency_key: uuid.UUID,
    guideline: Told = Newest.GUIDELINES,
    active_ms: int | None = None,
    layout: str = "",
    now: datetime | None = None,
) -> Label:
    """Judge the pair in hand; the better reply continues, and of equals one that is drawn. An
    arena's vote ends it and shows the names. Repeating a key gives back the stored label.

    Raises NotNow, and what labels.record_label raises.
    """
    now = now or timezone.now()
    said: dict[str, Any] = {
        "parts": parts,
        "idempotency_key": idempotency_key,
        "question": talk.question,
        "guideline": guideline,
        "active_ms": active_ms,
        "layout": layout,
        "now": now,
    }
    with transaction.atomic():
        held = held_for_change(talk)
        assignment = judgement_of(held)
        if stored := _stored(held, idempotency_key):
            return labels.record_label(assignment=stored.assignment, **said)
        now_at = stage(held, now=now)
        if assignment is None or not (now_at == "judging" or may_vote(held, now_at)):
            raise NotNow(phrase("There is nothing to judge right now."))
        label = labels.record_label(assignment=assignment, **said)
        if form_of(held).kind == "arena":
            end(held, now, revealed_at=now)
        else:
            _continue_with(held, _put_first(held, label))
    return label


def rate(
    *,
    talk: Conversation,
    parts: dict[str, Any],
    idempotency_key: uuid.UUID,
    guideline: Told = Newest.GUIDELINES,
    active_ms: int | None = None,
    layout: str = "",
    now: datetime | None = None,
) -> Label:
    """Rate a red team's session as a whole, which ends it. The first reply that was continued
    stands for the transcript; ``guideline`` as in judge. Raises NotNow, and what
    labels.record_label raises."""
    now = now or timezone.now()
    with transaction.atomic():
        held = held_for_change(talk)
        stored = _stored(held, idempotency_key)
        if stored is None and stage(held, now=now) != "rating":
            raise NotNow(phrase("There is nothing to rate right now."))
        label = labels.record_label(
            assignment=stored.assignment if stored else _rated(held, now),
            parts=parts,
            idempotency_key=idempotency_key,
            question=held.question,
            guideline=guideline,
            active_ms=active_ms,
            layout=layout,
            now=now,
        )
        if stored is None:
            end(held, now)
    return label


def take_back(*, talk: Conversation, now: datetime | None = None) -> Assignment:
    """Judge the last pair anew, as long as nothing was said after it. Raises NotNow."""
    with transaction.atomic():
        held = held_for_change(talk)
        assignment = judgement_of(held)
        judged = assignment is not None and assignment.state == "submitted"
        at_rest = stage(held, now=now) in ("talking", "full", "rating")
        if assignment is None or not (judged and at_rest and form_of(held).each):
            raise NotNow(phrase("There is nothing to take back."))
        undone = labels.reopen(assignment, now)
        _continue_with(held, None)
    return undone


def ask_again(*, talk: Conversation, now: datetime | None = None) -> None:
    """Have the replies written that failed; the others stay. Repeating it changes nothing."""
    now = now or timezone.now()
    with transaction.atomic():
        held = held_for_change(talk)
        turn = last_turn(held)
        if turn is None or held.ended_at is not None or held.finished_at is not None:
            return
        failed = turn.replies.filter(completion__state="failed")
        again = list(failed.values_list("completion", flat=True))
        failed.update(settled_at=None, token=None, leased_until=None, attempts=0, asked_at=now)
        Completion.objects.filter(pk__in=again, state="failed").update(state="pending", text="")


def flag(*, talk: Conversation, code: str) -> Flag:
    """Say that something is wrong with what the models wrote; the talk goes on. It is a flag of
    the newest pair, of an arena's two threads, or of the session. Raises InvalidAnswer, NotNow."""
    with transaction.atomic():
        held = held_for_change(talk)
        if held.ended_at is not None:
            raise NotNow(phrase("This talk is over."))
        assignment = judgement_of(held) or _of_session(held, timezone.now())
        return labels.flag(assignment=assignment, code=code)


def _checked(text: str) -> str:
    text = texts.cleaned(text).strip()
    if not text:
        raise InvalidAnswer(phrase("Write something first."))
    if len(text) > LONGEST:
        raise InvalidAnswer(
            phrase("A message has at most %(longest)s characters.", longest=LONGEST)
        )
    return text


def _same(turn: Turn, text: str) -> Turn:
    said = turn.replies.select_related("completion__prompt").first()
    if said is None or said.completion.prompt.messages[-1]["content"] != text:
        raise labels.IdempotencyConflict(phrase("This key was used before for another message."))
    return turn


def _stored(talk: Conversation, key: uuid.UUID) -> Label | None:
    rows = Label.objects.filter(rater=talk.rater, idempotency_key=key)
    return rows.select_related("assignment").first()


def _go_on_after(talk: Conversation, turn: Turn) -> None:
    """Where a lead took the turn's pair out before it was judged, one of its replies goes on,
    drawn."""
    written = turn.replies.values_list("completion", flat=True)
    if talk.continues_id not in written:
        talk.continues_id = _draw.choice(list(written))
        _continue_with(talk, talk.continues_id)


def _ask_models(talk: Conversation, turn: Turn, text: str, now: datetime) -> list[Completion]:
    """The turn's prompts, and its completions to be written, by position."""
    written: list[Completion] = []
    asked: dict[int | None, Prompt] = {}
    for position, speaker in enumerate(talk.speakers):
        parent = _followed(talk, turn, position)
        key = parent.pk if parent else None
        if key not in asked:
            asked[key] = _prompt(talk, text, parent)
        completion = _pending(talk, asked[key], speaker, position)
        Reply.objects.create(turn=turn, position=position, completion=completion, asked_at=now)
        written.append(completion)
    return written


def _followed(talk: Conversation, turn: Turn, position: int) -> Completion | None:
    """The reply that this position's thread goes on from; None at the beginning."""
    if turn.number == 0:
        return None
    if talk.continues_id is not None:
        return Completion.objects.select_related("prompt").get(pk=talk.continues_id)
    before = Reply.objects.filter(turn__conversation=talk, turn__number=turn.number - 1)
    rows = before.select_related("completion__prompt")
    return rows.get(position=position).completion


def _prompt(talk: Conversation, text: str, parent: Completion | None) -> Prompt:
    messages: list[Message] = []
    if parent is not None:
        messages = [*parent.prompt.messages, {"role": "assistant", "content": parent.text}]
    item = f"talk-{talk.public_id}"  # every turn of a talk is on one side of the split
    return Prompt.objects.create(
        prompt_set=_prompt_set(talk.campaign),
        messages=[*messages, {"role": "user", "content": text}],
        messages_sha256=_identity(talk, parent),
        source=SOURCE,
        author=snapshots.pseudonym(talk.campaign.project.pseudonym_key, talk.rater),
        item=item,
        split=split_of(item),
        parent_completion=parent,
    )


def _identity(talk: Conversation, parent: Completion | None) -> str:
    """Of this place in this talk, not of its words: two talks may begin alike, and the two
    threads of an arena may say the same."""
    place = f"talk/{talk.public_id}/{parent.pk if parent else ''}"
    return hashlib.sha256(place.encode()).hexdigest()


def _prompt_set(campaign: Campaign) -> PromptSet:
    """It belongs to the project alone: iterations would sample a campaign's own prompts."""
    name = f"Said in talks of {campaign.slug}"
    rows = PromptSet.objects.filter(project=campaign.project_id, campaign=None, name=name)
    found = rows.order_by("pk").first()
    return found or PromptSet.objects.create(project=campaign.project, name=name)


def _pending(talk: Conversation, prompt: Prompt, speaker: Speaker, position: int) -> Completion:
    plan = parse_plan(talk.campaign.plan)
    alone = talk.speakers.count(speaker) == 1
    heats = [plan.temperature, *plan.more_temperatures]
    policy = iterations.current_policy(talk.campaign)
    return Completion.objects.create(
        prompt=prompt,
        checkpoint_id=speaker.get("checkpoint"),
        endpoint_id=speaker.get("endpoint"),
        source=SOURCE,
        sampler_index=position,
        # The same model twice differs more by its second temperature, where the plan has one.
        temperature=heats[0] if alone else heats[position % len(heats)],
        top_p=plan.top_p,
        max_new_tokens=plan.max_new_tokens,
        seed=_draw.getrandbits(31),
        system_prompt=plan.system_prompt,
        on_policy=policy is not None and policy.pk == speaker.get("checkpoint"),
        state="pending",
    )


def _compare(
    talk: Conversation, turn: int, written: list[Completion], now: datetime
) -> Assignment:
    """The comparison of these completions, in the rater's hands from the start."""
    collecting = talk.campaign.iterations.filter(state="collecting").order_by("-number").first()
    item = written[0].prompt.item
    comparison = Comparison.objects.create(
        campaign=talk.campaign,
        iteration=collecting,
        prompt=written[0].prompt,
        conversation=talk,
        turn=turn,
        slots_left=0,
        fold=comparisons.fold_of(collecting.number if collecting else 0, item),
        strategy=SOURCE,
    )
    ComparisonCompletion.objects.bulk_create(
        ComparisonCompletion(comparison=comparison, completion=row, position=position)
        for position, row in enumerate(written)
    )
    return Assignment.objects.create(
        comparison=comparison,
        rater=talk.rater,
        campaign=talk.campaign,
        order=leases.draw_order([row.pk for row in written]),
        leased_at=now,
        leased_until=now + leases.TALK,
    )


def _put_first(talk: Conversation, label: Label) -> int:
    """The reply that goes on: the one that the vote puts first, else one of them, drawn."""
    assert talk.question is not None
    key = questions.voting_part(talk.question.parts)
    stored = label.answer["parts"].get(key, {})
    if key and (best := questions.load(stored["type"]).best(talk.question.parts[key], stored)):
        return int(best)
    return int(_draw.choice(label.order))


def _continue_with(talk: Conversation, completion: int | None) -> None:
    Conversation.objects.filter(pk=talk.pk).update(continues=completion)


def _rated(talk: Conversation, now: datetime) -> Assignment:
    """What stands for the session: it is there already where the session was flagged."""
    flagged = None if form_of(talk).each else judgement_of(talk)
    return flagged or _of_session(talk, now)


def _of_session(talk: Conversation, now: datetime) -> Assignment:
    first, last = talk.turns.order_by("number").first(), last_turn(talk)
    if first is None or last is None:
        raise NotNow(phrase("Nothing was answered yet."))
    rows = Completion.objects.filter(reply__turn=first, state="done").select_related("prompt")
    went_on = rows.filter(next_turns__isnull=False).first()
    judged = rows.filter(pk=talk.continues_id) if talk.continues_id else rows
    root = went_on or judged.first() or rows.first()
    if root is None:
        raise NotNow(phrase("Nothing was answered yet."))
    return _compare(talk, last.number + 1, [root], now)

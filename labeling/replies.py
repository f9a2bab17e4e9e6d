"""Replies that somebody waits for: taken with a lease, written as they grow, settled once.

Whoever writes one holds its token. A lease that is not renewed ends, and the reply is begun anew
by whoever takes it next: the turn it belongs to is never lost, and never answered twice.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from labeling import rendering
from labeling.conversations import end_comparison, form_of, last_turn
from labeling.models import Completion, Conversation, Reply
from models_runtime import states
from models_runtime.serving import Piece

LEASE = timedelta(seconds=10)
MOST_ATTEMPTS = 3  # of a reply whose writer broke off; then the rater is told, and may ask again
MOST_ALIKE = 3  # draws of a reply that came out as its neighbour did
_draw = random.SystemRandom()


class Lost(Exception):
    """The reply is no longer this writer's: stop writing."""


def due(now: datetime | None = None) -> QuerySet[Reply]:
    """Replies that nobody is writing, the longest waiting first."""
    free = Q(leased_until=None) | Q(leased_until__lt=now or timezone.now())
    rows = Reply.objects.filter(
        free, settled_at=None, completion__state__in=("pending", "partial")
    )
    return rows.select_related("completion__prompt", "completion__endpoint").order_by(
        "asked_at", "id"
    )


def take(reply: Reply, now: datetime | None = None) -> bool:
    """Take the reply and begin it anew. False when somebody else was first, or when it had its
    tries and is now given up."""
    now = now or timezone.now()
    token = uuid.uuid4()
    with transaction.atomic():
        free = Q(leased_until=None) | Q(leased_until__lt=now)
        rows = Reply.objects.filter(free, pk=reply.pk, settled_at=None)
        if not rows.update(token=token, leased_until=now + LEASE, attempts=F("attempts") + 1):
            return False
        reply.refresh_from_db(fields=["token", "attempts"])
        if reply.attempts > MOST_ATTEMPTS:
            give_up(reply, now)
            return False
        Completion.objects.filter(pk=reply.completion_id).update(text="")
    return True


def renew(tokens: Collection[uuid.UUID], now: datetime | None = None) -> None:
    """The whole lease again for what is being written. What somebody else holds just now is
    passed over, whoever writes or ends it: two who take several rows, each in an order of its
    own, would wait for each other in a circle."""
    now = now or timezone.now()
    with transaction.atomic():
        rows = Reply.objects.filter(token__in=tokens, settled_at=None)
        free = rows.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True)
        Reply.objects.filter(pk__in=list(free)).update(leased_until=now + LEASE)


def write(reply: Reply, text: str, now: datetime | None = None) -> None:
    """What there is so far. Raises Lost."""
    now = now or timezone.now()
    with transaction.atomic():
        _mine(reply, heard_at=now, leased_until=now + LEASE)
        rows = Completion.objects.filter(pk=reply.completion_id)
        rows.update(text=_storable(text), state="partial")


def settle(reply: Reply, last: Piece, now: datetime | None = None) -> bool:
    """Store the whole reply, rendered. Raises Lost.

    False when it came out as its neighbour did: two answers that are the same cannot be judged,
    so it is drawn again. After MOST_ALIKE draws that reply simply goes on, and no judgement is
    asked for.
    """
    now = now or timezone.now()
    text = _storable(last.text)
    with transaction.atomic():
        twin = _twin(reply, text)
        if twin is not None and reply.completion.sample_index + 1 < MOST_ALIKE:
            _mine(reply, attempts=0)
            _draw_again(reply)
            return False
        _mine(reply, settled_at=now, heard_at=now, leased_until=None)
        Completion.objects.filter(pk=reply.completion_id).update(
            state="done",
            text=text,
            text_sha256=_sha256(text),
            html=rendering.render(text),
            renderer=rendering.RENDERER,
            finish_reason=last.finish_reason or "unknown",
            token_count=last.token_count,
            duplicate_of=twin,
        )
        if twin is not None:
            _go_on_with(reply, twin)
    return True


def release(reply: Reply) -> None:
    """Put a reply back whose writer broke off: it is due again at once."""
    rows = Reply.objects.filter(pk=reply.pk, token=reply.token, settled_at=None)
    rows.update(token=None, leased_until=None)


def give_up(reply: Reply, now: datetime | None = None) -> None:
    """The model did not answer: the rater is told, and may ask again. Raises Lost."""
    with transaction.atomic():
        _mine(reply, settled_at=now or timezone.now(), token=None, leased_until=None)
        rows = Completion.objects.filter(pk=reply.completion_id)
        rows.filter(state__in=states.sources(Completion.TRANSITIONS, "failed")).update(
            state="failed", text=""
        )


def _mine(reply: Reply, **changes: object) -> None:
    rows = Reply.objects.filter(pk=reply.pk, token=reply.token, settled_at=None)
    if not rows.update(**changes):
        raise Lost


def _twin(reply: Reply, text: str) -> Completion | None:
    """The other reply of a pair that is judged, once it is whole and says the same. The talk is
    held, so that of two that end together one sees the other."""
    talk = Conversation.objects.select_for_update(of=("self",), no_key=True).select_related(
        "question"
    )
    if not form_of(talk.get(turns=reply.turn_id)).each:
        return None
    others = Completion.objects.filter(reply__turn=reply.turn_id, state="done")
    return others.exclude(pk=reply.completion_id).filter(text_sha256=_sha256(text)).first()


def _draw_again(reply: Reply) -> None:
    """The state stays partial: a completion is pending only until its first word."""
    completion = reply.completion
    completion.seed, completion.sample_index = _draw.getrandbits(31), completion.sample_index + 1
    completion.save(update_fields=["seed", "sample_index"])
    Completion.objects.filter(pk=completion.pk).update(text="")


def _go_on_with(reply: Reply, twin: Completion) -> None:
    talk = Conversation.objects.get(turns=reply.turn_id)
    turn = last_turn(talk)
    if turn is not None and turn.pk == reply.turn_id:
        end_comparison(talk)
        Conversation.objects.filter(pk=talk.pk).update(continues=twin)


def _storable(text: str) -> str:
    """No database holds NUL, and no file half a surrogate pair."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

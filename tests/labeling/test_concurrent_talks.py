"""Talks in which much happens at the same moment, on either database: nobody waits in a circle."""

from __future__ import annotations

import contextlib
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from labeling import conversations, erasure, labels, replies, turns
from labeling.conversations import NotNow
from labeling.models import (
    TALK_WAITS,
    Assignment,
    Campaign,
    Comparison,
    Completion,
    Conversation,
    Iteration,
    Label,
    Reply,
    Turn,
    User,
)
from labeling.questions import InvalidAnswer
from labeling.replies import Lost
from models_runtime.serving import Piece
from models_runtime.states import StaleState
from tests.factories import IterationFactory, UserFactory
from tests.talks import ARENA, CONVERSATION, HARMFUL, RED_TEAM, answer, cast_of, say

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]
REFUSED = (NotNow, InvalidAnswer, StaleState, Lost, labels.NotOpen)  # somebody else was first
Act = Callable[[], Any]


def scene(parts: dict[str, Any], raters: int) -> tuple[Campaign, list[User]]:
    cast = cast_of(parts)
    IterationFactory(campaign=cast.campaign)
    return cast.campaign, UserFactory.create_batch(raters)


def at_once(acts: list[Act]) -> None:
    """Start all at the same moment. What is refused is fine; what breaks is raised."""
    gate = threading.Barrier(len(acts))

    def start(act: Act) -> None:
        try:
            connection.ensure_connection()
            gate.wait(timeout=30)
            with contextlib.suppress(*REFUSED):
                act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        for future in [pool.submit(start, act) for act in acts]:
            future.result(timeout=120)


def holds_together() -> None:
    """What must be true of the rows whatever happened."""
    for talk in Conversation.objects.all():
        assert [turn.number for turn in talk.turns.order_by("number")] == list(
            range(talk.turns.count())
        )
        if talk.ended_at is not None:
            assert not Reply.objects.filter(turn__conversation=talk, settled_at=None).exists()
            assert not Assignment.objects.filter(
                comparison__conversation=talk, state="leased"
            ).exists()
    in_force = Label.objects.filter(kind="answer", superseded_by__isnull=True, counted=True)
    for comparison in Comparison.objects.all():
        leased = comparison.assignments.filter(state="leased").count()
        counted = in_force.filter(comparison=comparison).count()
        assert comparison.counted == counted <= comparison.overlap
        assert comparison.slots_left + leased + counted == comparison.overlap
    assert Iteration.objects.get().labels_people == in_force.count()
    written = Completion.objects.filter(reply__isnull=False)
    assert not written.filter(state="done", text="").exists()


# -- one moment, again and again ---------------------------------------------------------------


def judged(talk: Conversation) -> Act:
    parts: dict[str, Any] = {name: {} for name in talk.question.parts}
    pair = next(name for name, part in talk.question.parts.items() if part["type"] == "pairwise")
    parts[pair] = {"choice": "0" if pair == "vote" else "0:better"}
    return lambda: turns.judge(talk=talk, parts=parts, idempotency_key=uuid.uuid4())


def settled(reply: Reply, text: str) -> Act:
    return lambda: replies.settle(reply, Piece(text, "eos", 3))


def taken(talk: Conversation) -> list[Reply]:
    found = list(Reply.objects.filter(turn__conversation=talk, settled_at=None))
    assert all(replies.take(reply) for reply in found)
    return found


@pytest.mark.parametrize("text", ["The same.", ""], ids=["alike", "different"])
def test_both_replies_are_settled_while_the_talk_ends(text: str) -> None:
    campaign, raters = scene(CONVERSATION, 3)
    for rater in raters:
        talk = conversations.begin(rater=rater, campaign=campaign)
        say(talk)
        pair = taken(talk)
        tokens = [reply.token for reply in pair]
        at_once(
            [
                *(settled(reply, text or f"Reply {reply.pk}.") for reply in pair),
                lambda talk=talk: conversations.finish(talk=talk),
                lambda tokens=tokens: replies.renew(tokens),
            ]
        )
        holds_together()
    assert not Conversation.objects.filter(ended_at=None).exists()


@pytest.mark.parametrize("parts", [CONVERSATION, ARENA, HARMFUL], ids=["hh", "arena", "harmful"])
def test_a_pair_is_judged_while_its_talk_ends_and_its_rater_is_erased(
    parts: dict[str, Any],
) -> None:
    campaign, raters = scene(parts, 4)
    for rater in raters:
        talk = conversations.begin(rater=rater, campaign=campaign)
        say(talk)
        answer(talk, "One.", "Two.")
        at_once(
            [
                judged(talk),
                judged(talk),
                lambda talk=talk: turns.flag(talk=talk, code="unsafe"),
                lambda talk=talk: conversations.leave(talk=talk, reason="broken"),
                lambda rater=rater: erasure.erase(rater=rater),
            ]
        )
        holds_together()
    assert Label.objects.count() <= len(raters)
    assert not Turn.objects.exclude(conversation__ended_at__isnull=False).exists()


@contextlib.contextmanager
def slowly(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> Iterator[None]:
    """The function takes a moment before it does its work, so that others come in between."""
    real = getattr(module, name)

    def late(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.3)
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, late)
        yield


def test_a_rater_is_erased_between_what_they_say_and_what_refers_to_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who says something holds the talk and then refers to its rater; who erases ends the talk."""
    campaign, (rater,) = scene(CONVERSATION, 1)
    talk = conversations.begin(rater=rater, campaign=campaign)

    def erase_a_little_later() -> None:
        time.sleep(0.1)
        erasure.erase(rater=rater)

    with slowly(monkeypatch, turns, "_compare"):
        at_once([lambda: say(talk, "I live at 3 Elm Street."), erase_a_little_later])
    holds_together()
    assert Conversation.objects.get().ended_at is not None
    assert not Turn.objects.filter(
        replies__completion__prompt__messages__icontains="Elm Street"
    ).exists()


# -- a storm -----------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [CONVERSATION, ARENA, RED_TEAM, HARMFUL])
def test_no_mixture_of_acts_at_once_breaks_a_talk(parts: dict[str, Any]) -> None:
    campaign, raters = scene(parts, 3)
    done = threading.Event()
    tabs = [lambda r=rater, t=tab: _tab(r, campaign, t) for rater in raters for tab in (0, 1)]
    writers = [lambda n=n: _writer(done, n) for n in range(2)]

    def all_tabs() -> None:
        try:
            at_once(tabs)
        finally:
            done.set()

    at_once([all_tabs, *writers, lambda: _sweeper(done)])
    holds_together()
    assert Turn.objects.exists()
    repeated = Counter(Turn.objects.values_list("conversation", "number"))
    assert set(repeated.values()) == {1}


def _tab(rater: User, campaign: Campaign, seed: int) -> None:
    """Twenty acts of one tab, drawn."""
    draw = random.Random(f"{rater.username}/{seed}")
    for number in range(20):
        with contextlib.suppress(*REFUSED):
            talk = conversations.begin(rater=rater, campaign=campaign)
            _act(draw, talk, number)


def _act(draw: random.Random, talk: Conversation, number: int) -> None:
    acts: dict[str, Act] = {
        "say": lambda: say(talk, f"Message {number}"),
        "judge": lambda: _judge(draw, talk),
        "undo": lambda: turns.take_back(talk=talk),
        "again": lambda: turns.ask_again(talk=talk),
        "flag": lambda: turns.flag(talk=talk, code="broken"),
        "end": lambda: conversations.finish(talk=talk),
        "leave": lambda: conversations.leave(talk=talk, reason="broken"),
    }
    acts[draw.choices(list(acts), weights=[6, 6, 1, 1, 1, 1, 1])[0]]()


def _judge(draw: random.Random, talk: Conversation) -> None:
    """A turn's pair, or the whole session."""
    if "session" in talk.question.parts and draw.random() < 0.3:
        conversations.finish(talk=talk)
        parts = {name: {} for name in talk.question.parts} | {"session": {"success": "2"}}
        turns.rate(talk=talk, parts=parts, idempotency_key=uuid.uuid4())
    elif len(talk.question.parts) > 1:
        judged(talk)()


def _writer(done: threading.Event, seed: int) -> None:
    """Writes replies as the talk process does, some alike, some broken off."""
    draw = random.Random(seed)
    while not done.is_set():
        mine = [reply for reply in replies.due()[:4] if replies.take(reply)]
        replies.renew([reply.token for reply in mine if reply.token])
        for reply in mine:
            with contextlib.suppress(*REFUSED):
                replies.write(reply, "So far")
                if draw.random() < 0.15:
                    replies.give_up(reply)
                else:
                    replies.settle(reply, Piece(draw.choice(["Yes.", "No.", "So."]), "eos", 2))


def _sweeper(done: threading.Event) -> None:
    while not done.wait(0.5):
        conversations.close_abandoned(timezone.now() + TALK_WAITS + timedelta(minutes=1))

"""Live campaigns, and models that say what a test wants, as a test's shorthand."""

from __future__ import annotations

import uuid
from typing import Any

from labeling import conversations, replies, turns
from labeling.models import Conversation, Label, Reply, Turn
from models_runtime.serving import Piece
from tests.factories import Cast, CheckpointFactory, make_cast

PAIR = {"type": "pairwise", "scale": "llama2"}
VOTE = {"type": "pairwise", "scale": "ab", "both_bad": True}
CONVERSATION = {"talk": {"type": "conversation", "turns": 3}, "preference": PAIR}
ARENA = {"talk": {"type": "arena", "turns": 3}, "vote": VOTE}
RED_TEAM = {
    "session": {
        "type": "red_team",
        "goals": ["Have it explain how to pick a lock."],
        "minutes": 15,
        "categories": {"privacy": "Personal data"},
        "tags": ["role play", "flattery"],
        "turns": 3,
    }
}
HARMFUL = {
    "session": {"type": "red_team", "replies": 2, "turns": 3},
    "worse": {"type": "pairwise", "scale": "hh8", "required": False},
}


def cast_of(parts: dict[str, Any], **campaign: Any) -> Cast:
    """The fixed cast with an open live campaign; its policy has one that was trained from it."""
    cast = make_cast(parts=parts, **campaign)
    policy = cast.campaign.first_policy
    CheckpointFactory(project=cast.project, name="trained", parent=policy)
    return cast


def begun(cast: Cast) -> Conversation:
    return conversations.begin(rater=cast.rater, campaign=cast.campaign)


def say(talk: Conversation, text: str = "Why is the sky blue?") -> Turn:
    return turns.say(talk=talk, text=text, idempotency_key=uuid.uuid4())


def answer(talk: Conversation, *texts: str) -> None:
    """The models answer what was said last, by position."""
    waiting = Reply.objects.filter(turn__conversation=talk, settled_at=None).order_by("position")
    for reply, text in zip(waiting, texts, strict=True):
        assert replies.take(reply)
        assert replies.settle(reply, Piece(text, "eos", 7))


def judge(talk: Conversation, choice: str, key: uuid.UUID | None = None) -> Label:
    parts = {
        name: {"choice": choice} if part["type"] == "pairwise" else {}
        for name, part in talk.question.parts.items()
    }
    return turns.judge(talk=talk, parts=parts, idempotency_key=key or uuid.uuid4())


def stage(talk: Conversation) -> str:
    return conversations.stage(Conversation.objects.get(pk=talk.pk))

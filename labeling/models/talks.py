"""Talks of a rater with live models."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.models.campaigns import Campaign, QuestionVersion
from labeling.models.completions import Completion
from labeling.models.people import User

TALK_WAITS = timedelta(hours=24)  # for a rater who left it open; then it is closed as abandoned


def waits_until() -> datetime:
    """Until when a talk that is begun or gone on with now waits for its rater."""
    return timezone.now() + TALK_WAITS


class Conversation(models.Model):
    """A rater's talk with one or two models: a conversation, an arena or a red team's session.

    It keeps the question that it was begun under, and it is over when ``ended_at`` is set. Names
    are shown from ``revealed_at`` on, and what was said before that cannot be taken back.
    """

    LEAVE_REASONS: ClassVar = [
        ("cannot_judge", _("I cannot judge this")),
        ("language", _("Not my language")),
        ("broken", _("Something here is broken")),
        ("uncomfortable", _("I would rather not read this")),
    ]
    END_REASONS: ClassVar = [*LEAVE_REASONS, ("abandoned", _("Nobody came back to it"))]
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="conversations")
    rater = models.ForeignKey(User, models.PROTECT, related_name="conversations")
    question = models.ForeignKey(QuestionVersion, models.PROTECT, null=True, related_name="+")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    goal = models.CharField(max_length=500, blank=True)  # what a red team tries to bring about
    # Who answers, by the reply's position: [{"checkpoint": id} or {"endpoint": id}, ...].
    speakers = models.JSONField(default=list)
    # The reply that the next turn follows, once the pair before it is judged.
    continues = models.ForeignKey(Completion, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    deadline = models.DateTimeField(null=True)  # when a timed session takes no more turns
    finished_at = models.DateTimeField(null=True)  # no more turns: only the rating is left
    # Until when it waits for its rater, who renews this with all they do in it and by looking.
    held_until = models.DateTimeField(default=waits_until)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=20, choices=END_REASONS, blank=True)  # or none
    revealed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "rater"],
                condition=models.Q(ended_at=None),
                name="conversation_one_open",
            )
        ]
        indexes = [
            models.Index(
                fields=["held_until"],
                condition=models.Q(ended_at=None),
                name="conversation_held_until",
            )
        ]


class Turn(models.Model):
    """What a rater said in a conversation, once: the key makes a repeated request the same."""

    conversation = models.ForeignKey(Conversation, models.PROTECT, related_name="turns")
    number = models.PositiveSmallIntegerField()  # from 0
    idempotency_key = models.UUIDField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "number"], name="turn_once"),
            models.UniqueConstraint(
                fields=["conversation", "idempotency_key"], name="turn_key_once"
            ),
        ]


class Reply(models.Model):
    """A completion that somebody waits for. Who writes it holds ``token`` until
    ``leased_until``; whoever takes it over after that begins it anew."""

    turn = models.ForeignKey(Turn, models.PROTECT, related_name="replies")
    position = models.PositiveSmallIntegerField()  # canonical: of the model, never of the side
    completion = models.OneToOneField(Completion, models.PROTECT, related_name="reply")
    token = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    asked_at = models.DateTimeField(default=timezone.now)
    heard_at = models.DateTimeField(null=True)  # the newest piece of text
    settled_at = models.DateTimeField(null=True)  # done, or failed until it is asked for again

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["turn", "position"], name="reply_position_once")
        ]
        indexes = [
            models.Index(
                fields=["asked_at", "id"],
                condition=models.Q(settled_at=None),
                name="reply_waiting",
            )
        ]

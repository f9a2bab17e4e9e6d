"""What people are told, by the pages and by mail; and how far the audit log is read for it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from labeling.models.people import User
from models_runtime.phrase_fields import SaidTextField


class NoticeMail(models.Model):
    """One mail that is due: of one notice, or a day's digest, which is closed before it is due."""

    STATES = [("waiting", "waiting"), ("sent", "sent"), ("failed", "failed"), ("empty", "empty")]
    user = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False)
    digest_day = models.DateField(null=True)
    state = models.CharField(max_length=8, choices=STATES, default="waiting")
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "digest_day"], name="digest_once_a_day")
        ]
        indexes = [
            models.Index(fields=["due_at"], name="mail_due", condition=Q(state="waiting")),
        ]


class Notice(models.Model):
    """Something that happened, told to one person once: ``key`` names the occasion. The text may
    hold names that people gave, so rows are erased with their reader, and after a time."""

    user = models.ForeignKey(User, models.CASCADE, related_name="notices", db_index=False)
    kind = models.CharField(max_length=20)
    key = models.CharField(max_length=120)
    text = SaidTextField()
    object_type = models.CharField(max_length=60, blank=True)
    object_id = models.CharField(max_length=60, blank=True)
    shown = models.BooleanField(default=True)  # on the pages; else by mail alone
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    read_at = models.DateTimeField(null=True)
    mail = models.ForeignKey(NoticeMail, models.SET_NULL, null=True, related_name="notices")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="notice_once")]
        indexes = [
            models.Index(fields=["user", "-id"], name="notice_of_user"),
            # The bell, on every page.
            models.Index(
                fields=["user"], name="notice_unread", condition=Q(read_at=None, shown=True)
            ),
        ]


class Watch(models.Model):
    """How far a reader of the audit log is: everything up to ``after``, and of the newest, whose
    transactions may end in another order than their numbers, those in ``seen``."""

    name = models.CharField(max_length=40, unique=True)
    after = models.BigIntegerField()
    seen = models.JSONField(default=list)

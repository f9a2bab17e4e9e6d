"""Addresses of other programs that are told what happens in a project, and what was sent there."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from labeling.models.people import User
from models_runtime.models import Project
from models_runtime.phrase_fields import SaidTextField


class Webhook(models.Model):
    """Its secret is in no column: labeling.webhooks derives it from ``public_id``,
    ``generation`` and the installation's own key."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="webhooks")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    url = models.CharField(max_length=500)
    types = models.JSONField(default=list)
    generation = models.PositiveIntegerField(default=1)
    # Until then the secret before signs too.
    rotated_until = models.DateTimeField(null=True)
    active = models.BooleanField(default=True)
    gone = models.BooleanField(default=False)  # it answered 410 and was switched off
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)


class WebhookMessage(models.Model):
    """One message to one address. ``body`` is what is signed, byte for byte, at every try."""

    STATES = [("waiting", "waiting"), ("sent", "sent"), ("failed", "failed")]
    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="messages", db_index=False)
    key = models.CharField(max_length=60)  # what it tells of: sent once to each address
    public_id = models.CharField(max_length=40, unique=True)  # the header webhook-id
    type = models.CharField(max_length=40)
    body = models.TextField()
    state = models.CharField(max_length=8, choices=STATES, default="waiting")
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["webhook", "key"], name="webhook_message_once")
        ]
        indexes = [
            models.Index(fields=["webhook", "-id"], name="webhook_log"),
            models.Index(fields=["next_at"], name="webhook_due", condition=Q(state="waiting")),
        ]


class WebhookAttempt(models.Model):
    """One try: what came back, or why nothing did."""

    message = models.ForeignKey(WebhookMessage, models.CASCADE, related_name="tries")
    at = models.DateTimeField(default=timezone.now)
    status = models.PositiveIntegerField(null=True)
    milliseconds = models.PositiveIntegerField(default=0)
    error = SaidTextField(blank=True)
    answer = models.CharField(max_length=500, blank=True)  # the beginning of what it answered

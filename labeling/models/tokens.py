"""Keys of the programs that speak to the API for a person, and what each was answered."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from labeling.models.people import User
from models_runtime.models import Project


class Token(models.Model):
    """Lets a program act for ``user`` in one project, as far as its scopes go and never further
    than the person may. Of its secret only the hash is stored; ``hint`` is how it ends."""

    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    scopes = models.JSONField(default=list)
    secret_sha256 = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=8)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)


class TokenUse(models.Model):
    """When a token was last used, and how many calls it has made in that minute."""

    token = models.OneToOneField(Token, models.CASCADE, primary_key=True, related_name="use")
    last_at = models.DateTimeField(null=True)
    minute = models.BigIntegerField(default=0)  # since 1970
    calls = models.PositiveIntegerField(default=0)


class TokenAnswer(models.Model):
    """What a request under an idempotency key was answered, to say it again for a day."""

    token = models.ForeignKey(Token, models.CASCADE, related_name="answers", db_index=False)
    key = models.CharField(max_length=200)
    request_sha256 = models.CharField(max_length=64)  # of method, address and body
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "key"], name="token_answer_once")]

"""Who signs in, and what they may do where."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from models_runtime.models import Project


class User(AbstractUser):
    """Somebody or something that signs in or labels. Erasing empties this row and keeps it."""

    KINDS: ClassVar = [
        ("person", _("person")),
        ("program", _("program")),
        ("simulated", _("simulated rater")),
    ]
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=12, choices=KINDS, default="person")
    locale = models.CharField(max_length=12, blank=True)
    languages = models.JSONField(default=list)  # that they read, as primary subtags of BCP 47
    preferences = models.JSONField(default=dict)  # key map, theme, layout: allow-listed values
    erased_at = models.DateTimeField(null=True)


class Membership(models.Model):
    """One role of one user in one project."""

    ROLES: ClassVar = [("rater", _("rater")), ("lead", _("lead")), ("researcher", _("researcher"))]
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=ROLES)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "project", "role"], name="membership_once")
        ]

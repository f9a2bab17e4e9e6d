"""What raters of a project agree to before they work."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from labeling.models.people import User
from models_runtime.models import Project


class ConsentVersion(models.Model):
    """One wording of a project's consent; the newest is asked for."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="consents", db_index=False)
    number = models.PositiveIntegerField()
    markdown = models.TextField(blank=True)  # empty: from here on nothing is asked
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="consent_version_once")
        ]


class ConsentGiven(models.Model):
    """That a rater agreed to a version. Append-only, enforced by a database trigger."""

    version = models.ForeignKey(ConsentVersion, models.DO_NOTHING, related_name="given")
    rater = models.ForeignKey(User, models.DO_NOTHING, related_name="consents", db_index=False)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rater", "version"], name="consent_given_once")
        ]

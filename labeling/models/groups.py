"""Groups and skills of a project's raters."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.models.people import User
from models_runtime.models import Project


class RaterGroup(models.Model):
    """Raters under one name: a group they belong to, or a skill that somebody granted them."""

    KINDS: ClassVar = [("group", _("group")), ("skill", _("skill"))]
    project = models.ForeignKey(Project, models.PROTECT, related_name="rater_groups")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=5, choices=KINDS, default="group")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="rater_group_once")
        ]

    def __str__(self) -> str:
        return self.name


class GroupMember(models.Model):
    """That somebody is in a group or has a skill, since when, and who said so."""

    # No index of its own: the constraint's begins with it.
    group = models.ForeignKey(RaterGroup, models.CASCADE, related_name="members", db_index=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="rater_groups")
    since = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "user"], name="group_member_once")]

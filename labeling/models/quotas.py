"""How many labels a campaign wants of prompts of a category, or of a language."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from labeling.models.campaigns import Campaign


class Quota(models.Model):
    """``amount`` is a number of labels, or a percentage of the campaign's target; null sets no
    target: what there is of this name is counted all the same. ``collected`` and ``filled`` are
    as of ``counted_at``."""

    KINDS: ClassVar = [("category", _("category")), ("language", _("language"))]
    UNITS: ClassVar = [("labels", _("labels")), ("percent", _("% of the target"))]
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="quotas", db_index=False)
    kind = models.CharField(max_length=8, choices=KINDS)
    name = models.CharField(max_length=100)  # as the prompts have it
    amount = models.PositiveIntegerField(null=True)
    unit = models.CharField(max_length=7, choices=UNITS, default="labels")
    collected = models.PositiveIntegerField(default=0)
    filled = models.BooleanField(default=False)
    counted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "kind", "name"], name="quota_once")
        ]

"""A few comparisons put to raters before all the others."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.models.campaigns import Campaign, QuestionVersion
from labeling.models.comparisons import Comparison
from labeling.models.people import User


class Pilot(models.Model):
    """``size`` comparisons at ``overlap`` labels each, while the others are withheld
    (Comparison.withheld). It is in force until a lead decides what comes of it."""

    DECISIONS: ClassVar = [("widened", _("widened to all")), ("revised", _("revised"))]
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="pilots", db_index=False)
    number = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    overlap = models.PositiveSmallIntegerField()
    question = models.ForeignKey(QuestionVersion, models.PROTECT, related_name="+")
    decision = models.CharField(max_length=8, choices=DECISIONS, blank=True)
    decided_at = models.DateTimeField(null=True)
    # What it withheld is open again: done by a tick, some at a time.
    settled_at = models.DateTimeField(null=True)
    began_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    began_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="pilot_number_once"),
            models.UniqueConstraint(
                fields=["campaign"],
                condition=models.Q(decision=""),
                name="pilot_one_in_force",
            ),
        ]


class PilotItem(models.Model):
    """A comparison that a pilot puts to raters."""

    pilot = models.ForeignKey(Pilot, models.CASCADE, related_name="items", db_index=False)
    comparison = models.ForeignKey(Comparison, models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pilot", "comparison"], name="pilot_item_once")
        ]

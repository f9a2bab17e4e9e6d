"""What a campaign may cost, until when, and what it had cost hour by hour."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from labeling.models.campaigns import Campaign


class Budget(models.Model):
    """The most of people's labels, of their active hours and of money (in the currency of the
    campaign's pay), and a last moment; null sets no limit. ``stopped_by`` is the limit that
    paused the campaign, until somebody resumes it."""

    LIMITS: ClassVar = [
        ("labels", _("labels")),
        ("hours", _("active hours")),
        ("money", _("money")),
        ("deadline", _("deadline")),
    ]
    campaign = models.OneToOneField(Campaign, models.CASCADE, related_name="budget")
    labels = models.PositiveIntegerField(null=True)
    hours = models.DecimalField(max_digits=9, decimal_places=2, null=True)
    money = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    deadline = models.DateTimeField(null=True)
    zone = models.CharField(max_length=50, default="UTC")  # in which the deadline was written
    stopped_by = models.CharField(max_length=8, choices=LIMITS, blank=True)
    stopped_at = models.DateTimeField(null=True)


class SpendPoint(models.Model):
    """What people's work in a campaign came to by the end of an hour, or so far in this one."""

    campaign = models.ForeignKey(
        Campaign, models.CASCADE, related_name="spend_points", db_index=False
    )
    hour = models.DateTimeField()
    at = models.DateTimeField()  # when it was counted
    labels = models.PositiveIntegerField()
    active_ms = models.PositiveBigIntegerField()
    money = models.DecimalField(max_digits=14, decimal_places=4, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "hour"], name="spend_point_once")
        ]

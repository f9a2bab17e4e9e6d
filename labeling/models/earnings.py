"""What raters are paid: at which rates, what was settled for a period, and what they dispute."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.models.campaigns import Campaign
from labeling.models.people import User


class PayRate(models.Model):
    """What a campaign pays from a moment on, until the next row. Append-only, so that what was
    earned stays earned. ``per`` "" pays nothing."""

    campaign = models.ForeignKey(Campaign, models.DO_NOTHING, related_name="pay_rates")
    per = models.CharField(max_length=5, choices=Campaign.PAID, blank=True)
    amount = models.DecimalField(max_digits=10, decimal_places=4, default=0)
    currency = models.CharField(max_length=3, blank=True)
    from_at = models.DateTimeField()
    created_by = models.ForeignKey(User, models.DO_NOTHING, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "from_at"], name="pay_rate_once")
        ]


class PayrollPeriod(models.Model):
    """A campaign's pay of some days, closed: what its lines say does not change any more, and
    what changes behind them is a correction in a later one. Append-only, as are its lines."""

    campaign = models.ForeignKey(Campaign, models.DO_NOTHING, related_name="payroll_periods")
    starts = models.DateField()
    ends = models.DateField()  # its last day
    zone = models.CharField(max_length=60)  # whose midnights begin and end it
    closed_by = models.ForeignKey(User, models.DO_NOTHING, null=True, related_name="+")
    closed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "starts"], name="payroll_period_once")
        ]


class PayrollLine(models.Model):
    """What one rater is owed for one reason. A correction may be negative."""

    KINDS: ClassVar = [
        ("work", _("work")),
        ("correction", _("correction")),
        ("granted", _("granted after a dispute")),
    ]
    period = models.ForeignKey(PayrollPeriod, models.DO_NOTHING, related_name="lines")
    rater = models.ForeignKey(User, models.DO_NOTHING, related_name="payroll_lines")
    kind = models.CharField(max_length=10, choices=KINDS)
    rate = models.ForeignKey(PayRate, models.DO_NOTHING, null=True, related_name="+")
    # Of a correction: the period that it corrects.
    about = models.ForeignKey(PayrollPeriod, models.DO_NOTHING, null=True, related_name="+")
    labels = models.IntegerField(default=0)
    accepted = models.IntegerField(default=0)
    active_ms = models.BigIntegerField(default=0)  # of the accepted labels
    currency = models.CharField(max_length=3, blank=True)
    amount = models.DecimalField(max_digits=18, decimal_places=4, default=0)


class PayDispute(models.Model):
    """A rater says that a line of their statement is wrong; a lead answers. What either typed is
    emptied when the rater is erased."""

    STATES: ClassVar = [
        ("open", _("open")),
        ("upheld", _("upheld")),
        ("declined", _("declined")),
        ("withdrawn", _("withdrawn")),
    ]
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="pay_disputes")
    rater = models.ForeignKey(User, models.PROTECT, related_name="pay_disputes")
    starts = models.DateField()
    ends = models.DateField()
    text = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=STATES, default="open")
    answer = models.TextField(blank=True)
    # What an upheld one adds to the rater's pay, in the period in which it was answered.
    granted = models.DecimalField(max_digits=12, decimal_places=4, default=0)
    currency = models.CharField(max_length=3, blank=True)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "rater", "starts", "ends"],
                condition=models.Q(state="open"),
                name="pay_dispute_open_once",
            )
        ]
        indexes = [models.Index(fields=["campaign", "state", "id"])]

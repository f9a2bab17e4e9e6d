"""How raters are trained and checked: items with a known answer, and what came of them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.models.campaigns import Campaign
from labeling.models.comparisons import Comparison
from labeling.models.labels import Label
from labeling.models.people import User


class Gold(models.Model):
    """What is expected of whoever answers a comparison whose purpose is not work, and why.

    ``expected`` holds stored parts ``{KEY: {"type": ..., ...}}`` by completion id, as a label's;
    ``rules`` says for each KEY that is judged how far an answer may be from it (see marking).
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    comparison = models.OneToOneField(Comparison, models.PROTECT, related_name="gold")
    # The comparison's, here so that what is next for a rater is found by one index.
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="golds", db_index=False)
    purpose = models.CharField(max_length=14, choices=Comparison.PURPOSES[1:])
    place = models.PositiveIntegerField(default=0)  # the order of training and of the test
    expected = models.JSONField()
    rules = models.JSONField()
    trains_on = models.CharField(max_length=10, default="chosen")  # what was asked then
    explanation = models.TextField(blank=True)  # Markdown, written by a lead
    source = models.ForeignKey(Comparison, models.SET_NULL, null=True, related_name="+")
    source_sha256 = models.CharField(max_length=64, blank=True)  # of the imported row
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["campaign", "purpose", "place", "id"], name="gold_order")]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "source_sha256"],
                condition=~models.Q(source_sha256=""),
                name="gold_imported_once",
            )
        ]


class GoldResult(models.Model):
    """What an answer to a gold item came to. It counts while its label is in force and it is not
    void; a corrected item judges its answers anew."""

    label = models.OneToOneField(Label, models.DO_NOTHING, related_name="result")
    gold = models.ForeignKey(Gold, models.PROTECT, related_name="results")
    rater = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    occasion = models.PositiveSmallIntegerField(default=0)  # which try of the test
    right = models.BooleanField(null=True)  # null: nothing that was judged was answered
    distance = models.FloatField(null=True)  # 0 as expected .. 1 the opposite
    # Whether its rater has read what was expected; null while they are to, or are told nothing.
    shows = models.BooleanField(default=False)
    told_at = models.DateTimeField(null=True)
    void_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["rater", "gold"], name="gold_result_of_rater"),
            models.Index(
                fields=["rater"],
                condition=models.Q(shows=True, told_at__isnull=True),
                name="gold_result_untold",
            ),
        ]


class Qualification(models.Model):
    """How a rater's try of a campaign's test ended."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    rater = models.ForeignKey(User, models.PROTECT, related_name="qualifications")
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="qualifications")
    attempt = models.PositiveSmallIntegerField(default=0)
    right = models.PositiveIntegerField()
    asked = models.PositiveIntegerField()
    pass_mark = models.PositiveSmallIntegerField()  # percent, as it was then
    passed = models.BooleanField()
    told_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rater", "campaign", "attempt"], name="qualification_once"
            )
        ]


class Contest(models.Model):
    """A rater who disagrees with a gold item, and what a lead made of it. What both typed is
    erasable."""

    STATES: ClassVar = [
        ("open", _("open")),
        ("upheld", _("upheld")),
        ("rejected", _("rejected")),
    ]
    result = models.OneToOneField(GoldResult, models.PROTECT, related_name="contest")
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="contests", db_index=False)
    rater = models.ForeignKey(User, models.PROTECT, related_name="contests")
    text = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=STATES, default="open")
    reason = models.TextField(blank=True)  # the lead's, to the rater
    decided_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)  # when its rater read the decision
    erased_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["campaign", "state", "id"], name="contest_by_state")]

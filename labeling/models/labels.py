"""What raters said, and what goes with it."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.models.campaigns import Campaign, GuidelineVersion, QuestionVersion
from labeling.models.comparisons import Assignment, Comparison
from labeling.models.people import User
from labeling.models.prompts import Prompt


class Label(models.Model):
    """An answer, or the withdrawal of one. Append-only, enforced by a database trigger.

    Names completion ids, never sides, and holds no typed text. A label is in force when nothing
    supersedes it and it is not a withdrawal.
    """

    KINDS: ClassVar = [("answer", _("answer")), ("withdrawn", _("withdrawn"))]
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=KINDS, default="answer")
    assignment = models.ForeignKey(Assignment, models.DO_NOTHING, related_name="labels")
    # No indexes of their own: those below begin with the same columns.
    comparison = models.ForeignKey(
        Comparison, models.DO_NOTHING, related_name="labels", db_index=False
    )
    rater = models.ForeignKey(User, models.DO_NOTHING, related_name="labels", db_index=False)
    supersedes = models.OneToOneField(
        "self", models.DO_NOTHING, null=True, related_name="superseded_by"
    )
    question_version = models.ForeignKey(QuestionVersion, models.DO_NOTHING, related_name="+")
    guideline_version = models.ForeignKey(
        GuidelineVersion, models.DO_NOTHING, null=True, related_name="+"
    )
    source = models.CharField(max_length=12)  # the rater's kind when it was made
    late = models.BooleanField(default=False)
    counted = models.BooleanField(default=True)
    active_ms = models.PositiveIntegerField(null=True)
    layout = models.CharField(max_length=30, blank=True)
    order = models.JSONField()  # completion ids as displayed, left to right: for bias estimates
    idempotency_key = models.UUIDField()
    body_sha256 = models.CharField(max_length=64)
    answer = models.JSONField()  # {"v": 1, "parts": {KEY: {...}}}
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rater", "idempotency_key"], name="label_once")
        ]
        indexes = [
            models.Index(fields=["comparison", "id"]),
            models.Index(fields=["rater", "id"]),
            # Few are: how many of a campaign is asked before each download.
            models.Index(fields=["comparison"], condition=models.Q(late=True), name="label_late"),
        ]


class RaterText(models.Model):
    """Every text a person typed, apart from the label so that it can be erased."""

    label = models.ForeignKey(Label, models.DO_NOTHING, null=True, related_name="texts")
    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="texts")
    rater = models.ForeignKey(User, models.PROTECT, related_name="texts")
    part = models.CharField(max_length=60)
    text = models.TextField(blank=True)
    # That is made of the part's texts; here so that whoever else wrote it is found by an index.
    prompt = models.ForeignKey(Prompt, models.PROTECT, null=True, related_name="+")
    erased_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)


class Boundary(models.Model):
    """What a rater agreed to see in a campaign with a content warning, and what they left."""

    rater = models.ForeignKey(User, models.CASCADE, related_name="boundaries")
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="boundaries")
    consented_at = models.DateTimeField(null=True)  # null: not yet, or taken back
    left = models.JSONField(default=list)  # categories and tags of prompts, by name
    opted_in = models.JSONField(default=list)  # sensitive ones that they said yes to

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rater", "campaign"], name="boundary_once")]


class Flag(models.Model):
    """Something wrong with a comparison, said by a rater. An unresolved one keeps the
    comparison out of default exports."""

    CODES: ClassVar = [
        ("unsafe", _("Unsafe content")),
        ("broken", _("Broken or garbled")),
        ("personal_data", _("Personal data")),
        ("language", _("Not my language")),
    ]
    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="flags")
    comparison = models.ForeignKey(Comparison, models.PROTECT, related_name="flags")
    rater = models.ForeignKey(User, models.PROTECT, related_name="+")
    code = models.CharField(max_length=20, choices=CODES)
    created_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["assignment", "code"], name="flag_once")]

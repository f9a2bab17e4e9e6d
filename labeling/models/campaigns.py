"""A campaign, and the versions of what it asks and tells."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling import lifecycles
from labeling.models.groups import RaterGroup
from labeling.models.people import User
from labeling.parts_field import PartsField
from models_runtime.models import Checkpoint, Project
from models_runtime.states import choices


class Campaign(models.Model):
    """A question put to raters about a policy's completions, iteration after iteration."""

    TRANSITIONS = lifecycles.CAMPAIGN
    project = models.ForeignKey(Project, models.PROTECT, related_name="campaigns")
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=12, choices=choices(TRANSITIONS), default="draft")
    question = models.ForeignKey("QuestionVersion", models.PROTECT, null=True, related_name="+")
    guideline = models.ForeignKey("GuidelineVersion", models.PROTECT, null=True, related_name="+")
    # The number of the newest guidelines that each rater confirms before the next card; 0: of none
    # (confirmations.py). Here, so that an answer asks for it without a query.
    confirm_from = models.PositiveIntegerField(default=0)
    first_policy = models.ForeignKey(Checkpoint, models.PROTECT, null=True, related_name="+")
    labels_per_comparison = models.PositiveSmallIntegerField(default=1)
    # More labels where raters disagree, up to so many (adaptive.py); "" gives each the same.
    MORE: ClassVar = [
        ("majority", _("while a further label could change the majority")),
        ("belief", _("until an outcome is believed enough, each rater weighed by their accuracy")),
    ]
    more_rule = models.CharField(max_length=8, choices=MORE, blank=True)
    most_labels = models.PositiveSmallIntegerField(default=0)
    sure_enough = models.FloatField(default=0.8)
    # How many raters' labels become one in its snapshots (aggregates.TITLES); "" keeps every label
    # and gives the majority's verdict.
    aggregation = models.CharField(max_length=16, blank=True)
    # In which order its comparisons are handed out (order.Order as data).
    ordering = models.JSONField(default=dict)
    lease_seconds = models.PositiveIntegerField(default=1800)
    # The plan the next iteration starts from (iterations.Plan as data); an Iteration freezes it.
    plan = models.JSONField(default=dict)
    # {"win_rate_low": .5, ...}: promote without a person when all hold; empty: a person decides.
    gate = models.JSONField(default=dict)
    # Whether simulated raters of the demo world may be asked: only where prompts are of it.
    demo_world = models.BooleanField(default=False)
    # Whether raters read who suggested the answer that they review: a name is no blind judgement.
    names_suggesters = models.BooleanField(default=False)
    # Care for raters, in force where there is a warning: what they may meet, whether they say yes
    # to it first, whether texts are veiled until asked for, and how many such cards a day (of all
    # campaigns with a warning) are the most; 0 sets no limit.
    content_warning = models.TextField(blank=True)
    needs_consent = models.BooleanField(default=False)
    veiled = models.BooleanField(default=False)
    daily_cards = models.PositiveSmallIntegerField(default=0)
    # Categories and tags of prompts that only raters who said yes to them are shown.
    sensitive_kinds = models.JSONField(default=list)
    # What raters see of their own work: how long, and what it comes to at this rate (pay.py).
    PAID: ClassVar = [("label", _("for each answer")), ("hour", _("for each active hour"))]
    shows_time = models.BooleanField(default=False)
    pay_per = models.CharField(max_length=5, choices=PAID, blank=True)
    pay_amount = models.DecimalField(max_digits=10, decimal_places=4, default=0)
    pay_currency = models.CharField(max_length=3, blank=True)
    # Whether raters see a board of accepted labels and agreement (boards.py).
    shows_board = models.BooleanField(default=False)
    # Who is handed its cards (admission.py), each asked before a query is made: members of one of
    # the groups with all of the skills; whoever reads a prompt's language; whoever agreed to the
    # project's consent of now; and so many answers of a rater in all, and in 24 hours, at most.
    wants_groups = models.BooleanField(default=False)
    wanted_groups = models.ManyToManyField(RaterGroup, related_name="campaigns")
    by_language = models.BooleanField(default=False)
    consent = models.ForeignKey("ConsentVersion", models.PROTECT, null=True, related_name="+")
    most_answers = models.PositiveIntegerField(default=0)
    most_daily = models.PositiveIntegerField(default=0)
    # How its raters are trained and checked (checks.py); with these defaults not at all. Shares
    # are of a rater's new cards.
    trains_raters = models.BooleanField(default=False)
    pass_mark = models.PositiveSmallIntegerField(default=0)  # percent of the test; 0: no test
    gold_share = models.FloatField(default=0)
    gold_feedback = models.BooleanField(default=False)
    repeat_share = models.FloatField(default=0)
    repeat_after = models.PositiveSmallIntegerField(default=20)  # cards between the two
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class QuestionVersion(models.Model):
    """What is asked. A label keeps the version it answered."""

    DIRECTIONS: ClassVar = [
        ("chosen", _("the chosen completion is better for training")),
        ("rejected", _("the chosen completion is worse for training (a red team picks harm)")),
    ]
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="questions")
    number = models.PositiveIntegerField()
    text = models.CharField(max_length=500)
    # {KEY: {"type": "pairwise", "scale": "llama2", ...}}: instruments combine in one form.
    parts = PartsField()
    trains_on = models.CharField(max_length=10, choices=DIRECTIONS, default="chosen")
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="question_version_once")
        ]


class GuidelineVersion(models.Model):
    """What raters are told. A label keeps the version it was made under."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="guidelines")
    number = models.PositiveIntegerField()
    markdown = models.TextField(blank=True)
    # Whether a rater says that they read what changed before they are handed another card.
    must_confirm = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="guideline_version_once")
        ]


class GuidelinesConfirmed(models.Model):
    """That a rater read a version of the guidelines and what it changed. Append-only, enforced by
    a database trigger."""

    version = models.ForeignKey(GuidelineVersion, models.DO_NOTHING, related_name="confirmed")
    rater = models.ForeignKey(User, models.DO_NOTHING, related_name="+", db_index=False)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rater", "version"], name="guidelines_confirmed_once")
        ]

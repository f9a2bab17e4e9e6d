"""One turn of the loop, what was decided in it, and its frozen labels."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from labeling import lifecycles
from labeling.models.campaigns import Campaign
from labeling.models.people import User
from models_runtime.models import Checkpoint, Project
from models_runtime.phrase_fields import SaidCharField, SaidTextField
from models_runtime.states import choices


class Iteration(models.Model):
    """One turn of the loop: sample, collect, train, evaluate, decide."""

    TRANSITIONS = lifecycles.ITERATION
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="iterations")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=12, choices=choices(TRANSITIONS), default="draft")
    plan = models.JSONField(default=dict)  # frozen when it starts
    policy = models.ForeignKey(Checkpoint, models.PROTECT, related_name="+")  # what it improves
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    forked_from = models.ForeignKey("self", models.PROTECT, null=True, related_name="forks")
    failed_from = models.CharField(max_length=12, blank=True)
    error = SaidTextField(blank=True)
    paused_at = models.DateTimeField(null=True)
    # Whoever moved this ahead of now may take the next step; expires if they die in it.
    step_until = models.DateTimeField(null=True)
    # A lead's "freeze and train" before (or without) the target being met.
    freeze_requested_at = models.DateTimeField(null=True)
    # Kept, not counted: people's counted labels, and those of programs and simulated raters.
    labels_people = models.PositiveIntegerField(default=0)
    labels_others = models.PositiveIntegerField(default=0)
    snapshot = models.ForeignKey("Snapshot", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="iteration_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.campaign.name}, iteration {self.number}"


class IterationEvent(models.Model):
    iteration = models.ForeignKey(Iteration, models.PROTECT, related_name="events")
    actor = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    from_state = models.CharField(max_length=12, blank=True)
    to_state = models.CharField(max_length=12)
    reason = SaidCharField(max_length=500, blank=True)
    at = models.DateTimeField(default=timezone.now)


class Promotion(models.Model):
    """Append-only: the newest row for a campaign and role is the one in force, so going back to
    an earlier policy is another row."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="promotions")
    iteration = models.ForeignKey(Iteration, models.PROTECT, null=True, related_name="promotions")
    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT, related_name="promotions")
    role = models.CharField(max_length=20, default="policy")
    by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(default=timezone.now)


class Snapshot(models.Model):
    """Labels frozen into immutable files: labels.jsonl, preferences.jsonl, manifest.json."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="snapshots")
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="snapshots")
    iteration = models.ForeignKey(Iteration, models.PROTECT, null=True, related_name="+")
    sha256 = models.CharField(max_length=64)
    uri = models.CharField(max_length=500)
    manifest = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    replaces = models.ForeignKey("self", models.PROTECT, null=True, related_name="replaced_by")
    # When somebody whose words its files hold was erased (remains.py): they never change.
    holds_erased_since = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "sha256"], name="snapshot_once")
        ]

    @property
    def is_imported(self) -> bool:
        """Whether it holds somebody else's preferences, and no label that was given here."""
        return "imported" in self.counts

    @property
    def is_made_by_models(self) -> bool:
        """Whether models alone made and chose its pairs, and it holds no label."""
        return "model" in self.counts

    @property
    def holds_labels(self) -> bool:
        """Whether what it holds was said here: its folds and iterations are its campaign's."""
        return not self.is_imported and not self.is_made_by_models

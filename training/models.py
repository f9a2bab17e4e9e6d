"""What was trained from what, and how it was judged. Written only by pipeline.py."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.models import Campaign, Iteration, Snapshot
from models_runtime.models import Checkpoint, Job, Project


class TrainingRun(models.Model):
    """One training job with its lineage. Its state is its job's state."""

    ROLES: ClassVar = [
        ("policy", _("policy")),
        ("reward_model", _("reward model of the policy")),
        ("judge", _("judging reward model")),
    ]
    project = models.ForeignKey(Project, models.PROTECT, related_name="runs")
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="runs")
    iteration = models.ForeignKey(Iteration, models.PROTECT, null=True, related_name="runs")
    role = models.CharField(max_length=12, choices=ROLES)
    method = models.CharField(max_length=40)
    options = models.JSONField(default=dict)
    select = models.JSONField(default=dict)  # training.configs.Selection as data
    snapshot = models.ForeignKey(Snapshot, models.PROTECT, related_name="runs")
    parents = models.ManyToManyField(Checkpoint, related_name="runs_from")
    output = models.ForeignKey(Checkpoint, models.PROTECT, null=True, related_name="made_by")
    job = models.OneToOneField(Job, models.PROTECT, related_name="training_run")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)


class MixturePart(models.Model):
    """One of several frozen sets that a run trains on, by its place. ``weight``: its share of the
    drawn rows, relative to the others'. A run of one snapshot has none."""

    run = models.ForeignKey(TrainingRun, models.CASCADE, related_name="parts")
    snapshot = models.ForeignKey(Snapshot, models.PROTECT, related_name="in_mixtures")
    place = models.PositiveSmallIntegerField()
    weight = models.FloatField()

    class Meta:
        ordering: ClassVar = ["place"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "snapshot"], name="mixture_part_once")
        ]


class Evaluation(models.Model):
    """A checkpoint judged: ``result`` is the evaluate job's result.json, kept when it succeeds."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="evaluations")
    iteration = models.ForeignKey(Iteration, models.PROTECT, null=True, related_name="evaluations")
    run = models.ForeignKey(TrainingRun, models.PROTECT, null=True, related_name="evaluations")
    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT, related_name="evaluations")
    job = models.OneToOneField(Job, models.PROTECT, related_name="evaluation")
    result = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

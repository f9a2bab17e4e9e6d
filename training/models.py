"""What was trained from what, and how it was judged. Written only by pipeline.py."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.models import Campaign, Iteration, SamplingBatch, Snapshot
from models_runtime.models import Checkpoint, Job, Project
from models_runtime.phrase_fields import SaidTextField
from models_runtime.states import choices


class TrainingRun(models.Model):
    """One training job with its lineage. Its state is its job's state."""

    ROLES: ClassVar = [
        ("policy", _("policy")),
        ("reward_model", _("reward model of the policy")),
        ("judge", _("judging reward model")),
        ("round", _("policy of a round")),
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


class CheckpointBatch(models.Model):
    """Chosen checkpoints of a run that is still under way, put to raters beside it: kept,
    published, sampled, compared. One row for what is asked for once: the key says it all."""

    run = models.ForeignKey(TrainingRun, models.PROTECT, related_name="checkpoint_batches")
    key = models.CharField(max_length=64)
    options = models.JSONField(default=dict)  # training.configs.CheckpointsConfig as data
    keeping = models.OneToOneField(
        Job, models.PROTECT, null=True, related_name="keeps_for"
    )  # null: of a row that is older than this job
    publishing = models.OneToOneField(
        Job, models.PROTECT, null=True, related_name="checkpoint_batch"
    )
    checkpoints = models.ManyToManyField(Checkpoint, related_name="+")
    batch = models.OneToOneField(SamplingBatch, models.PROTECT, null=True, related_name="asked_by")
    opened = models.PositiveIntegerField(null=True)  # comparisons; null until there are any
    error = SaidTextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "key"], name="checkpoint_batch_once")
        ]


class PairGraph(models.Model):
    """Rounds of jobs in which models make the preferences that the next policy learns from. One
    thing to a person: it is stopped, goes on, and ends as a whole."""

    TRANSITIONS: ClassVar = {
        "running": ("stopped", "failed", "done", "cancelled"),
        "stopped": ("running", "cancelled"),
        "failed": ("running", "cancelled"),
        "done": (),
        "cancelled": (),
    }
    iteration = models.ForeignKey(Iteration, models.PROTECT, related_name="pair_graphs")
    recipe = models.CharField(max_length=20)  # of training.configs.RECIPES
    options = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=choices(TRANSITIONS), default="running")
    error = SaidTextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)


class PairRound(models.Model):
    """One round of it: answers sampled, rewarded where a model chooses, paired and frozen, and a
    run that learns from the pairs."""

    graph = models.ForeignKey(PairGraph, models.CASCADE, related_name="rounds")
    number = models.PositiveSmallIntegerField()  # from 1
    policy = models.ForeignKey(Checkpoint, models.PROTECT, related_name="+")  # what it improves
    sampling = models.OneToOneField(Job, models.PROTECT, related_name="pairs_sampled_by")
    rewarding = models.OneToOneField(
        Job, models.PROTECT, null=True, related_name="pairs_rewarded_by"
    )
    pairs = models.ForeignKey(Snapshot, models.PROTECT, null=True, related_name="made_in")
    run = models.OneToOneField(TrainingRun, models.PROTECT, null=True, related_name="pair_round")

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["graph", "number"], name="pair_round_once")
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

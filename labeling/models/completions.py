"""What models answered."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from labeling import lifecycles
from labeling.models.campaigns import Campaign
from labeling.models.iterations import Iteration
from labeling.models.prompts import ImportBatch, Prompt
from models_runtime.models import Checkpoint, Endpoint, Job
from models_runtime.states import choices


class SamplingBatch(models.Model):
    """One sample job's output, once ingested: ``ingested_at`` makes the ingest happen once. An
    iteration's own, or a tagged one beside them, which has a campaign and its tags instead."""

    iteration = models.ForeignKey(Iteration, models.PROTECT, null=True, related_name="batches")
    campaign = models.ForeignKey(
        Campaign, models.PROTECT, null=True, related_name="tagged_batches"
    )
    job = models.OneToOneField(Job, models.PROTECT, related_name="sampling_batch")
    # [{"checkpoint": id, "k", "temperature", ...}] in the order of SampleConfig.samplers.
    samplers = models.JSONField()
    tags = models.JSONField(default=list)
    ingested_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)


class Completion(models.Model):
    """One model (or human) answer with everything needed to say where it came from."""

    TRANSITIONS = lifecycles.COMPLETION
    prompt = models.ForeignKey(Prompt, models.PROTECT, related_name="completions")
    batch = models.ForeignKey(SamplingBatch, models.PROTECT, null=True, related_name="completions")
    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT, null=True, related_name="+")
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, null=True, related_name="+")
    source = models.CharField(max_length=100, default="sampled")
    sampler_index = models.PositiveSmallIntegerField(default=0)
    sample_index = models.PositiveSmallIntegerField(default=0)
    temperature = models.FloatField(null=True)
    top_p = models.FloatField(null=True)
    max_new_tokens = models.PositiveIntegerField(null=True)
    seed = models.BigIntegerField(null=True)
    system_prompt = models.TextField(blank=True)
    on_policy = models.BooleanField(default=True)
    state = models.CharField(max_length=8, choices=choices(TRANSITIONS), default="done")
    text = models.TextField(blank=True)
    text_sha256 = models.CharField(max_length=64)
    html = models.TextField(blank=True)  # rendered and sanitised once
    renderer = models.CharField(max_length=20, blank=True)  # its version; empty: not yet rendered
    finish_reason = models.CharField(max_length=10, default="unknown")
    token_count = models.PositiveIntegerField(null=True)
    duplicate_of = models.ForeignKey("self", models.PROTECT, null=True, related_name="duplicates")
    import_batch = models.ForeignKey(ImportBatch, models.PROTECT, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "prompt", "sampler_index", "sample_index"],
                name="completion_sampled_once",
            )
        ]

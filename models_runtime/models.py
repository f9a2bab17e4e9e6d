"""The bottom tables: tenants, the audit trail, jobs and their metrics, checkpoints, endpoints.

Written only by jobs.py, registry.py, endpoints.py and audit.py.
"""

from __future__ import annotations

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from models_runtime import states
from models_runtime.phrase_fields import SaidTextField


def random_key() -> str:
    """256 random bits as hex: a project's pseudonym key."""
    return secrets.token_hex(32)


class Project(models.Model):
    """The tenant. Every job, checkpoint, endpoint, prompt set and campaign has one."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    # Rater pseudonyms in snapshots are HMAC(this key, public id).
    pseudonym_key = models.CharField(max_length=64, default=random_key, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.name


class AuditEvent(models.Model):
    """Who did what to which object. Append-only, enforced by a database trigger.

    Holds no typed text: ``reason`` is a code or a sentence of ours, never a person's words.
    """

    project = models.ForeignKey(Project, models.DO_NOTHING, null=True, related_name="+")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.DO_NOTHING, null=True)
    verb = models.CharField(max_length=60)
    object_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=60)
    from_state = models.CharField(max_length=40, blank=True)
    to_state = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["object_type", "object_id", "id"]),
            # The audit page: a project's newest, of all or of one verb.
            models.Index(fields=["project", "at", "id"], name="audit_of_project"),
            models.Index(fields=["project", "verb", "at", "id"], name="audit_of_verb"),
            models.Index(fields=["project", "actor", "at", "id"], name="audit_of_actor"),
        ]


class AuditPlace(models.Model):
    """Where an event came from. Apart from the event, because it is a person's and is emptied:
    after its time, and with the person's erasure."""

    event = models.OneToOneField(
        AuditEvent, models.DO_NOTHING, primary_key=True, related_name="place"
    )
    channel = models.CharField(max_length=20)  # page, worker, command line
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=60, blank=True)
    kept_since = models.DateTimeField(null=True, db_index=True)  # null: there is nothing to empty


class Job(models.Model):
    """One unit of work for a worker; the database is the queue.

    ``token`` fences: it changes with every attempt, and whatever an older one reports is
    refused. ``heartbeat_at`` says the worker lives, ``progress_at`` that the child moves.
    """

    TRANSITIONS = states.JOB
    project = models.ForeignKey(Project, models.PROTECT, related_name="jobs")
    kind = models.CharField(max_length=40)
    queue = models.CharField(max_length=40, default="gpu")
    state = models.CharField(max_length=20, choices=states.choices(states.JOB), default="queued")
    priority = models.IntegerField(default=0)
    attempt = models.PositiveIntegerField(default=0)
    # Attempts since one left something new in the artefact store; the cap applies to these.
    attempts_without_progress = models.PositiveIntegerField(default=0)
    max_attempts = models.PositiveIntegerField(default=3)
    token = models.UUIDField(default=uuid.uuid4)
    worker = models.CharField(max_length=200, blank=True)
    seed = models.BigIntegerField(default=0)
    config = models.JSONField(default=dict)
    # [{"name", "uri", "sha256"}]: laid on the worker's disk before the child starts.
    inputs = models.JSONField(default=list)
    dir = models.CharField(max_length=500, blank=True)
    # Whether the artefact store may hold something to resume from: models_runtime.handover.
    keeps_progress = models.BooleanField(default=False)
    stop_requested_at = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    progress = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    error = SaidTextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    progress_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cpu_seconds = models.FloatField(default=0.0)

    class Meta:
        indexes = [models.Index(fields=["state", "queue", "-priority", "id"])]


class MetricChunk(models.Model):
    """A stretch of a job's metrics.jsonl, relayed while it runs. A later attempt that resumed
    replaces the rows from its first step on (readers take the newest attempt per step)."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="metric_chunks")
    attempt = models.PositiveIntegerField()
    offset = models.BigIntegerField()  # byte offset in metrics.jsonl: makes the relay idempotent
    from_step = models.BigIntegerField()
    to_step = models.BigIntegerField()
    rows = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "attempt", "offset"], name="metric_chunk_once")
        ]


class Checkpoint(models.Model):
    """A model on disk with its lineage. Which one is a campaign's policy is a Promotion row."""

    TRANSITIONS = states.CHECKPOINT
    KINDS = [
        ("policy", _("policy")),
        ("reward_model", _("reward model")),
        ("value_model", _("value model")),
        ("adapter", _("adapter")),
    ]
    project = models.ForeignKey(Project, models.PROTECT, related_name="checkpoints")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, choices=KINDS)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    uri = models.CharField(max_length=500)
    manifest = models.JSONField(default=dict)  # {relative path: sha256}
    sha256 = models.CharField(max_length=64)  # of the canonical manifest: the artefact's identity
    bytes = models.BigIntegerField(default=0)
    state = models.CharField(
        max_length=20, choices=states.choices(states.CHECKPOINT), default="registering"
    )
    # Architecture, parameters, context length, template and tokenizer hashes.
    facts = models.JSONField(default=dict)
    job = models.ForeignKey(Job, models.SET_NULL, null=True, related_name="checkpoints")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="checkpoint_name_once"),
            # A second delivery of the same result registers nothing new.
            models.UniqueConstraint(fields=["job", "kind", "sha256"], name="checkpoint_job_once"),
        ]

    def __str__(self) -> str:
        return self.name


class Endpoint(models.Model):
    """An OpenAI-compatible server that completions can be sampled from."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="endpoints")
    name = models.CharField(max_length=120)
    base_url = models.URLField(max_length=500)
    model_name = models.CharField(max_length=200)
    key_variable = models.CharField(max_length=80, blank=True)  # which holds the key; never a key
    probe = models.JSONField(default=dict)
    probed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

"""The domain of human judgement, as tables. Each is written only by the module named after it.

Ids in these tables never reach a rater: an Assignment has a random public id of its own.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone

from labeling import lifecycles
from models_runtime.models import Checkpoint, Job, Project
from models_runtime.states import choices


class User(AbstractUser):
    """Somebody or something that signs in or labels. Erasing empties this row and keeps it."""

    KINDS: ClassVar = [
        ("person", "person"),
        ("program", "program"),
        ("simulated", "simulated rater"),
    ]
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=12, choices=KINDS, default="person")
    locale = models.CharField(max_length=12, blank=True)
    preferences = models.JSONField(default=dict)  # key map, theme, layout: allow-listed values
    erased_at = models.DateTimeField(null=True)


class Membership(models.Model):
    """One role of one user in one project."""

    ROLES: ClassVar = [("rater", "rater"), ("lead", "lead"), ("researcher", "researcher")]
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=ROLES)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "project", "role"], name="membership_once")
        ]


class Campaign(models.Model):
    """A question put to raters about a policy's completions, iteration after iteration."""

    TRANSITIONS = lifecycles.CAMPAIGN
    project = models.ForeignKey(Project, models.PROTECT, related_name="campaigns")
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=12, choices=choices(TRANSITIONS), default="draft")
    question = models.ForeignKey("QuestionVersion", models.PROTECT, null=True, related_name="+")
    guideline = models.ForeignKey("GuidelineVersion", models.PROTECT, null=True, related_name="+")
    first_policy = models.ForeignKey(Checkpoint, models.PROTECT, null=True, related_name="+")
    labels_per_comparison = models.PositiveSmallIntegerField(default=1)
    lease_seconds = models.PositiveIntegerField(default=1800)
    # The plan the next iteration starts from (iterations.Plan as data); an Iteration freezes it.
    plan = models.JSONField(default=dict)
    # {"win_rate_low": .5, ...}: promote without a person when all hold; empty: a person decides.
    gate = models.JSONField(default=dict)
    # Whether simulated raters of the demo world may be asked: only where prompts are of it.
    demo_world = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class QuestionVersion(models.Model):
    """What is asked. A label keeps the version it answered."""

    DIRECTIONS: ClassVar = [
        ("chosen", "the chosen completion is better for training"),
        ("rejected", "the chosen completion is worse for training (a red team picks harm)"),
    ]
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="questions")
    number = models.PositiveIntegerField()
    text = models.CharField(max_length=500)
    # {KEY: {"type": "pairwise", "scale": "llama2", ...}}: instruments combine in one form.
    parts = models.JSONField()
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
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="guideline_version_once")
        ]


class ImportBatch(models.Model):
    """Rows that arrived together; invisible until live."""

    TRANSITIONS = lifecycles.IMPORT_BATCH
    project = models.ForeignKey(Project, models.PROTECT, related_name="imports")
    kind = models.CharField(max_length=40)
    source_name = models.CharField(max_length=300)
    source_sha256 = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=12, choices=choices(TRANSITIONS), default="staged")
    counts = models.JSONField(default=dict)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)


class PromptSet(models.Model):
    project = models.ForeignKey(Project, models.PROTECT, related_name="prompt_sets")
    campaign = models.ForeignKey(Campaign, models.PROTECT, null=True, related_name="prompt_sets")
    name = models.CharField(max_length=200)
    licence = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)


class Prompt(models.Model):
    """A conversation up to the turn a model answers. Held out for evaluation by ``item``."""

    SPLITS: ClassVar = [("train", "train"), ("heldout", "held out")]
    prompt_set = models.ForeignKey(PromptSet, models.PROTECT, related_name="prompts")
    messages = models.JSONField()
    messages_sha256 = models.CharField(max_length=64)
    source = models.CharField(max_length=200, blank=True)
    category = models.CharField(max_length=100, blank=True)
    tags = models.JSONField(default=list)
    language = models.CharField(max_length=12, blank=True)
    # InstructGPT splits by the person who wrote the prompt; ``author`` is their pseudonym.
    author = models.CharField(max_length=100, blank=True)
    item = models.CharField(max_length=200)  # what the prompt is about; else its own hash
    # User turns to send after the first answer (MT-bench's second turn), each text in order.
    follow_ups = models.JSONField(default=list)
    split = models.CharField(max_length=8, choices=SPLITS, default="train")
    parent_completion = models.ForeignKey(
        "Completion", models.PROTECT, null=True, related_name="next_turns"
    )
    import_batch = models.ForeignKey(ImportBatch, models.PROTECT, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prompt_set", "messages_sha256"], name="prompt_once")
        ]


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
    error = models.TextField(blank=True)
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
    reason = models.CharField(max_length=500, blank=True)
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


class SamplingBatch(models.Model):
    """One sample job's output, once ingested: ``ingested_at`` makes the ingest happen once."""

    iteration = models.ForeignKey(Iteration, models.PROTECT, related_name="batches")
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


class Conversation(models.Model):
    """A rater's talk with one or two models; its turns are comparisons."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="conversations")
    rater = models.ForeignKey(User, models.PROTECT, related_name="+")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)


class Comparison(models.Model):
    """One to nine completions of one prompt, put to raters together.

    slots_left + live leases + counted == overlap, always: each is moved by conditional updates.
    """

    TRANSITIONS = lifecycles.COMPARISON
    AUDIENCES: ClassVar = [("any", "anyone"), ("person", "people only")]
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="comparisons")
    iteration = models.ForeignKey(Iteration, models.PROTECT, null=True, related_name="comparisons")
    prompt = models.ForeignKey(Prompt, models.PROTECT, related_name="comparisons")
    conversation = models.ForeignKey(Conversation, models.PROTECT, null=True)
    turn = models.PositiveSmallIntegerField(default=0)
    completions = models.ManyToManyField(Completion, through="ComparisonCompletion")
    state = models.CharField(max_length=10, choices=choices(TRANSITIONS), default="open")
    audience = models.CharField(max_length=8, choices=AUDIENCES, default="any")
    overlap = models.PositiveSmallIntegerField(default=1)
    slots_left = models.SmallIntegerField(default=1)
    counted = models.PositiveSmallIntegerField(default=0)
    priority = models.SmallIntegerField(default=0)
    shuffle = models.IntegerField(default=0)  # the order within a priority, drawn at creation
    fold = models.CharField(max_length=8, blank=True)  # policy | judge, see records
    strategy = models.CharField(max_length=30, blank=True)
    score = models.FloatField(null=True)
    propensity = models.FloatField(null=True)
    import_batch = models.ForeignKey(ImportBatch, models.PROTECT, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(
                fields=["campaign", "-priority", "shuffle", "id"],
                condition=models.Q(state="open", slots_left__gt=0),
                name="comparison_queue",
            ),
            models.Index(fields=["iteration", "state"]),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(slots_left__gte=0), name="comparison_slots_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(counted__lte=models.F("overlap")),
                name="comparison_not_over_filled",
            ),
        ]


class ComparisonCompletion(models.Model):
    comparison = models.ForeignKey(Comparison, models.CASCADE, related_name="items")
    completion = models.ForeignKey(Completion, models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField()  # canonical order, never the displayed one

    class Meta:
        ordering: ClassVar = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["comparison", "position"], name="position_once"),
            models.UniqueConstraint(fields=["comparison", "completion"], name="completion_once"),
        ]


class Assignment(models.Model):
    """A comparison leased to a rater. ``order`` is the display order drawn for this one."""

    TRANSITIONS = lifecycles.ASSIGNMENT
    SKIP_REASONS: ClassVar = [
        ("cannot_judge", "I cannot judge this"),
        ("language", "Not my language"),
        ("broken", "The card is broken"),
        ("uncomfortable", "I would rather not read this"),
    ]
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    comparison = models.ForeignKey(Comparison, models.PROTECT, related_name="assignments")
    rater = models.ForeignKey(User, models.PROTECT, related_name="assignments")
    occasion = models.PositiveSmallIntegerField(default=0)  # above 0 only for hidden repeats
    state = models.CharField(max_length=10, choices=choices(TRANSITIONS), default="leased")
    order = models.JSONField()
    skip_reason = models.CharField(max_length=20, choices=SKIP_REASONS, blank=True)
    leased_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)  # or skipped: when it left the rater's hands

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["comparison", "rater", "occasion"], name="assignment_once"
            )
        ]
        indexes = [
            models.Index(fields=["rater", "state", "id"]),
            models.Index(fields=["state", "leased_until"]),
        ]


class Label(models.Model):
    """An answer, or the withdrawal of one. Append-only, enforced by a database trigger.

    Names completion ids, never sides, and holds no typed text. A label is in force when nothing
    supersedes it and it is not a withdrawal.
    """

    KINDS: ClassVar = [("answer", "answer"), ("withdrawn", "withdrawn")]
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=KINDS, default="answer")
    assignment = models.ForeignKey(Assignment, models.DO_NOTHING, related_name="labels")
    comparison = models.ForeignKey(Comparison, models.DO_NOTHING, related_name="labels")
    rater = models.ForeignKey(User, models.DO_NOTHING, related_name="labels")
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
        indexes = [models.Index(fields=["comparison", "id"]), models.Index(fields=["rater", "id"])]


class RaterText(models.Model):
    """Every text a person typed, apart from the label so that it can be erased."""

    label = models.ForeignKey(Label, models.DO_NOTHING, null=True, related_name="texts")
    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="texts")
    rater = models.ForeignKey(User, models.PROTECT, related_name="texts")
    part = models.CharField(max_length=60)
    text = models.TextField(blank=True)
    erased_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)


class Flag(models.Model):
    """Something wrong with a comparison, said by a rater. An unresolved one keeps the
    comparison out of default exports."""

    CODES: ClassVar = [
        ("unsafe", "Unsafe content"),
        ("broken", "Broken or garbled"),
        ("personal_data", "Personal data"),
        ("language", "Not my language"),
    ]
    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="flags")
    comparison = models.ForeignKey(Comparison, models.PROTECT, related_name="flags")
    rater = models.ForeignKey(User, models.PROTECT, related_name="+")
    code = models.CharField(max_length=20, choices=CODES)
    created_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["assignment", "code"], name="flag_once")]


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
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "sha256"], name="snapshot_once")
        ]

"""The domain of human judgement, as tables. Each is written only by the module named after it.

Ids in these tables never reach a rater: an Assignment has a random public id of its own.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from labeling import lifecycles
from labeling.parts_field import PartsField
from models_runtime.models import Checkpoint, Endpoint, Job, Project
from models_runtime.phrase_fields import SaidCharField, SaidTextField
from models_runtime.states import choices

TALK_WAITS = timedelta(hours=24)  # for a rater who left it open; then it is closed as abandoned


class User(AbstractUser):
    """Somebody or something that signs in or labels. Erasing empties this row and keeps it."""

    KINDS: ClassVar = [
        ("person", _("person")),
        ("program", _("program")),
        ("simulated", _("simulated rater")),
    ]
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=12, choices=KINDS, default="person")
    locale = models.CharField(max_length=12, blank=True)
    preferences = models.JSONField(default=dict)  # key map, theme, layout: allow-listed values
    erased_at = models.DateTimeField(null=True)


class Membership(models.Model):
    """One role of one user in one project."""

    ROLES: ClassVar = [("rater", _("rater")), ("lead", _("lead")), ("researcher", _("researcher"))]
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
    # Whether raters read who suggested the answer that they review: a name is no blind judgement.
    names_suggesters = models.BooleanField(default=False)
    # Care for raters, in force where there is a warning: what they may meet, whether they say yes
    # to it first, whether texts are veiled until asked for, and how many such cards a day (of all
    # campaigns with a warning) are the most; 0 sets no limit.
    content_warning = models.TextField(blank=True)
    needs_consent = models.BooleanField(default=False)
    veiled = models.BooleanField(default=False)
    daily_cards = models.PositiveSmallIntegerField(default=0)
    # What raters see of their own work: how long, and what it comes to at this rate (pay.py).
    PAID: ClassVar = [("label", _("for each answer")), ("hour", _("for each active hour"))]
    shows_time = models.BooleanField(default=False)
    pay_per = models.CharField(max_length=5, choices=PAID, blank=True)
    pay_amount = models.DecimalField(max_digits=10, decimal_places=4, default=0)
    pay_currency = models.CharField(max_length=3, blank=True)
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

    SPLITS: ClassVar = [("train", _("train")), ("heldout", _("held out"))]
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
    # The rater who wrote it took it back: it is asked no more, and stays where it was asked.
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prompt_set", "messages_sha256"], name="prompt_once")
        ]
        indexes = [
            models.Index(fields=["item"], name="prompt_item"),
            # How many of each category raters have written, which every card of theirs shows.
            models.Index(
                fields=["prompt_set", "category"],
                condition=models.Q(source="written", withdrawn_at=None),
                name="prompt_written",
            ),
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


def waits_until() -> datetime:
    """Until when a talk that is begun or gone on with now waits for its rater."""
    return timezone.now() + TALK_WAITS


class Conversation(models.Model):
    """A rater's talk with one or two models: a conversation, an arena or a red team's session.

    It keeps the question that it was begun under, and it is over when ``ended_at`` is set. Names
    are shown from ``revealed_at`` on, and what was said before that cannot be taken back.
    """

    LEAVE_REASONS: ClassVar = [
        ("cannot_judge", _("I cannot judge this")),
        ("language", _("Not my language")),
        ("broken", _("Something here is broken")),
        ("uncomfortable", _("I would rather not read this")),
    ]
    END_REASONS: ClassVar = [*LEAVE_REASONS, ("abandoned", _("Nobody came back to it"))]
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="conversations")
    rater = models.ForeignKey(User, models.PROTECT, related_name="conversations")
    question = models.ForeignKey(QuestionVersion, models.PROTECT, null=True, related_name="+")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    goal = models.CharField(max_length=500, blank=True)  # what a red team tries to bring about
    # Who answers, by the reply's position: [{"checkpoint": id} or {"endpoint": id}, ...].
    speakers = models.JSONField(default=list)
    # The reply that the next turn follows, once the pair before it is judged.
    continues = models.ForeignKey(Completion, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    deadline = models.DateTimeField(null=True)  # when a timed session takes no more turns
    finished_at = models.DateTimeField(null=True)  # no more turns: only the rating is left
    # Until when it waits for its rater, who renews this with all they do in it and by looking.
    held_until = models.DateTimeField(default=waits_until)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=20, choices=END_REASONS, blank=True)  # or none
    revealed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "rater"],
                condition=models.Q(ended_at=None),
                name="conversation_one_open",
            )
        ]
        indexes = [
            models.Index(
                fields=["held_until"],
                condition=models.Q(ended_at=None),
                name="conversation_held_until",
            )
        ]


class Turn(models.Model):
    """What a rater said in a conversation, once: the key makes a repeated request the same."""

    conversation = models.ForeignKey(Conversation, models.PROTECT, related_name="turns")
    number = models.PositiveSmallIntegerField()  # from 0
    idempotency_key = models.UUIDField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "number"], name="turn_once"),
            models.UniqueConstraint(
                fields=["conversation", "idempotency_key"], name="turn_key_once"
            ),
        ]


class Reply(models.Model):
    """A completion that somebody waits for. Who writes it holds ``token`` until
    ``leased_until``; whoever takes it over after that begins it anew."""

    turn = models.ForeignKey(Turn, models.PROTECT, related_name="replies")
    position = models.PositiveSmallIntegerField()  # canonical: of the model, never of the side
    completion = models.OneToOneField(Completion, models.PROTECT, related_name="reply")
    token = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    asked_at = models.DateTimeField(default=timezone.now)
    heard_at = models.DateTimeField(null=True)  # the newest piece of text
    settled_at = models.DateTimeField(null=True)  # done, or failed until it is asked for again

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["turn", "position"], name="reply_position_once")
        ]
        indexes = [
            models.Index(
                fields=["asked_at", "id"],
                condition=models.Q(settled_at=None),
                name="reply_waiting",
            )
        ]


class Comparison(models.Model):
    """One to nine completions of one prompt, put to raters together.

    slots_left + live leases + counted == overlap, always: each is moved by conditional updates.
    """

    TRANSITIONS = lifecycles.COMPARISON
    AUDIENCES: ClassVar = [("any", _("anyone")), ("person", _("people only"))]
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
    # The tagged batch that it was built of; its iteration's own has none.
    batch = models.ForeignKey(SamplingBatch, models.PROTECT, null=True, related_name="comparisons")
    # An answer that was imported to be reviewed (see suggested_answers), which is nobody's label;
    # the hash is that of the row it came in.
    suggestion = models.JSONField(null=True)
    suggestion_sha256 = models.CharField(max_length=64, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(
                fields=["campaign", "suggestion_sha256"],
                condition=models.Q(suggestion_sha256__isnull=False),
                name="comparison_suggested",
            ),
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
        ("cannot_judge", _("I cannot judge this")),
        ("language", _("Not my language")),
        ("broken", _("The card is broken")),
        ("uncomfortable", _("I would rather not read this")),
    ]
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # No indexes of their own: those below begin with the same columns.
    comparison = models.ForeignKey(
        Comparison, models.PROTECT, related_name="assignments", db_index=False
    )
    rater = models.ForeignKey(User, models.PROTECT, related_name="assignments", db_index=False)
    # The comparison's, here so that what a rater does next is found without a join.
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="+", db_index=False)
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
            models.Index(fields=["rater", "campaign", "state", "id"], name="assignment_in_hand"),
            models.Index(
                fields=["rater", "campaign", "submitted_at", "id"],
                condition=models.Q(submitted_at__isnull=False),
                name="assignment_recent",
            ),
            models.Index(
                fields=["leased_until"],
                condition=models.Q(state="leased"),
                name="assignment_leased_until",
            ),
            models.Index(fields=["rater", "leased_at"]),
        ]

    @cached_property
    def completions(self) -> dict[int, Completion]:
        """The completions that it shows, by id."""
        return Completion.objects.in_bulk(self.order)


class Seat(models.Model):
    """One rater at work in one campaign, with what is counted there and not counted again."""

    rater = models.ForeignKey(User, models.PROTECT, related_name="seats", db_index=False)
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="seats")
    answered = models.PositiveIntegerField(default=0)  # assignments in state submitted
    active_ms = models.PositiveBigIntegerField(default=0)  # of their labels in force

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rater", "campaign"], name="seat_once")]


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
        indexes = [models.Index(fields=["comparison", "id"]), models.Index(fields=["rater", "id"])]


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

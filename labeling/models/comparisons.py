"""What is put to raters, and who has it in hand."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from labeling import lifecycles
from labeling.models.campaigns import Campaign
from labeling.models.completions import Completion, SamplingBatch
from labeling.models.iterations import Iteration
from labeling.models.people import User
from labeling.models.prompts import ImportBatch, Prompt
from labeling.models.talks import Conversation
from models_runtime.states import choices


class Comparison(models.Model):
    """One to nine completions of one prompt, put to raters together.

    slots_left + live leases + counted == overlap, always: each is moved by conditional updates.
    """

    TRANSITIONS = lifecycles.COMPARISON
    AUDIENCES: ClassVar = [("any", _("anyone")), ("person", _("people only"))]
    # All but work have a known answer (checks.py), no slots, and count nowhere.
    PURPOSES: ClassVar = [
        ("work", _("work")),
        ("gold", _("gold")),
        ("training", _("training")),
        ("qualification", _("qualification")),
    ]
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="comparisons")
    iteration = models.ForeignKey(Iteration, models.PROTECT, null=True, related_name="comparisons")
    prompt = models.ForeignKey(Prompt, models.PROTECT, related_name="comparisons")
    conversation = models.ForeignKey(Conversation, models.PROTECT, null=True)
    turn = models.PositiveSmallIntegerField(default=0)
    purpose = models.CharField(max_length=14, choices=PURPOSES, default="work")
    completions = models.ManyToManyField(Completion, through="ComparisonCompletion")
    state = models.CharField(max_length=10, choices=choices(TRANSITIONS), default="open")
    audience = models.CharField(max_length=8, choices=AUDIENCES, default="any")
    overlap = models.PositiveSmallIntegerField(default=1)
    slots_left = models.SmallIntegerField(default=1)
    counted = models.PositiveSmallIntegerField(default=0)
    # The overlap of one that nobody has had yet and that is kept back for now, by a pilot or a
    # quota that is filled: it has no slots meanwhile (withheld.py).
    withheld = models.PositiveSmallIntegerField(default=0)
    # How many labels fewer than the campaign's most were enough; of a complete one (adaptive.py).
    spared = models.PositiveSmallIntegerField(default=0)
    # Its place in the queue (order.py): higher priorities first, within one by ``shuffle``.
    priority = models.SmallIntegerField(default=0)
    shuffle = models.IntegerField(default=0)
    # Whether chance alone chose it, for evaluation: drawn with it and never changed (order.py).
    reserved = models.BooleanField(default=False, db_default=False)
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
                fields=["campaign", "spared"],
                condition=models.Q(state="complete", spared__gt=0),
                name="comparison_spared",
            ),
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
            models.Index(
                fields=["campaign", "shuffle", "id"],
                condition=models.Q(withheld__gt=0),
                name="comparison_withheld",
            ),
            models.Index(fields=["iteration", "state"]),
            models.Index(
                fields=["campaign", "counted"],
                condition=models.Q(reserved=True),
                name="comparison_reserved",
            ),
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
            # Few are: a card's hidden repeats.
            models.Index(
                fields=["campaign"],
                condition=models.Q(occasion__gt=0),
                name="assignment_again",
            ),
        ]

    @property
    def is_aside(self) -> bool:
        """Whether it is no work on the campaign's labels but a check of its rater: it holds no
        slot and counts nowhere."""
        return self.occasion > 0 or self.comparison.purpose != "work"

    @cached_property
    def completions(self) -> dict[int, Completion]:
        """The completions that it shows, by id."""
        return Completion.objects.in_bulk(self.order)


class Seat(models.Model):
    """One rater at work in one campaign, with what is counted there and not counted again."""

    rater = models.ForeignKey(User, models.PROTECT, related_name="seats", db_index=False)
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="seats")
    answered = models.PositiveIntegerField(default=0)  # assignments in state submitted
    # How often they are right, as the newest count of the labels has it (quality_job.py).
    accuracy = models.FloatField(null=True)
    active_ms = models.PositiveBigIntegerField(default=0)  # of their labels in force
    # What the newest rate of pay does not pay: what was earned at those before it, in millionths
    # of the currency's unit, for so many answers and so long (rates.py).
    answered_before = models.PositiveIntegerField(default=0, db_default=0)
    active_ms_before = models.PositiveBigIntegerField(default=0, db_default=0)
    micros_before = models.BigIntegerField(default=0, db_default=0)
    # The wall clock in Unix milliseconds up to which active time was granted, and how much of it
    # the last answer was: nobody works for longer than time passes (seats.py).
    clock_ms = models.PositiveBigIntegerField(default=0, db_default=0)
    granted_ms = models.PositiveBigIntegerField(default=0, db_default=0)
    # Answers to questions about cards that the rater has not seen yet.
    answers_unread = models.PositiveIntegerField(default=0, db_default=0)
    # How far they are in the campaign's training and test, where it has any (see asides), and
    # which try of the test they are at.
    STAGES: ClassVar = [
        ("", _("in training")),
        ("qualification", _("in the test")),
        ("work", _("at work")),
        ("failed", _("not passed")),
    ]
    stage = models.CharField(max_length=14, choices=STAGES, blank=True, db_default="")
    attempt = models.PositiveSmallIntegerField(default=0, db_default=0)
    # The number of the newest guidelines that they confirmed (confirmations.py).
    confirmed = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rater", "campaign"], name="seat_once")]

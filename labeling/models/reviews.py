"""What leads decide about labels: adjudicated, sent back, set aside, redacted. Labels themselves
never change; a row here says that one does not count, or that another is the answer."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling import lifecycles
from labeling.models.campaigns import Campaign
from labeling.models.comparisons import Assignment, Comparison
from labeling.models.completions import Completion
from labeling.models.labels import Label
from labeling.models.people import User
from labeling.models.prompts import Prompt
from models_runtime.states import choices


class Exclusion(models.Model):
    """A rater's labels of a campaign, given from one moment to another, that are not accepted.

    Applied and lifted by a tick, ``cursor`` being the label that it came to; ``labels`` are set
    aside by it now, ``uncounted`` of them held a place in their comparison's count.
    """

    TRANSITIONS = lifecycles.EXCLUSION
    REASONS: ClassVar = [
        ("quality", _("answers of poor quality")),
        ("speed", _("too fast to have read")),
        ("guidelines", _("the guidelines were misunderstood")),
        ("dishonest", _("not the rater's own work")),
        ("other", _("another reason")),
    ]
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="exclusions")
    rater = models.ForeignKey(User, models.PROTECT, related_name="exclusions")
    from_at = models.DateTimeField()
    until = models.DateTimeField()
    reason = models.CharField(max_length=12, choices=REASONS)
    text = models.TextField(blank=True)  # what the lead typed, which can be erased
    by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=choices(TRANSITIONS), default="applying")
    cursor = models.BigIntegerField(default=0)
    labels = models.PositiveIntegerField(default=0)
    uncounted = models.PositiveIntegerField(default=0)
    # Of a lifted one: labels that are back and not counted, since others took their places.
    unplaced = models.PositiveIntegerField(default=0)
    lifted_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(state__in=("applying", "lifting")),
                name="exclusion_under_way",
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "rater"],
                condition=models.Q(state__in=("applying", "lifting")),
                name="exclusion_one_at_a_time",
            )
        ]


class SetAside(models.Model):
    """A label that does not count although it was counted once. With an exclusion it is not
    accepted at all; without one it is accepted and has no place in its comparison's count."""

    label = models.OneToOneField(
        Label, models.DO_NOTHING, primary_key=True, related_name="set_aside"
    )
    exclusion = models.ForeignKey(
        Exclusion, models.PROTECT, null=True, related_name="set_aside", db_index=False
    )

    class Meta:
        indexes = [models.Index(fields=["exclusion", "label"], name="set_aside_by")]


class SendBack(models.Model):
    """A lead asks a rater to answer again; ``label`` is the answer that was sent back."""

    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="sent_back")
    label = models.OneToOneField(Label, models.DO_NOTHING, related_name="sent_back")
    # Here so that a rater's open ones are found without a join.
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="+", db_index=False)
    rater = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    text = models.TextField(blank=True)
    by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    taken_back_at = models.DateTimeField(null=True)  # the lead thought better of it

    class Meta:
        indexes = [models.Index(fields=["rater", "campaign", "-id"], name="sent_back_to")]


class Dispute(models.Model):
    """A comparison that a lead should look at, kept by disputes.py: the heaviest first."""

    comparison = models.OneToOneField(Comparison, models.CASCADE, related_name="dispute")
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="+", db_index=False)
    weight = models.FloatField(default=0)
    disagree = models.BooleanField(default=False)
    ranking = models.BooleanField(default=False)
    gold = models.BooleanField(default=False)  # a known answer that raters miss
    flagged = models.BooleanField(default=False)
    personal = models.BooleanField(default=False)
    is_open = models.BooleanField(default=True)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(
                fields=["campaign", "-weight", "id"],
                condition=models.Q(is_open=True),
                name="dispute_queue",
            ),
            *(
                models.Index(
                    fields=["campaign", "-weight", "id"],
                    condition=models.Q(is_open=True, **{reason: True}),
                    name=f"dispute_{reason}",
                )
                for reason in ("disagree", "ranking", "gold", "flagged", "personal")
            ),
        ]


class DisputeCursor(models.Model):
    """How far disputes.py has read the labels: one row."""

    label = models.BigIntegerField(default=0)


class Adjudication(models.Model):
    """What a lead decided about a comparison. Append-only: taking one back is another row."""

    KINDS: ClassVar = [
        ("answer", _("decided by the lead's own answer")),
        ("accept", _("accepted as it is")),
        ("discard", _("discarded")),
        ("more", _("more labels wanted")),
        ("undone", _("decision taken back")),
    ]
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="+", db_index=False)
    comparison = models.ForeignKey(Comparison, models.PROTECT, related_name="adjudications")
    kind = models.CharField(max_length=10, choices=KINDS)
    label = models.OneToOneField(Label, models.DO_NOTHING, null=True, related_name="adjudication")
    more = models.PositiveSmallIntegerField(default=0)
    flags = models.JSONField(default=list)  # ids of the flags that it settled
    undoes = models.OneToOneField("self", models.PROTECT, null=True, related_name="undone_by")
    text = models.TextField(blank=True)
    by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["campaign", "-id"], name="adjudication_newest")]


class Redaction(models.Model):
    """A text of a comparison that was replaced by one without personal data. What was there is
    kept nowhere; ``sha256_before`` tells which text it was."""

    comparison = models.ForeignKey(Comparison, models.PROTECT, related_name="redactions")
    completion = models.ForeignKey(Completion, models.PROTECT, null=True, related_name="+")
    prompt = models.ForeignKey(Prompt, models.PROTECT, null=True, related_name="+")
    sha256_before = models.CharField(max_length=64)
    # Answers of raters to the same prompt that hold what was taken out: for a lead to look at.
    quoted = models.JSONField(default=list)
    by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    searched_at = models.DateTimeField(null=True)  # when snapshots were looked through for it

    class Meta:
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(searched_at__isnull=True),
                name="redaction_to_search",
            )
        ]

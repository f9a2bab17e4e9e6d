"""What raters ask about their cards, and what everybody is told of it."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from labeling.models.campaigns import Campaign, GuidelineVersion
from labeling.models.comparisons import Assignment
from labeling.models.people import User


class CardQuestion(models.Model):
    """A rater's question about a card in hand. ``text`` is the rater's and erasable; ``told`` is
    the lead's own wording of it, for everybody."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="card_questions")
    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="card_questions")
    rater = models.ForeignKey(User, models.PROTECT, related_name="card_questions")
    text = models.TextField(blank=True)
    answer = models.TextField(blank=True)  # Markdown
    told = models.TextField(blank=True)
    # The guidelines that it entered.
    guideline = models.ForeignKey(GuidelineVersion, models.PROTECT, null=True, related_name="+")
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True)
    shared_at = models.DateTimeField(null=True)  # when all raters of the campaign were told
    erased_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["campaign", "id"],
                condition=models.Q(answered_at__isnull=True),
                name="card_question_open",
            ),
            models.Index(
                fields=["campaign", "-shared_at"],
                condition=models.Q(shared_at__isnull=False),
                name="card_question_shared",
            ),
            models.Index(fields=["rater", "campaign"]),
        ]

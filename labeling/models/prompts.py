"""What models are asked, and the rows that arrived together."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling import lifecycles
from labeling.models.campaigns import Campaign
from labeling.models.people import User
from models_runtime.models import Project
from models_runtime.states import choices


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
    # What its file said: higher ones are asked about first, where the campaign's order heeds it.
    priority = models.SmallIntegerField(default=0)
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

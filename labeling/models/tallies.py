"""Sums over labels in force, kept so that no page counts a million of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from django.db import models

from labeling.models.campaigns import Campaign

NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # of a tally that is of no time


class TallyCursor(models.Model):
    """Up to which label the tallies are: one row, held by whoever changes one."""

    label = models.BigIntegerField(default=0)
    zone = models.CharField(max_length=50)  # whose midnights part the days of what is paid


class Tally(models.Model):
    """How many labels in force up to the cursor are alike, and their active time.

    Columns that a kind does not tell apart hold nothing: 0, "" or NEVER, since a null would not
    be unique.
    """

    KINDS: ClassVar = [
        ("said", "what was said: by iteration, rater, source, strength and side"),
        ("hour", "when: by iteration, source and hour"),
        ("paid", "what is paid: by rater, rate and day"),
        ("asked", "answers by version of the question, those taken back included"),
        ("told", "the same by version of the guidelines"),
    ]
    kind = models.CharField(max_length=5, choices=KINDS)
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="+", db_index=False)
    iteration = models.BigIntegerField(default=0)
    rater = models.BigIntegerField(default=0)
    source = models.CharField(max_length=12, default="")
    about = models.BigIntegerField(default=0)  # the rate of pay, or the version
    at = models.DateTimeField(default=NEVER)  # when the hour or the day began
    strength = models.CharField(max_length=30, default="")
    left = models.SmallIntegerField(default=-1)  # the left side was chosen: 0, 1; -1 for a tie
    excluded = models.BooleanField(default=False)
    n = models.IntegerField(default=0)
    active_ms = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "campaign",
                    "kind",
                    "iteration",
                    "rater",
                    "at",
                    "source",
                    "about",
                    "strength",
                    "left",
                    "excluded",
                ],
                name="tally_once",
            )
        ]

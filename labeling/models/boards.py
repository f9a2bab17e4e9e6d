"""How a rater stands on a campaign's board, where there is one."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from labeling.models.campaigns import Campaign
from labeling.models.people import User


class BoardPlace(models.Model):
    """What a rater chose; who chose nothing stands there under a pseudonym."""

    NAMES: ClassVar = [
        ("pseudonym", _("under a pseudonym")),
        ("name", _("under my name")),
        ("hidden", _("not at all")),
    ]
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="board_places")
    rater = models.ForeignKey(User, models.CASCADE, related_name="board_places")
    shown = models.CharField(max_length=10, choices=NAMES, default="pseudonym")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "rater"], name="board_place_once")
        ]

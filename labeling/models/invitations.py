"""Ways into a project, and into an account whose password is lost."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from labeling.models.campaigns import Campaign
from labeling.models.groups import RaterGroup
from labeling.models.people import Membership, User
from models_runtime.models import Project


class Invitation(models.Model):
    """A link that lets somebody into a project. Of its secret only the hash is stored."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="invitations")
    name = models.CharField(max_length=100)  # what its lead calls it
    role = models.CharField(max_length=12, choices=Membership.ROLES, default="rater")
    groups = models.ManyToManyField(RaterGroup, related_name="+")
    campaign = models.ForeignKey(Campaign, models.PROTECT, null=True, related_name="+")
    token_sha256 = models.CharField(max_length=64, unique=True)
    places = models.PositiveIntegerField(default=1)
    places_left = models.PositiveIntegerField(default=1)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    # A crowd platform's: the parameter of the address that names the participant, and what they
    # are shown once they have given so many answers in the campaign.
    participant_parameter = models.CharField(max_length=40, blank=True)
    completion_answers = models.PositiveIntegerField(default=0)
    completion_code = models.CharField(max_length=100, blank=True)
    completion_url = models.URLField(max_length=500, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(places_left__lte=models.F("places")),
                name="invitation_places_left",
            )
        ]


class Acceptance(models.Model):
    """Who came by which invitation, and what a crowd platform calls them."""

    invitation = models.ForeignKey(
        Invitation, models.PROTECT, related_name="acceptances", db_index=False
    )
    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="acceptances")
    participant = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invitation", "user"], name="acceptance_once"),
            models.UniqueConstraint(
                fields=["project", "participant"],
                condition=~models.Q(participant=""),
                name="participant_once",
            ),
        ]


class PasswordRequest(models.Model):
    """That somebody asked for a mail to set a new password; a task sends it. The row of an
    address that nobody has is the same but for its user."""

    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now, null=True)  # null: nothing more to do

    class Meta:
        indexes = [
            models.Index(
                fields=["next_at"],
                condition=models.Q(next_at__isnull=False),
                name="password_request_due",
            )
        ]


class Knock(models.Model):
    """A try at a door that anybody can try: counted by address for an hour, then forgotten. The
    address is kept as a keyed hash."""

    DOORS: ClassVar = [("invitation", "invitation"), ("password", "password")]
    door = models.CharField(max_length=12, choices=DOORS)
    address_hmac = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["door", "address_hmac", "at"], name="knock_counted")]

"""Invitations: links that let people into a project, with a role, groups and skills.

A link's secret is returned once and stored as a hash; whoever holds it takes a place while there
is one. A crowd platform's link names the participant: one participant is one person in a project.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from labeling import groups, people
from labeling.models import Acceptance, Assignment, Campaign, Invitation, RaterGroup, User
from labeling.people import NotPossible
from models_runtime import audit
from models_runtime.models import Project
from models_runtime.phrases import phrase

MOST_PLACES = 100_000
MOST_DAYS = 365


@dataclass(frozen=True)
class Crowd:
    """What a crowd platform needs. ``parameter`` of the link's address names the participant;
    after ``answers`` in the campaign a rater is shown the ``code``, or the address to go back
    to."""

    parameter: str = ""
    answers: int = 0
    code: str = ""
    url: str = ""


@dataclass(frozen=True)
class Terms:
    """What an invitation gives, to how many, and how long."""

    name: str
    role: str = "rater"
    groups: Collection[RaterGroup] = ()
    campaign: Campaign | None = None
    places: int = 1
    days: int = 14
    crowd: Crowd = Crowd()


@dataclass(frozen=True)
class Completed:
    """What a rater who came from a crowd platform is shown: how many answers are ``missing``,
    and once none is, what to go back with."""

    missing: int
    code: str
    url: str


def make(*, project: Project, terms: Terms, actor: User) -> tuple[Invitation, str]:
    """The invitation and its secret, which is stored nowhere. Raises NotPossible."""
    _check(project, terms)
    token = secrets.token_urlsafe(32)  # 256 bits
    now = timezone.now()
    with transaction.atomic():
        row = Invitation.objects.create(
            project=project,
            name=terms.name,
            role=terms.role,
            campaign=terms.campaign,
            token_sha256=_hashed(token),
            places=terms.places,
            places_left=terms.places,
            expires_at=now + timedelta(days=terms.days),
            participant_parameter=terms.crowd.parameter,
            completion_answers=terms.crowd.answers,
            completion_code=terms.crowd.code,
            completion_url=terms.crowd.url,
            created_by=actor,
            created_at=now,
        )
        row.groups.set(terms.groups)
        data = {"role": terms.role, "places": terms.places, "days": terms.days}
        audit.record(verb="invitation made", obj=row, actor=actor, data=data)
    return row, token


def revoke(*, invitation: Invitation, actor: User) -> None:
    """Nobody comes by it any more; who came stays. Repeating it changes nothing."""
    with transaction.atomic():
        rows = Invitation.objects.filter(pk=invitation.pk, revoked_at=None)
        if rows.update(revoked_at=timezone.now()):
            audit.record(verb="invitation revoked", obj=invitation, actor=actor)


def of(project: Project) -> QuerySet[Invitation]:
    """The newest first, with what a list shows."""
    rows = Invitation.objects.filter(project=project).select_related("campaign")
    return rows.prefetch_related("groups").order_by("-pk")


def find(token: str) -> Invitation | None:
    """Whatever state it is in; None for a secret that none has."""
    rows = Invitation.objects.select_related("project", "campaign")
    return rows.filter(token_sha256=_hashed(token)).first()


def refusal(invitation: Invitation, now: datetime | None = None) -> str:
    """Why nobody can come by it now, as a sentence; "" where somebody can."""
    now = now or timezone.now()
    if invitation.revoked_at is not None:
        return phrase("This invitation was withdrawn. Ask whoever sent it to you for another.")
    if invitation.expires_at <= now:
        return phrase("This invitation has expired. Ask whoever sent it to you for another.")
    if invitation.places_left < 1:
        return phrase("All places of this invitation are taken. Ask whoever sent it to you.")
    return ""


def sign_up(
    *, invitation: Invitation, newcomer: User, password: str, participant: str = ""
) -> User:
    """A new person who takes a place. ``newcomer`` is not stored: name, mail and languages.

    Raises NotPossible for a place that is gone, a name that is taken, a participant who is here
    already; then nothing was made.
    """
    newcomer.set_password(password)  # takes long: before anything is locked
    try:
        with transaction.atomic():
            _take_place(invitation)
            if User.objects.filter(username__iexact=newcomer.username).exists():
                raise NotPossible(_taken(newcomer.username))
            newcomer.save()
            audit.record(verb="person signed up", obj=newcomer, project=invitation.project)
            _admit(invitation, newcomer, participant)
    except IntegrityError:
        raise NotPossible(_taken(newcomer.username)) from None
    return newcomer


def accept(*, invitation: Invitation, user: User, participant: str = "") -> None:
    """Somebody with an account takes a place; who came by this link already takes no second.
    Raises NotPossible, as sign_up does."""
    if user.kind != "person":
        raise NotPossible(phrase("Only people accept invitations."))
    with transaction.atomic():
        # One at a time: two presses take one place.
        User.objects.select_for_update(no_key=True).only("pk").get(pk=user.pk)
        if Acceptance.objects.filter(invitation=invitation, user=user).exists():
            return
        _take_place(invitation)
        _admit(invitation, user, participant)


def of_participant(project: Project, participant: str) -> User | None:
    """Who came into the project under a crowd platform's id."""
    if not participant:
        return None
    row = Acceptance.objects.filter(project=project, participant=participant)
    found = row.select_related("user").first()
    return found.user if found else None


def promised(rater: User) -> set[int]:
    """The campaigns whose answers earn this rater a code, by id: for nearly all raters none."""
    rows = Acceptance.objects.filter(user=rater, invitation__campaign__isnull=False)
    return set(rows.values_list("invitation__campaign", flat=True))


def completed(rater: User, campaign: Campaign) -> Completed | None:
    """What a rater takes back to the platform they came from; None for everybody else."""
    rows = Acceptance.objects.filter(user=rater, invitation__campaign=campaign).exclude(
        invitation__completion_code="", invitation__completion_url=""
    )
    found = rows.select_related("invitation").order_by("-pk").first()
    if found is None:
        return None
    terms = found.invitation
    missing = max(0, terms.completion_answers - _given(rater, campaign))
    if missing:
        return Completed(missing, "", "")
    return Completed(0, terms.completion_code, terms.completion_url)


def _given(rater: User, campaign: Campaign) -> int:
    """Answers at work. Gold and repeats are among them: a count that stood still after one would
    tell the rater which it was, and whoever agreed to so many answers gave so many."""
    rows = Assignment.objects.filter(rater=rater, campaign=campaign, state="submitted")
    return rows.filter(comparison__purpose__in=("work", "gold")).count()


def _take_place(invitation: Invitation) -> None:
    """One of the places, by one conditional update: of two who want the last, one gets it."""
    now = timezone.now()
    rows = Invitation.objects.filter(
        pk=invitation.pk, revoked_at=None, expires_at__gt=now, places_left__gt=0
    )
    if not rows.update(places_left=F("places_left") - 1):
        invitation.refresh_from_db(fields=["revoked_at", "expires_at", "places_left"])
        raise NotPossible(refusal(invitation, now))


def _admit(invitation: Invitation, user: User, participant: str) -> None:
    project = invitation.project
    if participant and of_participant(project, participant) not in (None, user):
        raise NotPossible(_known(participant))
    known = Acceptance.objects.filter(project=project, participant=participant, user=user)
    name = "" if participant and known.exists() else participant
    try:
        with transaction.atomic():
            row = Acceptance.objects.create(
                invitation=invitation, project=project, user=user, participant=name
            )
    except IntegrityError:
        raise NotPossible(_known(participant)) from None
    people.give(project=project, user=user, roles=[invitation.role], actor=invitation.created_by)
    for group in invitation.groups.all():
        groups.put_in(group=group, users=[user], actor=invitation.created_by)
    data = {"invitation": row.invitation_id}
    audit.record(verb="invitation accepted", obj=user, project=project, actor=user, data=data)


def _check(project: Project, terms: Terms) -> None:
    if terms.role not in people.ROLES:
        raise NotPossible(phrase("Choose at least one role."))
    if not 1 <= terms.places <= MOST_PLACES or not 1 <= terms.days <= MOST_DAYS:
        raise NotPossible(phrase("An invitation has at least one place and one day."))
    if any(group.project_id != project.pk for group in terms.groups):
        raise NotPossible(phrase("That group is another project's."))
    if terms.campaign is not None and terms.campaign.project_id != project.pk:
        raise NotPossible(phrase("That campaign is another project's."))
    crowd = terms.crowd
    if (crowd.code or crowd.url or crowd.answers) and terms.campaign is None:
        raise NotPossible(phrase("Choose the campaign whose answers earn the completion code."))
    if crowd.answers and not (crowd.code or crowd.url):
        raise NotPossible(phrase("Write the completion code, or the address to go back to."))
    if crowd.url and urlsplit(crowd.url).scheme != "https":
        raise NotPossible(phrase("The address to go back to begins with https://."))


def _known(participant: str) -> str:
    return phrase("The participant %(name)s is here already: sign in instead.", name=participant)


def _taken(name: str) -> str:
    return phrase("Somebody is named %(name)s already: choose another name.", name=name)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

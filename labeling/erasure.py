"""Erasing a rater: what they typed and who they were is emptied, for good. What they judged stays,
by ids and under a pseudonym that leads to nobody any more."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from labeling import (
    adjudications,
    card_questions,
    contests,
    conversations,
    exclusions,
    leases,
    notices,
    pay_disputes,
    send_backs,
    written,
)
from labeling.models import (
    Acceptance,
    Boundary,
    Conversation,
    GroupMember,
    Invitation,
    Membership,
    PasswordRequest,
    Token,
    User,
)
from labeling.people import NotPossible
from models_runtime import audit
from models_runtime.models import Project
from models_runtime.phrases import phrase


def erase(*, rater: User, actor: User | None = None) -> int:
    """Empty the rater's texts and their account; how many texts. Nobody signs in as them again,
    a talk of theirs that is open ends, and their roles and what they chose not to see are gone.
    Labels stay, and so do the files of earlier snapshots and exports. Repeating it empties only
    what is new. Raises NotPossible for somebody who is more than a rater."""
    with transaction.atomic():
        leases.one_at_a_time(rater)  # no talk begins
        refuse_staff(User.objects.get(pk=rater.pk))
        now = timezone.now()
        _end_talks(rater, now)
        held = User.objects.select_for_update().get(pk=rater.pk)
        texts = written.erase(held) + _erase_from_reviews(held) + contests.erase(held)
        texts += card_questions.erase(held) + pay_disputes.erase(held)
        places = audit.forget_places_of(held) + notices.erase(held)
        if held.erased_at is None:
            _forget(held, now)
        elif not texts and not places:
            return 0
        audit.record(verb="rater erased", obj=held, actor=actor, data={"texts": texts})
    return texts


def anonymise(*, rater: User, actor: User | None = None) -> None:
    """Who they were is emptied and what they typed stays: name, mail and a platform's id are gone,
    nobody signs in as them, and their roles and groups are. Repeating it changes nothing. Raises
    NotPossible for somebody who is more than a rater."""
    with transaction.atomic():
        leases.one_at_a_time(rater)
        refuse_staff(User.objects.get(pk=rater.pk))
        _end_talks(rater, timezone.now())
        held = User.objects.select_for_update().get(pk=rater.pk)
        name = f"anonymous-{held.public_id.hex[:12]}"
        if held.erased_at is not None or held.username == name:
            return
        project = Project.objects.filter(memberships__user=held).order_by("pk").first()
        _empty_account(held, name)
        audit.forget_places_of(held)
        audit.record(verb="rater anonymised", obj=held, actor=actor, project=project)


def _end_talks(rater: User, now: datetime) -> None:
    """Before the rater's row is held against all that refers to it: whoever answers in a talk
    holds the talk first, and then refers to its rater."""
    for talk in Conversation.objects.filter(rater=rater, ended_at=None).order_by("pk"):
        held = conversations.held_for_change(talk)
        if held.ended_at is None:
            conversations.end(held, now)


def _erase_from_reviews(rater: User) -> int:
    """What leads wrote about them or to them, and what they wrote when they were a lead."""
    kept = (adjudications, exclusions, send_backs)
    return sum(module.erase_texts(rater) for module in kept)


def refuse_staff(user: User) -> None:
    """Others depend on a lead or a researcher: their roles are handed over first."""
    if user.is_superuser or user.memberships.exclude(role="rater").exists():
        raise NotPossible(
            phrase(
                "%(name)s is more than a rater: let somebody else take their other roles first.",
                name=user.username,
            )
        )


def _forget(user: User, now: datetime) -> None:
    """Who they were: the row stays, for what refers to it."""
    _empty_account(user, f"erased-{user.public_id.hex[:12]}")
    Boundary.objects.filter(rater=user).update(left=[], opted_in=[])
    User.objects.filter(pk=user.pk).update(erased_at=now)


def _empty_account(user: User, name: str) -> None:
    Membership.objects.filter(user=user).delete()
    GroupMember.objects.filter(user=user).delete()
    PasswordRequest.objects.filter(user=user).delete()
    Token.objects.filter(user=user).delete()
    Acceptance.objects.filter(user=user).update(participant="")
    # What a link for them alone is called may be their name; another's is the project's wording.
    came = Acceptance.objects.filter(user=user).values("invitation")
    Invitation.objects.filter(pk__in=came, places=1).update(name="")
    User.objects.filter(pk=user.pk).update(
        username=name,
        first_name="",
        last_name="",
        email="",
        password=make_password(None),  # no password fits; sessions under the old one end
        is_active=False,
        last_login=None,
        locale="",
        languages=[],
        preferences={},
    )

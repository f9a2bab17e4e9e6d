"""Erasing a rater: what they typed and who they were is emptied, for good. What they judged stays,
by ids and under a pseudonym that leads to nobody any more."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from labeling import conversations, leases, written
from labeling.models import Boundary, Conversation, Membership, User
from labeling.people import NotPossible
from models_runtime import audit
from models_runtime.phrases import phrase


def erase(*, rater: User, actor: User | None = None) -> int:
    """Empty the rater's texts and their account; how many texts. Nobody signs in as them again,
    a talk of theirs that is open ends, and their roles and what they chose not to see are gone.
    Labels stay, and so do the files of earlier snapshots and exports. Repeating it empties only
    what is new. Raises NotPossible for somebody who is more than a rater."""
    with transaction.atomic():
        leases.one_at_a_time(rater)  # no talk begins
        _refuse_staff(User.objects.get(pk=rater.pk))
        now = timezone.now()
        _end_talks(rater, now)
        held = User.objects.select_for_update().get(pk=rater.pk)
        texts = written.erase(held)
        if held.erased_at is None:
            _forget(held, now)
        elif not texts:
            return 0
        audit.record(verb="rater erased", obj=held, actor=actor, data={"texts": texts})
    return texts


def _end_talks(rater: User, now: datetime) -> None:
    """Before the rater's row is held against all that refers to it: whoever answers in a talk
    holds the talk first, and then refers to its rater."""
    for talk in Conversation.objects.filter(rater=rater, ended_at=None).order_by("pk"):
        held = conversations.held_for_change(talk)
        if held.ended_at is None:
            conversations.end(held, now)


def _refuse_staff(user: User) -> None:
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
    Membership.objects.filter(user=user).delete()
    Boundary.objects.filter(rater=user).update(left=[])
    User.objects.filter(pk=user.pk).update(
        username=f"erased-{user.public_id.hex[:12]}",
        first_name="",
        last_name="",
        email="",
        password=make_password(None),  # no password fits; sessions under the old one end
        is_active=False,
        last_login=None,
        locale="",
        preferences={},
        erased_at=now,
    )

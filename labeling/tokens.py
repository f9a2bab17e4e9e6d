"""Tokens: what lets a program act for a person in one project, how often, and for how long.

A secret is returned once and stored as a hash. A token gives nothing by itself: each call asks
again what its person may do.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from labeling.models import Membership, Token, TokenAnswer, TokenUse, User
from models_runtime import audit
from models_runtime.models import Project
from models_runtime.phrases import phrase

PREFIX = "ccd_"  # so that a scanner of leaked secrets knows one
MOST_DAYS = 365
MOST_LIVING = 50  # of one person
REMEMBERED = timedelta(days=1)  # an answer under an idempotency key
# Scope -> what a program may do with it.
SCOPES = {
    "campaigns:read": phrase("read campaigns, their progress and their agreement"),
    "snapshots:read": phrase("read and download snapshots"),
    "snapshots:write": phrase("freeze labels, which starts training"),
    "runs:read": phrase("read methods, runs, metrics, evaluations and jobs"),
    "runs:write": phrase("start, stop and continue runs"),
    "checkpoints:read": phrase("read checkpoints and model cards"),
}


# What a program does that rates under its own name (labeling.programs); nobody else may.
OF_PROGRAMS = {"labels:write": phrase("take cards and answer them")}


class NotPossible(ValueError):
    """Nothing was changed; says why in one sentence."""


def make(
    *, user: User, project: Project, name: str, scopes: Collection[str], days: int
) -> tuple[Token, str]:
    """The token and its secret, which is stored nowhere. Raises NotPossible."""
    _check(user, project, scopes, days)
    secret = PREFIX + secrets.token_urlsafe(32)  # 256 bits: a plain hash of it is enough
    now = timezone.now()
    with transaction.atomic():
        row = Token.objects.create(
            user=user,
            project=project,
            name=name,
            scopes=sorted(set(scopes)),
            secret_sha256=_hashed(secret),
            hint=secret[-4:],
            expires_at=now + timedelta(days=days),
            created_at=now,
        )
        TokenUse.objects.create(token=row)
        data = {"scopes": row.scopes, "days": days}
        audit.record(verb="token made", obj=row, actor=user, data=data)
    return row, secret


def revoke(*, token: Token, actor: User | None) -> None:
    """No call is answered under it any more. Repeating it changes nothing."""
    with transaction.atomic():
        if Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            audit.record(verb="token revoked", obj=token, actor=actor)


def of(user: User) -> QuerySet[Token]:
    """The newest first, with their use."""
    return Token.objects.filter(user=user).select_related("project", "use").order_by("-pk")


def find(secret: str) -> Token | None:
    """Whatever state it is in; None for a secret that none has."""
    rows = Token.objects.select_related("user", "project")
    return rows.filter(secret_sha256=_hashed(secret)).first()


def refusal(token: Token, now: datetime | None = None) -> str:
    """Why no call is answered under it now, as a sentence; "" where one is."""
    if token.revoked_at is not None:
        return phrase("The token was revoked.")
    if token.expires_at <= (now or timezone.now()):
        return phrase("The token has expired.")
    if not token.user.is_active:
        return phrase("The token's person is deactivated.")
    return ""


def count_call(token: Token, now: datetime | None = None) -> int:
    """Counts a call and returns 0, or the seconds to wait where this minute's calls are used up
    (API_CALLS_PER_MINUTE). One conditional update: of two that want the last, one gets it."""
    now = now or timezone.now()
    minute, into = divmod(int(now.timestamp()), 60)
    rows = TokenUse.objects.filter(token=token)
    if rows.exclude(minute=minute).update(minute=minute, calls=1, last_at=now):
        return 0
    left = rows.filter(minute=minute, calls__lt=settings.API_CALLS_PER_MINUTE)
    return 0 if left.update(calls=F("calls") + 1, last_at=now) else 60 - into


def forget_answers(now: datetime | None = None) -> None:
    """What was answered longer ago than a key is remembered."""
    TokenAnswer.objects.filter(created_at__lt=(now or timezone.now()) - REMEMBERED).delete()


def _check(user: User, project: Project, scopes: Collection[str], days: int) -> None:
    known = OF_PROGRAMS if user.kind == "program" else SCOPES
    if not scopes or set(scopes) - known.keys():
        raise NotPossible(phrase("Choose at least one thing that the token may do."))
    if not 1 <= days <= MOST_DAYS:
        raise NotPossible(phrase("A token holds for at least one day, and for a year at most."))
    if not Membership.objects.filter(user=user, project=project).exists():
        raise NotPossible(phrase("You have no role in that project."))
    living = Token.objects.filter(user=user, revoked_at=None, expires_at__gt=timezone.now())
    if living.count() >= MOST_LIVING:
        raise NotPossible(phrase("You have %(n)s tokens: revoke one first.", n=MOST_LIVING))


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

"""Signing in and out as the audit log tells it: by account, and never with a name that was typed.

An event belongs to a project, so there is one in each of the account's. What was tried on a name
that nobody has belongs to none, and is for `manage.py audit` alone.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from labeling.models import User
from models_runtime import audit
from models_runtime.models import Project


def tell(verb: str, user: User, *, actor: User | None, data: dict[str, Any] | None = None) -> None:
    """One event in each project of theirs; one without a project for whoever has none."""
    theirs = Project.objects.filter(memberships__user=user).distinct().order_by("pk")
    everywhere: list[Project | None] = [*theirs]
    for project in everywhere or [None]:
        audit.record(verb=verb, obj=user, actor=actor, project=project, data=data)


def failed(request: HttpRequest, username: str) -> None:
    """A wrong password, or a name that is nobody's. While the door is locked nothing is written:
    a flood of tries would make the log longer without end."""
    tries = getattr(request, "axes_failures_since_start", None)
    if tries is None:
        return
    locked = bool(getattr(request, "axes_locked_out", False))
    user = User.objects.filter(username=username, erased_at=None).first() or User()
    data = {"tries": tries, "locked": locked}
    if user.pk:
        tell("sign-in failed", user, actor=None, data=data)
    else:
        audit.record(verb="sign-in failed", obj=user, data=data)

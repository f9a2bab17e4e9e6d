"""Programs that rate: judges, scripts, other models. Each is a rater of its own with a token, and
its labels say so (source "program"): no figure about people holds one."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from labeling import tokens
from labeling.models import Membership, Token, User
from labeling.tokens import NotPossible
from models_runtime import audit
from models_runtime.models import Project
from models_runtime.phrases import phrase


def add(
    *, project: Project, name: str, days: int = 90, actor: User | None = None
) -> tuple[User, str]:
    """A program that rates in the project, and the secret of its token, which is stored nowhere.
    A program that is there already gets another token. Raises NotPossible for a name that is none,
    or a person's, or of another project's program."""
    known = User.objects.filter(username=name).first()
    if known is not None:
        _check(known, project, name)
    with transaction.atomic():
        user = known or _made(project, name, actor)
        _row, secret = tokens.make(
            user=user, project=project, name=name[:100], scopes=tokens.OF_PROGRAMS, days=days
        )
    return user, secret


def end(*, project: Project, name: str, actor: User | None = None) -> int:
    """Revoke every token of the program, so that it rates no more; how many were in force. Its
    labels stay. Raises NotPossible where the project has no such program."""
    user = User.objects.filter(username=name, kind="program").first()
    if user is None or not Membership.objects.filter(user=user, project=project).exists():
        raise NotPossible(phrase("There is no program named %(name)s here.", name=name))
    living = list(Token.objects.filter(user=user, project=project, revoked_at=None))
    for token in living:
        tokens.revoke(token=token, actor=actor)
    return len(living)


def _check(known: User, project: Project, name: str) -> None:
    here = Membership.objects.filter(user=known, project=project).exists()
    if known.kind != "program" or not here:
        raise NotPossible(
            phrase("Somebody is named %(name)s already: choose another name.", name=name)
        )


def _made(project: Project, name: str, actor: User | None) -> User:
    user = User(username=name, kind="program", password=make_password(None))  # nobody signs in
    try:
        User._meta.get_field("username").clean(name, user)
        user.save()
    except (ValidationError, IntegrityError):
        raise NotPossible(
            phrase("A name has letters, digits and @ . + - _, at most 150 of them and no spaces.")
        ) from None
    Membership.objects.create(user=user, project=project, role="rater")
    audit.record(verb="program added", obj=user, project=project, actor=actor)
    return user

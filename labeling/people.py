"""Who works in a project: adding people, their roles, their passwords, letting them in or not.

A project's lead answers for its people. Nothing here sends mail: a password is drawn, returned
once and handed over by whoever asked for it. Every act is in the audit trail, by ids alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from labeling.models import Membership, User
from models_runtime import audit
from models_runtime.models import Project
from models_runtime.phrases import phrase

ROLES = [role for role, _ in Membership.ROLES]
# Without what is mistaken for another when read aloud or copied by hand: 31 letters.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
TAKEN = (
    "There is somebody named {name} already, whom this project's lead cannot add: choose another "
    "name, or let whoever runs this installation add them (manage.py add_user)."
)


class NotPossible(ValueError):
    """Nothing was changed; says why in one sentence."""


@dataclass(frozen=True)
class Added:
    user: User
    password: str  # empty for somebody who has an account, and so a password, already


@dataclass(frozen=True)
class Member:
    user: User
    roles: list[str]


def draw_password() -> str:
    """Four groups of four letters: 79 random bits."""
    groups = ("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


def add_project(*, slug: str, name: str = "", actor: User | None = None) -> Project:
    """Raises NotPossible for a slug that is taken or is none."""
    if Project.objects.filter(slug=slug).exists():
        raise NotPossible(phrase("There is a project named %(slug)s already.", slug=slug))
    project = Project(slug=slug, name=name or slug.replace("-", " ").capitalize())
    try:
        project.clean_fields()
    except ValidationError:
        raise NotPossible(
            phrase(
                "%(slug)s cannot name a project: letters, digits and hyphens, at most 50 of them.",
                slug=slug,
            )
        ) from None
    with transaction.atomic():
        project.save()
        audit.record(verb="project created", obj=project, project=project, actor=actor)
    return project


def project_meant(slug: str = "") -> Project:
    """The project of that name, or the only one there is. Raises NotPossible."""
    rows = Project.objects.filter(slug=slug) if slug else Project.objects.order_by("slug")
    found = list(rows)
    if len(found) == 1:
        return found[0]
    if slug:
        raise NotPossible(
            phrase(
                "There is no project named %(slug)s: make it with add_project %(slug)s.", slug=slug
            )
        )
    if not found:
        raise NotPossible(phrase("There is no project yet: make one with add_project SLUG."))
    slugs = ", ".join(project.slug for project in found)
    raise NotPossible(
        phrase("There are several projects (%(slugs)s): name one with --project.", slugs=slugs)
    )


def members(project: Project, named: str = "") -> QuerySet[User]:
    """People with a role in the project, by name; programs and simulated raters are none. With
    ``named`` those whose name holds it."""
    rows = User.objects.filter(memberships__project=project, kind="person")
    if named:
        rows = rows.filter(username__icontains=named)
    return rows.distinct().order_by("username")


def with_roles(project: Project, users: Collection[User]) -> list[Member]:
    """The same, each with their roles in the project."""
    held: dict[int, list[str]] = {user.pk: [] for user in users}
    rows = Membership.objects.filter(project=project, user__in=held)
    for user, role in rows.values_list("user", "role"):
        held[user].append(role)
    return [Member(user, sorted(held[user.pk], key=ROLES.index)) for user in users]


def add(
    *, project: Project, username: str, roles: Collection[str], actor: User | None = None
) -> Added:
    """A person with these roles and a drawn password.

    Somebody with an account keeps their password. A lead (``actor``) adds only people who are in
    a project that they lead, or in none; without an actor, as from a command, anybody.

    Raises NotPossible for a name that is none or is taken, or no roles.
    """
    _check_roles(roles)
    password = draw_password()
    newcomer = _newcomer(username, password)  # hashing takes long: before anything is locked
    try:
        with transaction.atomic():
            _hold(project)
            known = _named(newcomer.username)
            user = known or newcomer
            if known is None:
                newcomer.save()
                audit.record(verb="person added", obj=newcomer, project=project, actor=actor)
            elif actor is not None:
                _check_may_join(known, project, actor)
            _give(project, user, roles, actor)
    except IntegrityError:  # another project took the name meanwhile
        raise NotPossible(TAKEN.format(name=newcomer.username)) from None
    return Added(user, "" if known else password)


def set_roles(*, project: Project, user: User, roles: Collection[str], actor: User) -> None:
    """Exactly these roles from now on. Raises NotPossible where no active lead would be left."""
    _check_roles(roles)
    with transaction.atomic():
        _hold(project)
        held = Membership.objects.filter(project=project, user=user)
        if "lead" not in roles:
            _check_another_leads(project, user)
        for row in held.exclude(role__in=roles):
            audit.record(
                verb="role taken", obj=user, project=project, actor=actor, data={"role": row.role}
            )
            row.delete()
        _give(project, user, roles, actor)


def give(*, project: Project, user: User, roles: Collection[str], actor: User | None) -> None:
    """These roles besides those that somebody has. Raises NotPossible."""
    _check_roles(roles)
    with transaction.atomic():
        _hold(project)
        _give(project, user, roles, actor)


def newcomer(username: str, *, email: str = "", languages: Collection[str] = ()) -> User:
    """Somebody who is not stored and has no password yet. Raises NotPossible for a name that is
    none."""
    user = _named_so(username)
    user.email, user.languages = email, sorted(set(languages))
    return user


def describe(*, user: User, email: str, languages: Collection[str]) -> None:
    """What somebody says about themselves: where mail reaches them, and what they read."""
    chosen = sorted(set(languages))
    with transaction.atomic():
        User.objects.filter(pk=user.pk, erased_at=None).update(email=email, languages=chosen)
        data = {"has_mail": bool(email), "languages": chosen}
        for project in Project.objects.filter(memberships__user=user).distinct():
            audit.record(
                verb="account described", obj=user, project=project, actor=user, data=data
            )


def reset_password(*, project: Project, user: User, actor: User) -> str:
    """A newly drawn password, returned this once. Sessions under the old one end at once."""
    check_may_reset(user=user, actor=actor)
    password = draw_password()
    user.set_password(password)  # a session holds a hash of the password's hash
    with transaction.atomic():
        user.save(update_fields=["password"])
        audit.record(verb="password reset", obj=user, project=project, actor=actor)
    return password


def check_may_reset(*, user: User, actor: User) -> None:
    """Raises NotPossible where this lead is not to give that person another password."""
    check_answers_for(user, actor, "Only they themselves can change their password")
    if user.pk == actor.pk:
        raise NotPossible(phrase("Change your own password on your account page."))


def deactivate(*, project: Project, user: User, actor: User) -> None:
    """Nobody signs in as them any more, and their sessions end at once. What they did stays.
    Repeating it changes nothing."""
    if user.pk == actor.pk:
        raise NotPossible(phrase("You cannot deactivate yourself: another lead can."))
    check_answers_for(user, actor, phrase("Take their roles here from them instead"))
    with transaction.atomic():
        for led in leads(user):
            _hold(led)
            _check_another_leads(led, user)
        if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
            audit.record(verb="person deactivated", obj=user, project=project, actor=actor)
        _end_sessions(user)


def reactivate(*, project: Project, user: User, actor: User) -> None:
    """They sign in again, with the password they had. Repeating it changes nothing."""
    check_answers_for(user, actor, "Whoever runs this installation can let them in again")
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
            audit.record(verb="person reactivated", obj=user, project=project, actor=actor)


def leads(user: User) -> QuerySet[Project]:
    """The projects this person leads."""
    return Project.objects.filter(memberships__user=user, memberships__role="lead")


def _named(username: str) -> User | None:
    """Whoever has this name; small and capital letters are not told apart among newcomers."""
    exact = User.objects.filter(username=username).first()
    return exact or User.objects.filter(username__iexact=username).first()


def _newcomer(username: str, password: str) -> User:
    """Not stored yet. Raises NotPossible for a name that is none."""
    user = _named_so(username)
    user.set_password(password)
    return user


def _named_so(username: str) -> User:
    user = User(username=User.normalize_username(username.strip()))
    try:
        User._meta.get_field("username").clean(user.username, user)
    except ValidationError:
        raise NotPossible(
            phrase("A name has letters, digits and @ . + - _, at most 150 of them and no spaces.")
        ) from None
    return user


def _give(project: Project, user: User, roles: Collection[str], actor: User | None) -> None:
    for role in ROLES:
        if role not in roles:
            continue
        row, made = Membership.objects.get_or_create(project=project, user=user, role=role)
        if made:
            audit.record(
                verb="role given", obj=user, project=project, actor=actor, data={"role": role}
            )


def _hold(project: Project) -> None:
    """One change of a project's people at a time: two leads who take the role from each other
    would else leave none."""
    Project.objects.select_for_update().get(pk=project.pk)


def _check_roles(roles: Collection[str]) -> None:
    if not roles:
        raise NotPossible(phrase("Choose at least one role."))
    if unknown := sorted(set(roles) - set(ROLES)):
        raise NotPossible(
            phrase(
                "There is no role %(unknown)s: %(roles)s.",
                unknown=unknown[0],
                roles=", ".join(ROLES),
            )
        )


def _check_may_join(user: User, project: Project, actor: User) -> None:
    if Membership.objects.filter(project=project, user=user).exists():
        raise NotPossible(
            phrase(
                "%(username)s is here already: change their roles in the list.",
                username=user.username,
            )
        )
    if user.kind != "person" or user.is_superuser or _projects_beyond(user, actor):
        raise NotPossible(TAKEN.format(name=user.username))


def check_answers_for(user: User, actor: User, instead: str) -> None:
    """A lead of one project is not to take over who works in another one as well."""
    if actor.is_superuser or user.pk == actor.pk:
        return
    if user.is_superuser or _projects_beyond(user, actor):
        raise NotPossible(
            phrase(
                "%(username)s has work beyond the projects you lead. %(instead)s.",
                username=user.username,
                instead=instead,
            )
        )


def _check_another_leads(project: Project, user: User) -> None:
    """Raises NotPossible when the user is the project's only active lead."""
    active = Membership.objects.filter(project=project, role="lead", user__is_active=True)
    names = set(active.values_list("user_id", flat=True))
    if names == {user.pk}:
        raise NotPossible(
            phrase(
                "%(username)s is the only lead of %(project)s: make somebody else one first.",
                username=user.username,
                project=project.name,
            )
        )


def _projects_beyond(user: User, actor: User) -> bool:
    return user.memberships.exclude(project__in=leads(actor)).exists()


def _end_sessions(user: User) -> None:
    """Deletes them, so that letting somebody in again revives none. Sessions name their user only
    inside, so all living ones are read: some thousands a second."""
    living = Session.objects.filter(expire_date__gt=timezone.now())
    mine = [
        row.pk
        for row in living.iterator()
        if row.get_decoded().get("_auth_user_id") == str(user.pk)
    ]
    Session.objects.filter(pk__in=mine).delete()

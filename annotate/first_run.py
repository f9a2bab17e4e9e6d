"""What a new installation needs before anybody can work: an administrator, and a project."""

from __future__ import annotations

import dataclasses
import secrets

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import transaction

from labeling import people
from labeling.models import User
from models_runtime.models import Project

PROJECT = "main"
ROLES = ("lead", "researcher")


@dataclasses.dataclass(frozen=True)
class Made:
    name: str
    password: str  # empty when the person chose it


def administrator(*, name: str = "", password: str = "") -> Made | None:
    """Make a superuser where there is none yet, lead and researcher of the project main; None
    when there is one.

    A password that nobody gave is drawn with 128 random bits. Raises CommandError for a weak one.
    """
    with transaction.atomic():
        if User.objects.filter(is_superuser=True).exists():
            return None
        chosen = password or secrets.token_urlsafe(16)
        try:
            validate_password(chosen)
        except ValidationError as error:
            raise CommandError(f"ADMIN_PASSWORD: {' '.join(error.messages)}") from None
        user = User(username=name or "admin", is_superuser=True, is_staff=True)
        user.set_password(chosen)
        user.save()
        join_project(user)
    return Made(user.username, "" if password else chosen)


def join_project(user: User) -> None:
    """Lead and researcher of main, which is made where it is missing."""
    main = Project.objects.filter(slug=PROJECT).first() or people.add_project(slug=PROJECT)
    people.add(project=main, username=user.username, roles=ROLES)


def without_a_project() -> User | None:
    """The administrator of an installation that has no project, as one made by createsuperuser."""
    if Project.objects.exists():
        return None
    return User.objects.filter(is_superuser=True).order_by("pk").first()

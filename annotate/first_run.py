"""The first administrator of a new installation."""

from __future__ import annotations

import dataclasses
import secrets

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import transaction


@dataclasses.dataclass(frozen=True)
class Made:
    name: str
    password: str  # empty when the person chose it


def administrator(*, name: str = "", password: str = "") -> Made | None:
    """Make a superuser where there is none yet; None when there is one.

    A password that nobody gave is drawn with 128 random bits. Raises CommandError for a weak one.
    """
    users = get_user_model()
    with transaction.atomic():
        if users.objects.filter(is_superuser=True).exists():
            return None
        chosen = password or secrets.token_urlsafe(16)
        try:
            validate_password(chosen)
        except ValidationError as error:
            raise CommandError(f"ADMIN_PASSWORD: {' '.join(error.messages)}") from None
        user = users(username=name or "admin", is_superuser=True, is_staff=True)
        user.set_password(chosen)
        user.save()
    return Made(user.username, "" if password else chosen)

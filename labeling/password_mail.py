"""A forgotten password: links that set a new one, by mail or from a lead's hand.

Asking by mail writes a row whether or not somebody has the address, and a task sends what there is
to send: how long the answer takes tells nobody whether an account exists. A link holds for
settings.PASSWORD_RESET_TIMEOUT, and until the password is another or somebody signs in.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from labeling import people
from labeling.models import PasswordRequest, User
from labeling.people import NotPossible
from models_runtime import audit
from models_runtime.models import Project
from models_runtime.phrases import phrase

WAITS = (1, 5, 30, 120)  # minutes until a mail that could not be sent is tried again
MOST_ACCOUNTS = 5  # of one mail address


def can_send() -> bool:
    """Whether this installation sends mail, and knows its own address for the links in it."""
    return bool(settings.MAIL_IS_SENT and settings.PUBLIC_URL)


def ask(email: str) -> None:
    """A link to everybody who has this address and may sign in; to nobody where none has it."""
    rows = User.objects.filter(email__iexact=email.strip(), is_active=True, kind="person")
    found = list(rows.exclude(email="")[:MOST_ACCOUNTS])
    PasswordRequest.objects.bulk_create(
        [PasswordRequest(user=user) for user in found] or [PasswordRequest(next_at=None)]
    )


def send_due(now: datetime | None = None) -> int:
    """Send what was asked for, each request by one sender. Returns how many mails went out."""
    now = now or timezone.now()
    PasswordRequest.objects.filter(asked_at__lt=now - timedelta(days=1)).delete()
    if not can_send():
        return 0
    due = PasswordRequest.objects.filter(next_at__lte=now, attempts__lt=len(WAITS))
    return sum(_send(row, now) for row in due.select_related("user").order_by("pk")[:100])


def link_path(user: User) -> str:
    """Where a new password is set, with a secret that works once."""
    token = default_token_generator.make_token(user)
    return reverse("password-set", args=[user.public_id, token])


def draw_link(*, project: Project, user: User, actor: User) -> str:
    """A link from a lead's hand, to be handed over by a channel they trust. The password of now
    holds until it is used. Raises NotPossible, as for a password that a lead draws."""
    people.check_may_reset(user=user, actor=actor)
    audit.record(verb="password link drawn", obj=user, project=project, actor=actor)
    return link_path(user)


def fits(user: User, token: str) -> bool:
    return user.is_active and default_token_generator.check_token(user, token)


def set_password(*, user: User, token: str, password: str) -> None:
    """By a link, once: all sessions end. Raises NotPossible for a link that was used."""
    with transaction.atomic():
        held = User.objects.select_for_update().get(pk=user.pk)
        if not fits(held, token):
            raise NotPossible(phrase("This link has been used, or is too old: ask for another."))
        held.set_password(password)
        held.save(update_fields=["password"])
        audit.record(verb="password set by link", obj=held, actor=held)


def _send(row: PasswordRequest, now: datetime) -> int:
    if row.user is None or not row.user.is_active or row.user.erased_at:
        PasswordRequest.objects.filter(pk=row.pk).update(next_at=None)
        return 0
    wait = timedelta(minutes=WAITS[row.attempts])
    rows = PasswordRequest.objects.filter(pk=row.pk, attempts=row.attempts, next_at=row.next_at)
    if not rows.update(attempts=F("attempts") + 1, next_at=now + wait):
        return 0  # another sender has it
    try:
        _mail(row.user)
    except (OSError, SMTPException):
        return 0  # tried again when its time comes
    PasswordRequest.objects.filter(pk=row.pk).update(next_at=None)
    return 1


def _mail(user: User) -> None:
    with translation.override(user.locale or settings.LANGUAGE_CODE):
        link = settings.PUBLIC_URL + link_path(user)
        text = _(
            "Hello %(name)s,\n\nsomebody asked for a new password for your account. Set it here, "
            "within a day:\n\n%(link)s\n\nIf it was not you, there is nothing to do: your "
            "password stays as it is.\n"
        ) % {"name": user.username, "link": link}
        send_mail(_("A new password for Concord"), text, None, [user.email])

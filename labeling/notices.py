"""Telling people what happened: on the pages, and by mail for whoever wants that.

``tell`` may be called by anybody, any number of times, for the same occasion: its key makes one
notice of it for each person. What somebody wants to be told, and how, is among their preferences.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from labeling.models import Notice, NoticeMail, User
from models_runtime.phrases import phrase

MAILS = {
    "": phrase("no mail"),
    "once": phrase("at once"),
    "daily": phrase("once a day, together"),
}
DIGEST_HOUR = 7  # of the server's time zone
MOST_SHOWN = 99  # that a bell counts
WAITS = (1, 5, 30, 120, 480)  # minutes until a mail that could not be sent is tried again
STORED = "notices"  # among User.preferences


@dataclass(frozen=True)
class Kind:
    """``roles``: whom it may concern. ``about``: what it is, for the page where one chooses."""

    roles: tuple[str, ...]
    title: str
    about: str


KINDS = {
    "work": Kind(
        ("rater",),
        phrase("Work is available"),
        phrase("A campaign opens or has new cards; at most once a day for each."),
    ),
    "guidelines": Kind(
        ("rater",),
        phrase("Guidelines changed"),
        phrase("Of a campaign in which you have answered."),
    ),
    "replies": Kind(
        ("rater",),
        phrase("An answer to you"),
        phrase("To what you asked or disagreed with, or a card that was sent back to you."),
    ),
    "run": Kind(
        ("researcher",),
        phrase("A run finished or failed"),
        phrase("Training, and an iteration that cannot go on."),
    ),
    "decision": Kind(
        ("researcher", "lead"),
        phrase("An iteration waits for a decision"),
        phrase("Its candidates are evaluated."),
    ),
    "budget": Kind(
        ("lead",),
        phrase("Budget and deadline"),
        phrase("Four fifths of a campaign's budget are spent, all of it is, or its time is over."),
    ),
    "waiting": Kind(
        ("lead",),
        phrase("Something waits for you"),
        phrase("What raters flagged, asked or disagreed with; at most once a day for each."),
    ),
    "webhooks": Kind(
        ("lead",),
        phrase("A webhook cannot be reached"),
        phrase("A message was given up after a day of tries, or the address said it is gone."),
    ),
}


@dataclass(frozen=True)
class Choice:
    """How one kind is told: on the pages, and by mail ("" for none)."""

    page: bool = True
    mail: str = ""


def can_mail() -> bool:
    """Whether this installation sends mail, and knows its own address for the links in it."""
    return bool(settings.MAIL_IS_SENT and settings.PUBLIC_URL)


def choices_of(user: User) -> dict[str, Choice]:
    """Of every kind; what was never chosen is on the pages alone."""
    stored = user.preferences.get(STORED, {})
    return {kind: Choice(**stored.get(kind, {})) for kind in KINDS}


def choose(user: User, chosen: dict[str, Choice]) -> None:
    """Keep what somebody wants to be told of the kinds given; other kinds stay as they are."""
    unknown = chosen.keys() - KINDS.keys() | {one.mail for one in chosen.values()} - MAILS.keys()
    if unknown:
        raise ValueError(f"There is nothing to choose named {sorted(unknown)[0]}.")
    with transaction.atomic():
        held = User.objects.select_for_update().get(pk=user.pk)
        kept = {kind: asdict(one) for kind, one in (choices_of(held) | chosen).items()}
        held.preferences = {**held.preferences, STORED: kept}
        held.save(update_fields=["preferences"])
    user.preferences = held.preferences


def tell(
    users: Iterable[User],
    kind: str,
    *,
    key: str,
    text: str,
    obj: models.Model | None = None,
    now: datetime | None = None,
) -> int:
    """Tell each of them once for each ``key``, as they have chosen; how many notices are new.

    ``text`` is a phrase, said in each reader's language; ``obj`` what a link leads to. Programs,
    and whoever was erased or may not sign in, are left out. Safe when run at once with itself.
    """
    now = now or timezone.now()
    wanted = {user.pk: (user, choices_of(user)[kind]) for user in users if _is_told(user)}
    known = Notice.objects.filter(key=key, user__in=wanted).values_list("user", flat=True)
    for pk in known:
        del wanted[pk]
    rows = [(user, choice) for user, choice in wanted.values() if choice.page or choice.mail]
    with transaction.atomic():
        mails = _mails(rows, now)
        made = [
            Notice(
                user=user, kind=kind, key=key, text=text, shown=choice.page,
                object_type=obj._meta.label_lower if obj else "",
                object_id=str(obj.pk) if obj else "", created_at=now, mail_id=mails.get(user.pk),
            )
            for user, choice in rows
        ]  # fmt: skip
        Notice.objects.bulk_create(made, ignore_conflicts=True)
    return len(made)


def of(user: User) -> QuerySet[Notice]:
    """What the pages show somebody, newest first."""
    return Notice.objects.filter(user=user, shown=True).order_by("-id")


def unread(user: User) -> int:
    """How many, and no more than one beyond what a bell shows: one look into one index."""
    rows = Notice.objects.filter(user=user, shown=True, read_at=None)
    return rows.values("pk")[: MOST_SHOWN + 1].count()


def mark_read(user: User, *, pk: int | None = None, upto: int | None = None) -> int:
    """One of them, or all that were on the page when it was drawn; what came since stays new."""
    rows = Notice.objects.filter(user=user, shown=True, read_at=None)
    which = Q(pk=pk) if pk is not None else Q(pk__lte=upto or 0)
    return rows.filter(which).update(read_at=timezone.now())


def mark_unread(user: User, *, pk: int) -> int:
    return Notice.objects.filter(user=user, shown=True, pk=pk).update(read_at=None)


def forget(now: datetime | None = None) -> int:
    """Drop what is older than settings.NOTICE_DAYS, with its mail; how many notices."""
    before = (now or timezone.now()) - timedelta(days=settings.NOTICE_DAYS)
    gone, _ = Notice.objects.filter(created_at__lt=before).delete()
    NoticeMail.objects.filter(due_at__lt=before).delete()
    return gone


def erase(user: User) -> int:
    """All of somebody's notices and the mail that waits; how many rows."""
    notices, _ = Notice.objects.filter(user=user).delete()
    mails, _ = NoticeMail.objects.filter(user=user).delete()
    return notices + mails


def _is_told(user: User) -> bool:
    return user.kind == "person" and user.is_active and user.erased_at is None


def _mails(rows: Collection[tuple[User, Choice]], now: datetime) -> dict[int, int]:
    """The mail that each person's notice goes into, by their ids."""
    if not can_mail():
        return {}
    asked = [(user, choice.mail) for user, choice in rows if choice.mail and user.email]
    alone = [NoticeMail(user=user, due_at=now) for user, mail in asked if mail == "once"]
    found: dict[int, int] = {
        mail.user_id: mail.pk for mail in NoticeMail.objects.bulk_create(alone)
    }
    return found | _digests([user for user, mail in asked if mail == "daily"], now)


def _digests(users: list[User], now: datetime) -> dict[int, int]:
    """Of today. It is sent when today is over, so that nothing joins one on its way out."""
    if not users:
        return {}
    local = timezone.localtime(now)
    due = (local + timedelta(days=1)).replace(hour=DIGEST_HOUR, minute=0, second=0, microsecond=0)
    day: dict[str, Any] = {"digest_day": local.date()}
    rows = [NoticeMail(user=user, due_at=due, **day) for user in users]
    NoticeMail.objects.bulk_create(rows, ignore_conflicts=True)
    mine = NoticeMail.objects.filter(user__in=users, **day)
    return dict(mine.values_list("user_id", "pk"))

"""Mail of what people are told, in their language, with a link that ends it."""

from __future__ import annotations

from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage
from django.db.models import F
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate import language, object_links
from labeling import notices
from labeling.models import Notice, NoticeMail, User
from labeling.notices import KINDS, WAITS

SALT = "annotate.notice_mail"
AT_ONCE = 50  # mails in one go
LONGEST = 100  # notices in one mail
LONGEST_SUBJECT = 120


def send_due(now: datetime | None = None) -> int:
    """Send what is due, each mail by one sender; how many went out. What a server refuses is
    tried again, five times in ten hours."""
    now = now or timezone.now()
    if not notices.can_mail():
        return 0
    due = NoticeMail.objects.filter(state="waiting", due_at__lte=now).select_related("user")
    return sum(_send(mail, now) for mail in due.order_by("due_at", "pk")[:AT_ONCE])


def end_link(user: User, kind: str) -> str:
    """The address of a page that ends one kind of mail, or all ("")."""
    token = signing.dumps([user.pk, kind], salt=SALT)
    return settings.PUBLIC_URL + reverse("end-mail", args=[token])


def read_link(token: str) -> tuple[User, str] | None:
    """(whose mail, which kind) of a link that was made here; None for any other."""
    try:
        pk, kind = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return None
    user = User.objects.filter(pk=pk, erased_at=None).first()
    return (user, kind) if user and (not kind or kind in KINDS) else None


def _send(mail: NoticeMail, now: datetime) -> int:
    wait = timedelta(minutes=WAITS[min(mail.attempts, len(WAITS) - 1)])
    rows = NoticeMail.objects.filter(pk=mail.pk, state="waiting", attempts=mail.attempts)
    if not rows.update(attempts=F("attempts") + 1, due_at=now + wait):
        return 0  # another sender has it
    told = list(Notice.objects.filter(mail=mail, read_at=None).order_by("id")[:LONGEST])
    if not (told and mail.user.is_active and mail.user.email):
        NoticeMail.objects.filter(pk=mail.pk).update(state="empty")
        return 0
    try:
        message(mail, told).send()
    except (OSError, SMTPException, ValueError):
        last = mail.attempts + 1 >= len(WAITS)
        NoticeMail.objects.filter(pk=mail.pk, state="waiting").update(
            state="failed" if last else "waiting"
        )
        return 0
    NoticeMail.objects.filter(pk=mail.pk).update(state="sent")
    return 1


def message(mail: NoticeMail, told: list[Notice]) -> EmailMessage:
    """One notice is its own subject; several are a list under their number."""
    kind = told[0].kind if mail.digest_day is None else ""
    link = end_link(mail.user, kind)
    with translation.override(mail.user.locale or settings.LANGUAGE_CODE):
        abouts = object_links.of_notices(told)
        lines = [
            {
                "text": language.translated(row.text),
                "url": _absolute(abouts[row.pk].url),
            }
            for row in told
        ]
        count = len(lines)
        several = ngettext("%(n)d notice from Concord", "%(n)d notices from Concord", count)
        subject = lines[0]["text"] if mail.digest_day is None else several % {"n": count}
        body = _body(mail.user, lines, KINDS[kind].title if kind else "", link)
        # A campaign's name may hold a line break; a header must not.
        subject = " ".join(f"Concord: {subject}".split())[:LONGEST_SUBJECT]
    one_click = {"List-Unsubscribe": f"<{link}>"}
    one_click["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    return EmailMessage(subject, body, None, [mail.user.email], headers=one_click)


def _body(user: User, lines: list[dict[str, str]], kind: str, link: str) -> str:
    """Each notice with its address, and how to have no more of them."""
    listed = "\n".join(f"- {line['text']}\n  {line['url']}".rstrip() for line in lines)
    said = {"kind": language.translated(kind)}
    end = _("No more mail of this kind (%(kind)s):") % said if kind else _("No more such mail:")
    account = settings.PUBLIC_URL + reverse("notice-settings")
    hello = _("Hello %(name)s,") % {"name": user.username}
    choose = _("What you are told, and how:")
    return f"{hello}\n\n{listed}\n\n-- \n{end}\n{link}\n{choose}\n{account}\n"


def _absolute(path: str) -> str:
    return settings.PUBLIC_URL + path if path else ""

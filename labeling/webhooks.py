"""Webhooks: messages to other programs about what happens in a project.

A message is stored first and sent by a tick, at least once, with the same id at every try. It
holds ids, states and times, and no text that a person typed.
"""

from __future__ import annotations

import json
import random
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from labeling import notices
from labeling.models import User, Webhook, WebhookAttempt, WebhookMessage
from labeling.webhook_secrets import OVERLAP, secret_of
from models_runtime import audit
from models_runtime.models import AuditEvent, Project
from models_runtime.phrases import phrase

# Seconds until the next try, each drawn from a tenth less to a tenth more: a day and some hours.
WAITS = (5, 300, 1800, 7200, 18_000, 36_000, 36_000)
JITTER = 0.1
LEASE = timedelta(minutes=2)  # of whoever sends a message: longer than a try takes
MOST = 20  # webhooks of one project
ANSWER = 500  # characters kept of an answer
TEST = "webhook.test"


@dataclass(frozen=True)
class Type:
    """``verb`` of the audit events it tells of, and to which states where it says any."""

    verb: str
    title: str
    states: tuple[str, ...] = ()


TYPES = {
    "campaign.moved": Type("campaign moved", phrase("A campaign opens, pauses or closes")),
    "guidelines.revised": Type("guideline revised", phrase("Guidelines change")),
    "question.revised": Type("question revised", phrase("A question changes")),
    "iteration.moved": Type("iteration moved", phrase("An iteration enters its next stage")),
    "labels.frozen": Type("labels frozen", phrase("Labels are frozen")),
    "job.finished": Type(
        "job moved", phrase("A job finishes or fails"), ("succeeded", "failed", "cancelled")
    ),
    "checkpoint.registered": Type("checkpoint registered", phrase("A checkpoint is ready")),
    "budget.reached": Type("budget reached", phrase("A budget or a deadline pauses a campaign")),
    "data.exported": Type("exported", phrase("Somebody takes an export away")),
}
VERBS = sorted({one.verb for one in TYPES.values()})


class NotPossible(ValueError):
    """Nothing was changed; says why in one sentence."""


@dataclass(frozen=True)
class Outcome:
    """Of one try. ``status`` None: no answer, and ``error`` says why."""

    status: int | None
    milliseconds: int
    error: str = ""
    answer: str = ""

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def add(*, project: Project, url: str, types: list[str], actor: User | None) -> Webhook:
    """Raises NotPossible for an address that cannot be one, or too many of them."""
    check(url, types)
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        if project.webhooks.count() >= MOST:
            raise NotPossible(phrase("A project has at most %(n)s webhooks.", n=MOST))
        made = Webhook.objects.create(project=project, url=url, types=types, created_by=actor)
        audit.record(verb="webhook added", obj=made, actor=actor, data={"types": types})
    return made


def change(webhook: Webhook, *, url: str, types: list[str], actor: User | None) -> None:
    check(url, types)
    with transaction.atomic():
        Webhook.objects.filter(pk=webhook.pk).update(url=url, types=types)
        audit.record(verb="webhook changed", obj=webhook, actor=actor, data={"types": types})


def check(url: str, types: list[str]) -> None:
    """Raises NotPossible. Where the name leads is looked at whenever it is called."""
    try:
        parts = urlsplit(url)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        raise NotPossible(phrase("That is no address.")) from None
    allowed = ("https", "http") if settings.WEBHOOKS_PRIVATE else ("https",)
    printable = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in allowed or not (parts.hostname and port_is_right and printable):
        raise NotPossible(phrase("Write the whole address, with https:// before it."))
    if parts.username or parts.password:
        raise NotPossible(
            phrase("Leave names and passwords out: the signature proves the sender.")
        )
    if not types or set(types) - TYPES.keys():
        raise NotPossible(phrase("Choose what is sent."))


def rotate(webhook: Webhook, *, actor: User | None) -> str:
    """A new secret, which is returned. For a day the one before signs besides it."""
    with transaction.atomic():
        rows = Webhook.objects.filter(pk=webhook.pk, generation=webhook.generation)
        until = timezone.now() + OVERLAP
        if not rows.update(generation=F("generation") + 1, rotated_until=until):
            raise NotPossible(phrase("Somebody drew a new secret at the same time."))
        audit.record(verb="webhook secret drawn", obj=webhook, actor=actor)
    webhook.refresh_from_db()
    return secret_of(webhook)


def switch(webhook: Webhook, active: bool, *, actor: User | None = None) -> None:
    """On or off. Switched off, nothing new is stored for it, and what waits stays."""
    with transaction.atomic():
        rows = Webhook.objects.filter(pk=webhook.pk).exclude(active=active)
        if rows.update(active=active, gone=False):
            verb = "webhook switched on" if active else "webhook switched off"
            audit.record(verb=verb, obj=webhook, actor=actor)


def remove(webhook: Webhook, *, actor: User | None) -> None:
    """With its log, for good."""
    with transaction.atomic():
        audit.record(verb="webhook removed", obj=webhook, actor=actor)
        Webhook.objects.filter(pk=webhook.pk).delete()


def enqueue(event: AuditEvent) -> int:
    """Store the messages that an event makes; how many. Repeating it makes none."""
    name = _type_of(event)
    if not name or event.project_id is None:
        return 0
    rows = Webhook.objects.filter(project=event.project_id, active=True)
    made = [
        _message(row, f"event:{event.pk}", name, event.at, _told(event))
        for row in rows
        if name in row.types
    ]
    WebhookMessage.objects.bulk_create(made, ignore_conflicts=True)
    return len(made)


def test(webhook: Webhook, *, actor: User) -> WebhookMessage:
    """A message that says nothing but that it came."""
    with transaction.atomic():
        data: dict[str, object] = {"project": webhook.project_id}
        key = f"test:{secrets.token_hex(8)}"
        message = _message(webhook, key, TEST, timezone.now(), data)
        message.save()
        audit.record(verb="webhook tested", obj=webhook, actor=actor)
    return message


def send_again(message: WebhookMessage, *, actor: User) -> bool:
    """Under the same id, so that a receiver that has it already knows. False while it waits."""
    with transaction.atomic():
        rows = WebhookMessage.objects.filter(pk=message.pk).exclude(state="waiting")
        if not rows.update(state="waiting", attempts=0, next_at=timezone.now()):
            return False
        audit.record(
            verb="webhook message sent again", obj=message.webhook, actor=actor,
            data={"message": message.public_id},
        )  # fmt: skip
    return True


def claim(most: int, now: datetime | None = None) -> list[WebhookMessage]:
    """Messages to send now, at most one for each address, so that a slow one keeps no other
    waiting. Each is the caller's until LEASE is over."""
    now = now or timezone.now()
    due = WebhookMessage.objects.filter(state="waiting", next_at__lte=now, webhook__active=True)
    taken: dict[int, WebhookMessage] = {}
    for message in due.select_related("webhook__project").order_by("next_at", "pk")[: most * 5]:
        if message.webhook_id in taken or len(taken) == most:
            continue
        rows = WebhookMessage.objects.filter(
            pk=message.pk, state="waiting", attempts=message.attempts, next_at=message.next_at
        )
        if rows.update(attempts=F("attempts") + 1, next_at=now + LEASE):
            message.attempts += 1
            taken[message.webhook_id] = message
    return list(taken.values())


def settle(message: WebhookMessage, outcome: Outcome, now: datetime | None = None) -> None:
    """Write down a try and what follows: done, tried again later, or given up. 410 switches the
    address off."""
    now = now or timezone.now()
    with transaction.atomic():
        WebhookAttempt.objects.create(
            message=message, at=now, status=outcome.status, error=outcome.error,
            milliseconds=outcome.milliseconds, answer=outcome.answer[:ANSWER],
        )  # fmt: skip
        mine = WebhookMessage.objects.filter(pk=message.pk, attempts=message.attempts)
        if outcome.ok:
            mine.update(state="sent")
        elif outcome.status == 410:
            mine.update(state="failed")
            _gone(message.webhook)
        elif message.attempts > len(WAITS):
            mine.update(state="failed")
            _given_up(message, now)
        else:
            wait = WAITS[message.attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
            mine.update(next_at=now + timedelta(seconds=wait))


def forget(now: datetime | None = None) -> int:
    """Drop messages older than settings.WEBHOOK_DAYS with their tries; how many rows."""
    before = (now or timezone.now()) - timedelta(days=settings.WEBHOOK_DAYS)
    gone, _ = WebhookMessage.objects.filter(created_at__lt=before).delete()
    return gone


def _type_of(event: AuditEvent) -> str:
    for name, one in TYPES.items():
        if one.verb == event.verb and (not one.states or event.to_state in one.states):
            return name
    return ""


def _told(event: AuditEvent) -> dict[str, object]:
    """Ids and states. What an event holds besides stays in the log."""
    return {
        "event": event.pk,
        "project": event.project_id,
        "object_type": event.object_type,
        "object_id": event.object_id,
        "from_state": event.from_state,
        "to_state": event.to_state,
    }


def _message(
    webhook: Webhook, key: str, name: str, at: datetime, data: dict[str, object]
) -> WebhookMessage:
    body = {"type": name, "timestamp": at.isoformat(), "data": data}
    return WebhookMessage(
        webhook=webhook,
        key=key,
        type=name,
        public_id=f"msg_{secrets.token_hex(14)}",
        body=json.dumps(body, separators=(",", ":")),
    )


def _gone(webhook: Webhook) -> None:
    rows = Webhook.objects.filter(pk=webhook.pk, active=True)
    if rows.update(active=False, gone=True):
        audit.record(verb="webhook switched off", obj=webhook, data={"status": 410})
        text = phrase(
            "%(host)s answered that it is gone; its webhook is off.", host=_host(webhook)
        )
        _tell_leads(webhook, f"webhook-gone:{webhook.pk}:{timezone.now().date()}", text)


def _given_up(message: WebhookMessage, now: datetime) -> None:
    text = phrase("%(host)s could not be reached for a day.", host=_host(message.webhook))
    day = timezone.localtime(now).date()
    _tell_leads(message.webhook, f"webhook:{message.webhook_id}:{day}", text)


def _tell_leads(webhook: Webhook, key: str, text: str) -> None:
    rows = User.objects.filter(
        memberships__project=webhook.project_id, memberships__role="lead", is_active=True
    )
    notices.tell(rows.distinct(), "webhooks", key=key, text=text, obj=webhook)


def _host(webhook: Webhook) -> str:
    return urlsplit(webhook.url).hostname or ""

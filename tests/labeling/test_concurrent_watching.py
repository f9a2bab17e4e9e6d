"""What is told is told once, however many ticks look at the same moment."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from annotate import notice_mail, watching
from labeling import campaigns, notices, webhooks
from labeling.models import Notice, WebhookMessage
from labeling.notices import Choice
from models_runtime.phrases import phrase
from tests.factories import Cast, make_cast
from tests.labeling.test_concurrent_talks import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]
TICKS = 6


def hooked() -> Cast:
    cast = make_cast()
    for n in range(4):
        webhooks.add(
            project=cast.project, url=f"https://receiver.example/{n}", actor=cast.lead,
            types=["campaign.moved"],
        )  # fmt: skip
    return cast


def test_an_event_makes_one_notice_and_one_message_for_each() -> None:
    cast = hooked()
    watching.look()
    for state in ("paused", "open"):
        campaigns.move(cast.campaign, state)
    at_once([watching.look] * TICKS)
    assert Notice.objects.count() == 2
    assert WebhookMessage.objects.count() == 8


def test_the_first_look_of_all_is_one() -> None:
    hooked()
    at_once([watching.look] * TICKS)
    assert watching.look() == 0


def test_a_message_is_one_senders() -> None:
    cast = hooked()
    for hook in cast.project.webhooks.all():
        webhooks.test(hook, actor=cast.lead)
    taken: Counter[int] = Counter()
    at_once([lambda: taken.update(row.pk for row in webhooks.claim(8))] * TICKS)
    assert list(taken.values()) == [1] * 4
    late = timezone.now() + timedelta(minutes=5)  # the senders died: it is another's turn
    assert len(webhooks.claim(8, late)) == 4


def test_telling_at_once_tells_once_and_mails_once(settings: pytest.FixtureRequest) -> None:
    settings.MAIL_IS_SENT, settings.PUBLIC_URL = True, "https://x.example"  # type: ignore[attr-defined]
    cast = make_cast()
    cast.rater.email = "rater@example.org"
    cast.rater.save(update_fields=["email"])
    notices.choose(cast.rater, {"work": Choice(mail="once")})
    text = phrase("There is work.")
    at_once([lambda: notices.tell([cast.rater], "work", key="1", text=text)] * TICKS)
    assert Notice.objects.count() == 1
    at_once([notice_mail.send_due] * TICKS)
    assert len(mail.outbox) == 1

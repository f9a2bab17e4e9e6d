"""Webhooks: signed as the scheme says, sent at least once, tried again, given up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from django.utils import timezone

from labeling import campaigns, webhook_calls, webhook_secrets, webhooks
from labeling.models import Notice, Webhook, WebhookAttempt, WebhookMessage
from labeling.webhooks import Outcome
from models_runtime import outbound
from models_runtime.models import AuditEvent
from tests.factories import Cast

pytestmark = pytest.mark.django_db
TYPES = ["campaign.moved", "job.finished"]
Answer = Callable[[BaseHTTPRequestHandler], None]


def status(code: int, text: str = "") -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        request.send_header("Location", "/elsewhere")
        request.end_headers()
        request.wfile.write(text.encode())

    return answer


class Receiver:
    """A server on the loopback that answers as it is told to, and keeps what it got."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], str]] = []
        self.answer: Answer = status(204)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                outer.got.append(
                    (self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                )
                outer.answer(self)

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/?of=concord"


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    Thread(target=receiver.server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOKS_PRIVATE = True
    with receiving() as found:
        yield found


def hook(cast: Cast, url: str, types: list[str] = TYPES) -> Webhook:
    return webhooks.add(project=cast.project, url=url, types=types, actor=cast.lead)


def due_now(message: WebhookMessage) -> None:
    WebhookMessage.objects.filter(pk=message.pk).update(next_at=timezone.now())


def verify(secret: str, headers: dict[str, str], body: str) -> bool:
    """As a receiver does by the scheme's text: one of the signatures is right."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    key = base64.b64decode(secret[len("whsec_") :])
    right = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return right in headers["webhook-signature"].split(" ")


def test_the_schemes_own_example() -> None:
    """The vector that the scheme's libraries are tested with."""
    signature = webhook_secrets.sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        '{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_event_is_sent_signed_and_without_typed_text(cast: Cast, receiver: Receiver) -> None:
    made = hook(cast, receiver.url)
    campaigns.move(cast.campaign, "paused", actor=cast.lead)
    event = AuditEvent.objects.get(verb="campaign moved")
    assert [webhooks.enqueue(event), webhooks.enqueue(event)] == [1, 1]  # tried, and stored once
    assert [webhook_calls.send_due(), webhook_calls.send_due()] == [1, 0]
    [(path, headers, body)] = receiver.got
    assert path == "/hooks/?of=concord"
    assert verify(webhook_secrets.secret_of(made), headers, body)
    assert not verify(webhook_secrets.secret_of(made, 7), headers, body)
    told = json.loads(body)
    assert told["type"] == "campaign.moved"
    assert told["timestamp"] == event.at.isoformat()
    assert told["data"] == {
        "event": event.pk,
        "project": cast.project.pk,
        "object_type": "labeling.campaign",
        "object_id": str(cast.campaign.pk),
        "from_state": "open",
        "to_state": "paused",
    }
    assert WebhookMessage.objects.get().state == "sent"


def test_only_what_was_asked_for_by_the_project_it_happened_in(cast: Cast) -> None:
    hook(cast, "https://receiver.example/", ["labels.frozen"])
    off = hook(cast, "https://receiver.example/")
    webhooks.switch(off, False)
    campaigns.move(cast.campaign, "paused")
    assert webhooks.enqueue(AuditEvent.objects.get(verb="campaign moved")) == 0


@pytest.mark.parametrize("code", [301, 400, 500])
def test_what_is_not_2xx_is_tried_again_under_the_same_id(
    cast: Cast, receiver: Receiver, code: int
) -> None:
    receiver.answer = status(code, "no\0pe")
    message = webhooks.test(hook(cast, receiver.url), actor=cast.lead)
    before = timezone.now()
    assert webhook_calls.send_due() == 1
    message.refresh_from_db()
    assert message.state == "waiting"
    assert 4 < (message.next_at - before).total_seconds() < 7
    tried = WebhookAttempt.objects.get()
    assert (tried.status, tried.answer) == (code, "nope")
    receiver.answer = status(200)
    due_now(message)
    assert webhook_calls.send_due() == 1
    message.refresh_from_db()
    assert message.state == "sent"
    assert receiver.got[0][1]["webhook-id"] == receiver.got[1][1]["webhook-id"]
    assert receiver.got[0][2] == receiver.got[1][2]
    assert len(receiver.got) == 2  # no redirect was followed


def test_after_a_day_it_is_given_up_and_leads_are_told(cast: Cast) -> None:
    made = hook(cast, "https://receiver.example/")
    message = webhooks.test(made, actor=cast.lead)
    now, waited = timezone.now(), []
    while message.state == "waiting":
        [taken] = webhooks.claim(5, now)
        webhooks.settle(taken, Outcome(503, 10), now)
        message.refresh_from_db()
        waited.append((message.next_at - now).total_seconds())
        now = max(now, message.next_at)
    assert len(waited) == 8
    assert all(0.9 * w <= had <= 1.1 * w for w, had in zip(webhooks.WAITS, waited, strict=False))
    assert 24 * 3600 < sum(waited[:7]) < 31 * 3600
    assert message.state == "failed"
    assert list(Notice.objects.values_list("user", "kind")) == [(cast.lead.pk, "webhooks")]
    assert webhooks.send_again(message, actor=cast.lead)
    assert len(webhooks.claim(5)) == 1


def test_gone_switches_it_off(cast: Cast, receiver: Receiver) -> None:
    receiver.answer = status(410)
    made = hook(cast, receiver.url)
    webhooks.test(made, actor=cast.lead)
    webhook_calls.send_due()
    made.refresh_from_db()
    assert (made.active, made.gone) == (False, True)
    assert WebhookMessage.objects.get().state == "failed"
    webhooks.switch(made, True, actor=cast.lead)
    made.refresh_from_db()
    assert (made.active, made.gone) == (True, False)


def test_silence_and_a_drip_are_no_answer(
    cast: Cast, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_calls, "SECONDS", 0.3)
    over = Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        while not over.wait(0.05):
            try:
                request.wfile.write(b"H")
            except OSError:
                return

    for answer in (lambda _: over.wait(5), drip):
        receiver.answer = answer  # type: ignore[assignment]
        outcome = webhook_calls.post(receiver.url, {}, "{}")
        assert outcome.status is None
        assert outcome.error
        assert outcome.milliseconds < 3000
    over.set()


def test_a_slow_address_keeps_no_other_waiting(cast: Cast, receiver: Receiver) -> None:
    slow, quick = hook(cast, receiver.url), hook(cast, receiver.url)
    for _ in range(3):
        webhooks.test(slow, actor=cast.lead)
    webhooks.test(quick, actor=cast.lead)
    taken = webhooks.claim(8)
    assert sorted(message.webhook_id for message in taken) == [slow.pk, quick.pk]
    assert webhooks.claim(8)[0].webhook_id == slow.pk  # its next; those taken are not taken twice


def test_while_a_new_secret_is_young_both_sign(cast: Cast, settings: Any) -> None:
    made = hook(cast, "https://receiver.example/")
    old = webhook_secrets.secret_of(made)
    new = webhooks.rotate(made, actor=cast.lead)
    message = webhooks.test(made, actor=cast.lead)
    both = webhook_secrets.headers(message)
    assert verify(old, both, message.body)
    assert verify(new, both, message.body)
    late = webhook_secrets.headers(message, timezone.now() + timedelta(hours=25))
    assert verify(new, late, message.body)
    assert not verify(old, late, message.body)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    assert verify(new, webhook_secrets.headers(message), message.body)


def test_a_secret_stands_in_no_row(cast: Cast) -> None:
    made = hook(cast, "https://receiver.example/")
    assert webhook_secrets.secret_of(made) not in str([*Webhook.objects.values()])
    assert len(base64.b64decode(webhook_secrets.secret_of(made)[6:])) == 32


@pytest.mark.parametrize(
    "url",
    ["http://receiver.example/", "https://", "ftp://x/", "https://a:b@x/", "https://x:99999/",
     "https://x/ y", "https://x/\u202e", "javascript:alert(1)", "https://[::1"],
)  # fmt: skip
def test_an_address_that_cannot_be_is_refused(cast: Cast, url: str) -> None:
    with pytest.raises(webhooks.NotPossible):
        hook(cast, url)
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["10.0.0.8"], ["169.254.169.254"], ["::1"], ["fd00::1"], ["100.64.0.1"],
     ["::ffff:192.168.1.1"], ["64:ff9b::7f00:1"], ["93.184.215.14", "10.0.0.8"],
     ["64:ff9b:1::7f00:1"], ["::127.0.0.1"], ["fec0::1"]],
)  # fmt: skip
def test_no_address_inside_is_called(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    """Not even where it stands beside a public one."""

    def resolved(_host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in answers]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it was called"))
    outcome = webhook_calls.post("https://receiver.example/", {}, "{}")
    assert outcome.status is None
    assert "public internet" in outcome.error
    with pytest.raises(outbound.Unreachable):
        outbound.connect_publicly("https://receiver.example/")


def test_what_was_sent_is_dropped_in_time(cast: Cast, settings: Any) -> None:
    message = webhooks.test(hook(cast, "https://receiver.example/"), actor=cast.lead)
    webhooks.settle(webhooks.claim(1)[0], Outcome(200, 5))
    assert webhooks.forget() == 0
    webhooks.forget(timezone.now() + timedelta(days=31))
    assert not WebhookMessage.objects.filter(pk=message.pk).exists()

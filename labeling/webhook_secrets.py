"""What proves that a message comes from here: the Standard Webhooks scheme (standardwebhooks.com).

A secret is stored nowhere: it is an HMAC of the webhook's random id and its generation under the
installation's own key, so that a copy of the database alone signs nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from labeling.models import Webhook, WebhookMessage

PREFIX = "whsec_"
OVERLAP = timedelta(hours=24)  # for which the secret before a new one signs too


def headers(message: WebhookMessage, now: datetime | None = None) -> dict[str, str]:
    """What goes with the body at this try: its id, the time, and a signature for every secret
    that is valid now."""
    now = now or timezone.now()
    stamp = int(now.timestamp())
    signed = [
        sign(secret, message.public_id, stamp, message.body)
        for secret in _secrets(message.webhook, now)
    ]
    return {
        "content-type": "application/json",
        "user-agent": "Concord",
        "webhook-id": message.public_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": " ".join(signed),
    }


def sign(secret: str, message_id: str, stamp: int, body: str) -> str:
    """ "v1," and the base64 HMAC-SHA256 of ``id.timestamp.body`` under the secret's bytes."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, f"{message_id}.{stamp}.{body}".encode(), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def secret_of(webhook: Webhook, generation: int | None = None, key: str = "") -> str:
    """Of the generation in force. 32 bytes, as the scheme writes them."""
    number = webhook.generation if generation is None else generation
    name = f"concord.webhook:{webhook.public_id.hex}:{number}"
    made = hmac.new((key or settings.SECRET_KEY).encode(), name.encode(), hashlib.sha256)
    return PREFIX + base64.b64encode(made.digest()).decode()


def _secrets(webhook: Webhook, now: datetime) -> list[str]:
    """The newest first. While the installation's own key is being replaced, those that its old
    keys gave are valid too."""
    numbers = [webhook.generation]
    if webhook.rotated_until and webhook.rotated_until > now:
        numbers.append(webhook.generation - 1)
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [secret_of(webhook, number, key) for number in numbers for key in keys]

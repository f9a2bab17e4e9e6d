"""Tries at doors that anybody on the network can try: how many one address made in an hour."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from labeling.models import Knock

HOUR = timedelta(hours=1)
MOST = {"invitation": 30, "password": 10}  # in an hour, from one address


def is_patient(*, door: str, address: str | None, now: datetime | None = None) -> bool:
    """Whether this address may try the door now. Asking is no try."""
    now = now or timezone.now()
    rows = Knock.objects.filter(door=door, address_hmac=_keyed(address), at__gt=now - HOUR)
    return rows.count() < MOST[door]


def note(*, door: str, address: str | None, now: datetime | None = None) -> None:
    """A try. What is older than an hour is forgotten on the way."""
    now = now or timezone.now()
    Knock.objects.filter(at__lt=now - HOUR).delete()
    Knock.objects.create(door=door, address_hmac=_keyed(address), at=now)


def _keyed(address: str | None) -> str:
    """Keyed, since all addresses there are can be hashed in an afternoon."""
    key = settings.SECRET_KEY.encode()
    return hmac.new(key, f"knock {address or '-'}".encode(), hashlib.sha256).hexdigest()

"""The address somebody signs in from, behind as many reverse proxies as are declared."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def of(request: HttpRequest) -> str | None:
    """The client's address, for the lock after wrong passwords.

    Every proxy appends the address it was called from to X-Forwarded-For, so with n proxies of
    our own only the last n entries are theirs; whatever stands further left was typed by the
    client. Without a declared proxy, or with fewer entries than proxies, or where the entry is
    no address, it is the address of the connection.
    """
    direct: str | None = request.META.get("REMOTE_ADDR") or None
    proxies = settings.TRUSTED_PROXIES
    if not proxies:
        return direct
    entries = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    return (_address(entries[-proxies]) if len(entries) >= proxies else None) or direct


def _address(entry: str) -> str | None:
    """192.0.2.1, 192.0.2.1:443, 2001:db8::1 or [2001:db8::1]:443 as an address; else None."""
    text = entry.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None

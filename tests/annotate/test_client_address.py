"""Behind proxies an account is locked for the client's address, which nobody can make up."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, RequestFactory

from annotate import client_address
from tests.factories import PASSWORD, Cast

PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "", PROXY),
        (0, "192.0.2.7", PROXY),  # undeclared: what it says is not believed
        (1, "", PROXY),
        (1, "192.0.2.7", "192.0.2.7"),
        (1, "203.0.113.9, 192.0.2.7", "192.0.2.7"),  # the first was typed by the client
        (1, "203.0.113.9,198.51.100.1 , 192.0.2.7", "192.0.2.7"),
        (2, "203.0.113.9, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        (2, "203.0.113.9", PROXY),  # it did not come through both
        (1, "192.0.2.7:4711", "192.0.2.7"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "2001:DB8:0::1", "2001:db8::1"),
        (1, "unknown", PROXY),
        (1, "203.0.113.9, ", PROXY),
    ],
)
def test_the_last_entries_are_our_proxies(
    settings: Any, proxies: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory(REMOTE_ADDR=PROXY).get("/", headers=headers)
    assert client_address.of(request) == address


def enter(forwarded: str, password: str) -> int:
    client = Client(REMOTE_ADDR=PROXY, headers={"X-Forwarded-For": forwarded})
    status: int = client.post("/sign-in/", {"username": "rater", "password": password}).status_code
    return status


def test_wrong_passwords_through_the_proxy_lock_nobody_else_out(settings: Any, cast: Cast) -> None:
    settings.TRUSTED_PROXIES = 1
    assert [enter("192.0.2.7", "wrong") for _ in range(8)][-1] == 429
    assert enter("192.0.2.7", PASSWORD) == 429
    assert enter("198.51.100.1", PASSWORD) == 302


def test_a_made_up_address_opens_no_locked_account(settings: Any, cast: Cast) -> None:
    settings.TRUSTED_PROXIES = 1
    tries = [enter(f"203.0.113.{n}, 192.0.2.7", "wrong") for n in range(8)]
    assert tries == [200] * 7 + [429]
    assert enter("203.0.113.99, 192.0.2.7", PASSWORD) == 429

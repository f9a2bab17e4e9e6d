"""Every address that shows a page, from the route table, so that no page comes without this: in
light and wide, in dark and 320 pixels, axe-core finds nothing and nothing sticks out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.annotate.test_url_matrix import MATRIX, YES
from tests.annotate.test_url_matrix import addresses as addresses
from tests.browser.test_pages import look, pages_of
from tests.factories import Cast

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
ROLES = ("anonymous", "rater", "lead", "researcher")


def read_by(role: str) -> list[str]:
    """The addresses that are looked at as this role: the first of ROLES who may."""
    return [
        name
        for name, (verbs, audience) in MATRIX.items()
        if "get" in verbs and role == next((one for one in ROLES if audience[one] == YES), None)
    ]


def whole_pages(client: Any, names: list[str], addresses: dict[str, str]) -> Iterator[str]:
    """Those of them that are pages: no files, no fragments, none that leads on."""
    for name in names:
        response = client.get(addresses[name])
        if response.status_code != 200 or response.streaming:
            continue
        if response.content.lstrip().lower().startswith(b"<!doctype html"):
            yield name


@pytest.mark.parametrize("role", ROLES)
def test_pages_of(
    role: str, browser: Browser, live_server: Any, client: Any, cast: Cast, addresses: Any
) -> None:
    if role != "anonymous":
        client.force_login(getattr(cast, role))
    names = list(whole_pages(client, read_by(role), addresses))
    assert names
    wrong = []
    for variant, page in pages_of(browser, client, live_server.url):
        for name in names:
            try:
                look(page, variant, name, live_server.url + addresses[name])
            except AssertionError as error:
                wrong.append(str(error))
    assert not wrong, "\n".join(wrong)

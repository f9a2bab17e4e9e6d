"""Answering one question by keys alone and by taps alone: scripts, and how they are followed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from labeling.models import Assignment, Label
from tests import factories
from tests.browser.keyboard import card_is_open
from tests.factories import Cast

LEAST_TARGET = 44  # CSS pixels, each way
# Between two keys or taps: the page takes none before it is painted, nor before the end of each
# text was on the screen, which it is told of a frame later.
PAUSE_MS = 120

Part = dict[str, Any]


@dataclass(frozen=True)
class Script:
    """A question, how it is answered by keys and by taps (each a selector), and what its stored
    parts say, of completion ids as they stood on the card."""

    parts: dict[str, Part]
    keys: list[str]
    taps: list[str]
    said: Callable[[list[int]], dict[str, Part]]
    texts: int = 2
    submit: bool = True


def answer_by_keys(page: Page, address: str, script: Script) -> None:
    ids = open_card(page, address, scene(script.parts, script.texts))
    for key in script.keys:
        page.keyboard.press(key, delay=PAUSE_MS)
    if script.submit:
        page.keyboard.press("Enter")
    assert is_stored(page) == script.said(ids)


def answer_by_taps(page: Page, address: str, script: Script) -> None:
    """On a small phone: nothing is wider than the screen, and every target is large enough."""
    ids = open_card(page, address, scene(script.parts, script.texts))
    assert page.viewport_size is not None
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]
    read(page)
    for selector in script.taps:
        target = page.locator(f"#judge {selector}")
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= LEAST_TARGET, selector
        target.tap()
    if script.submit:
        page.locator("#submit-answer").tap()
    assert is_stored(page) == script.said(ids)


def step(value: str, name: str = "p-choice") -> str:
    return f"label:has(input[name='{name}'][value='{value}'])"


def press(page: Page, keys: str) -> None:
    for key in keys:
        page.keyboard.press(key, delay=PAUSE_MS)


def scene(parts: dict[str, Part], texts: int) -> Cast:
    cast = factories.make_cast(parts=parts)
    said = [f"Answer number {n} of {texts}." for n in range(texts)]
    factories.open_comparisons(cast.campaign, 3, texts=said)
    return cast


def open_card(page: Page, address: str, cast: Cast) -> list[int]:
    """Signed in as the rater, with the card open; its completion ids from left to right."""
    go_to_card(page, address, cast)
    card_is_open(page)
    if page.locator("#submit-answer").count():
        expect(page.locator(".part.active")).to_have_count(1)  # the parts listen to keys
    return shown(page)


def go_to_card(page: Page, address: str, cast: Cast) -> None:
    client = Client()
    client.force_login(cast.rater)
    name = django_settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": address}])
    page.goto(address + reverse("card", args=[cast.campaign.slug]))


def read(page: Page) -> None:
    """Scroll to the end of the page, as far as a finger does at a time."""
    while page.evaluate(
        "scrollBy(0, 300), scrollY + innerHeight < document.body.scrollHeight - 1"
    ):
        page.wait_for_timeout(PAUSE_MS)
    page.wait_for_timeout(4 * PAUSE_MS)  # longer than a double click lasts


def shown(page: Page) -> list[int]:
    public_id = page.locator("#card").get_attribute("data-assignment")
    return list(Assignment.objects.get(public_id=public_id).order)


def is_stored(page: Page, count: int = 1) -> dict[str, Any]:
    """The parts of the newest of so many labels, once the page says that all is saved."""
    expect(page.locator("#tally")).to_contain_text(f"{count} by you")
    labels = Label.objects.filter(kind="answer").order_by("-id")
    assert labels.count() == count
    parts: dict[str, Any] = labels[0].answer["parts"]
    return parts

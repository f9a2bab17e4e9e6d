"""What a browser asks for on the first visit to a rating page, of every preset."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Page, expect

from annotate.bench.pages import AHEAD, MOST_REQUESTS
from labeling.models import Conversation
from labeling.presets import PRESETS, Preset
from labeling.questions import live
from tests.annotate.test_first_visit import scene
from tests.browser.keyboard import card_is_open, held

pytestmark = pytest.mark.long


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_a_first_visit(
    transactional_db: Any, live_server: Any, watched: Page, preset: Preset
) -> None:
    """The page, what it loads, and the two cards that lie ahead: all from its own host."""
    cast = scene(preset)
    client = Client()
    client.force_login(cast.rater)
    name = django_settings.SESSION_COOKIE_NAME
    cookie: Any = {"name": name, "value": client.cookies[name].value, "url": live_server.url}
    watched.context.add_cookies([cookie])
    asked: list[str] = []
    watched.on("request", lambda request: asked.append(request.url))
    if live.of(preset.parts):
        watched.goto(f"{live_server.url}/talks/{Conversation.objects.get().public_id}/")
        expect(watched.locator("#talk")).to_have_attribute("data-ready", "yes")
    else:
        watched.goto(f"{live_server.url}/rate/helpful/")
        card_is_open(watched)
        held(watched, AHEAD)
    loaded = [url for url in asked if not url.startswith("data:")]
    assert len(loaded) <= MOST_REQUESTS, loaded
    assert {urlsplit(url).netloc for url in loaded} == {urlsplit(live_server.url).netloc}

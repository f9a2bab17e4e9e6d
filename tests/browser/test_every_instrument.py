"""Every preset of the library as a rater has it, on a small phone in the dark and on a wide screen
in the light: axe-core finds nothing, nothing sticks out, and what is touched is large enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from labeling import conversations, presets
from labeling.models import User
from tests.browser import axe
from tests.browser.instruments import LEAST_TARGET
from tests.factories import Cast, CheckpointFactory, make_cast, open_comparisons
from tests.talks import answer, begun, say

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
PHONE: Any = {
    "viewport": {"width": 360, "height": 640},
    "has_touch": True,
    "is_mobile": True,
    "color_scheme": "dark",
}
WIDE: Any = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
# A label is the target of what it holds.
CONTROLS = "button, summary, select, textarea, input:not(.sr, [type=hidden])"
TOO_SMALL = f"""() => [...document.querySelectorAll(
  '.bar :is(a, button), :is(#rate, #talk) :is({CONTROLS}, label:has(input.sr))')]
  .filter((one) => one.checkVisibility({{ visibilityProperty: true }}))
  .map((one) => one.closest('label') || one)
  .map((one) => [one, one.getBoundingClientRect()])
  .filter(([, box]) => box.width && box.height && Math.min(box.width, box.height) < LEAST)
  .map(([one, box]) => `${{one.outerHTML.slice(0, 90)}} ${{box.width}} x ${{box.height}}`)"""


def stages(name: str) -> tuple[Cast, list[Any]]:
    """The cast of a campaign of this preset, and what happens in it from page to page."""
    preset = presets.PRESETS[name]
    cast = make_cast(parts=preset.parts)
    if conversations.live_of(cast.campaign) is None:
        texts = [f"Answer {number} of **these**." for number in range(preset.completions)]
        open_comparisons(cast.campaign, 2, texts=texts)
        return cast, []
    CheckpointFactory(project=cast.project, name="trained", parent=cast.campaign.first_policy)
    talk = begun(cast)
    replies = [f"Reply {number}." for number in range(len(talk.speakers))]
    acts = [lambda: say(talk), lambda: answer(talk, *replies)]
    if conversations.form_of(talk).kind == "red_team" and not conversations.form_of(talk).each:
        acts.append(lambda: conversations.finish(talk=talk))
    return cast, acts


def pages(browser: Browser, client: Any, rater: User, address: str) -> Iterator[Page]:
    """One a screen, both signed in."""
    client.force_login(rater)
    value = client.cookies["sessionid"].value
    for how in (PHONE, WIDE):
        context = browser.new_context(**how)
        context.add_cookies([{"name": "sessionid", "value": value, "url": address}])
        yield context.new_page()


def look(page: Page, url: str) -> None:
    page.goto(url)
    ready = page.locator("#rate[data-ready], #talk[data-ready]")
    expect(ready).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert axe.violations(page) == []
    if page.evaluate("matchMedia('(pointer: coarse)').matches"):
        assert page.evaluate(TOO_SMALL.replace("LEAST", str(LEAST_TARGET))) == []


@pytest.mark.parametrize("name", presets.PRESETS)
def test_an_instrument(browser: Browser, live_server: Any, client: Any, name: str) -> None:
    cast, acts = stages(name)
    phone, wide = pages(browser, client, cast.rater, live_server.url)
    for act in [lambda: None, *acts]:
        act()
        for page in (phone, wide):
            look(page, f"{live_server.url}/{'talk' if acts else 'rate'}/helpful/")
    phone.context.close()
    wide.context.close()

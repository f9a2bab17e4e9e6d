"""A rater works through the cards in German, by keyboard, and its longer words fit a phone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from labeling import presets
from labeling.models import Label
from tests.browser.keyboard import card_is_open, enter, rate
from tests.factories import CampaignFactory, Cast, make_cast, open_comparisons

pytestmark = pytest.mark.long

PHONE: ViewportSize = {"width": 360, "height": 740}
INSTRUMENTS = ("llama2", "llama2_safety", "instruct_gpt", "helpsteer", "tulu", "rewrite")
# What sticks out of the window or of its own box, and is not there to be scrolled.
STICKS_OUT = """() => [...document.querySelectorAll('button, .btn, .step, summary, kbd, .chip')]
  .filter(one => one.checkVisibility() && !one.closest('.scroll') && !one.closest('.sr'))
  .filter(one => {
    const box = one.getBoundingClientRect();
    const wide = one.scrollWidth > one.clientWidth + 1;
    return box.left < -1 || box.right > window.innerWidth + 1 || (one.clientWidth && wide);
  })
  .map(one => one.textContent.trim())"""


@pytest.fixture
def scene(transactional_db: Any) -> Cast:
    cast = make_cast()
    open_comparisons(cast.campaign, 2)
    return cast


def test_a_rater_works_a_queue_to_its_end_in_german(
    watched: Page, live_server: Any, scene: Cast
) -> None:
    page = watched
    page.goto(f"{live_server.url}/sign-in/")
    page.get_by_role("button", name="Deutsch", exact=True).click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    enter(page, "rater")
    page.get_by_role("link", name="Bewerten", exact=True).last.click()
    card_is_open(page)
    expect(page.get_by_role("button", name="A ist erheblich besser.")).to_be_visible()

    rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Gespeichert")
    rate(page, "Backspace")
    expect(page.locator("#note")).to_contain_text("Zurückgenommen. Wähle neu.")
    rate(page, "8")
    rate(page, "2")
    expect(page.get_by_role("heading", name="Gerade ist nichts mehr für dich da")).to_be_visible()
    expect(page.locator("#saved")).to_have_text("Gespeichert")
    in_force = Label.objects.filter(rater=scene.rater, kind="answer", superseded_by=None)
    said = [one.answer["parts"]["preference"]["strength"] for one in in_force.order_by("id")]
    assert said == ["slightly", "better"]


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_german_fits_a_phone(
    browser: Browser, live_server: Any, client: Any, transactional_db: Any, name: str
) -> None:
    preset = presets.PRESETS[name]
    cast = make_cast()
    campaign = CampaignFactory(project=cast.project, slug="cards", parts=preset.parts)
    open_comparisons(campaign, 2, texts=tuple(f"Text {n}." for n in range(preset.completions)))
    client.force_login(cast.rater)
    context = browser.new_context(viewport=PHONE, locale="de-DE")
    session = client.cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page = context.new_page()
    for address in ("/rate/cards/", "/rate/", "/account/"):
        page.goto(live_server.url + address)
        expect(page.locator("html")).to_have_attribute("lang", "de")
        widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert widths[0] <= widths[1], f"{address} is {widths[0]} wide"
        assert page.evaluate(STICKS_OUT) == [], address
    context.close()

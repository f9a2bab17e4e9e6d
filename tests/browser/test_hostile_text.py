"""The hostile corpus on real cards: nothing runs, no request leaves, the keys go on working."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from labeling import rendering
from labeling.models import Comparison
from labeling.rendering import wall
from tests.browser.keyboard import card_is_open, rate, sign_in
from tests.factories import Cast, make_cast, open_comparisons
from tests.hostile.sizes import huge
from tests.hostile.texts import TEXTS

pytestmark = pytest.mark.long

ON_A_SIDE = 18  # texts: the corpus on a dozen cards
OF_THE_DIFFERENCE = [["mark", {"class": "only"}], ["p", {"class": "note"}]]
WATCH = """
addEventListener("securitypolicyviolation", (event) => {
  window.violations = [...(window.violations || []), event.blockedURI + " " + event.sourceFile];
});
"""
BROUGHT = """() => {
  const brought = [...document.querySelectorAll(".text *, .said *")].map((one) => [
    one.localName, Object.fromEntries([...one.attributes].map((a) => [a.name, a.value])),
  ]);
  return [...new Set(brought.map((one) => JSON.stringify(one)))];
}"""
LINKS = """() => [...document.querySelectorAll(".text a")].map((link) =>
  [URL.canParse(link.href) ? new URL(link.href) : null, link.nextElementSibling.textContent]
).filter(([url]) => url).map(([url, said]) => [url.protocol, url.host || url.pathname, said])"""


class Watch:
    """What an attack would have done to a page, as the browser reports it."""

    def __init__(self, page: Page, host: str) -> None:
        self.page, self.host = page, host
        self.left: list[str] = []
        self.shown: list[str] = []
        page.context.route("**/*", self._request)
        page.on("dialog", self._dialog)
        page.on("popup", lambda popup: self.shown.append(popup.url))
        page.on("download", lambda download: self.shown.append(download.url))
        page.add_init_script(WATCH)

    def _request(self, route: Route) -> None:
        if urlsplit(route.request.url).netloc == self.host:
            return route.continue_()
        self.left.append(route.request.url)
        return route.abort()

    def _dialog(self, dialog: Dialog) -> None:
        self.shown.append(dialog.message)
        dialog.dismiss()

    def assert_nothing_happened(self) -> None:
        assert self.left == []
        assert self.shown == []
        assert self.page.evaluate("[window.owned, window.violations]") == [None, None]
        assert urlsplit(self.page.url).path == "/rate/helpful/"


@pytest.fixture
def cast(transactional_db: Any) -> Cast:
    return make_cast()


@pytest.fixture
def watch(watched: Page, live_server: Any) -> Watch:
    return Watch(watched, urlsplit(live_server.url).netloc)


def storable(text: str) -> str:
    """Without what no database keeps: halves of surrogate pairs, and NUL in PostgreSQL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def put_on_a_card(cast: Cast, left: list[str], right: list[str]) -> Comparison:
    """Two completions of some texts each, rendered one by one so that none swallows the next,
    under a prompt of all of them."""
    sides = [[storable(text) for text in texts] for texts in (left, right)]
    messages = [{"role": "user", "content": text} for text in sides[0] + sides[1]]
    texts = tuple("\n\n".join(side) for side in sides)
    (made,) = open_comparisons(cast.campaign, 1, texts=texts, prompt__messages=messages)
    for completion, side in zip(made.completions.order_by("id"), sides, strict=True):
        completion.html = "".join(rendering.render(text) for text in side)
        completion.renderer = rendering.RENDERER
        completion.save()
    return made


def open_first(page: Page, address: str) -> None:
    sign_in(page, address, "rater")
    page.goto(f"{address}/rate/helpful/")
    card_is_open(page)


def look_at_every_view(page: Page) -> None:
    for key, view in (("r", "raw"), ("d", "diff"), ("d", "rendered")):
        page.keyboard.press(key)
        for side in page.locator(f'.side [data-shown="{view}"]').all():
            expect(side).to_be_visible()


def read_to_the_end(page: Page) -> None:
    """The judgement bar wakes when both ends were on the screen."""
    for mark in page.locator(".end-mark").all():
        mark.evaluate("one => one.scrollIntoView({ block: 'center', behavior: 'instant' })")
        page.wait_for_timeout(60)
    expect(page.locator(".judge")).not_to_have_class(re.compile("asleep"))


def assert_only_allowed(page: Page) -> None:
    """By the browser's own parser: elements and attributes of the wall, and the difference's."""
    for one in page.evaluate(BROUGHT):
        tag, attributes = json.loads(one)
        if [tag, attributes] in OF_THE_DIFFERENCE:
            continue
        assert tag in wall.TAGS, one
        assert set(attributes) <= wall.ATTRIBUTES.get(tag, set()) | {"href", "target", "rel"}, one
        assert attributes.get("class", "ctl") in wall.CLASSES, one


def assert_links_lead_where_they_say(page: Page) -> None:
    for protocol, place, said in page.evaluate(LINKS):
        assert protocol in ("http:", "https:", "mailto:")
        host = place.rpartition("@")[2]
        assert said.removesuffix(")").split(" · ")[-1].removeprefix("(") == host


def test_the_whole_corpus_is_inert(watch: Watch, live_server: Any, cast: Cast) -> None:
    cast.campaign.guideline.markdown = storable("\n\n".join(TEXTS.values()))
    cast.campaign.guideline.save()
    texts = list(TEXTS.values())
    batches = [texts[i : i + ON_A_SIDE] for i in range(0, len(texts), ON_A_SIDE)]
    for left, right in zip(batches[::2], batches[1::2], strict=True):
        put_on_a_card(cast, left, right)
    page = watch.page
    open_first(page, live_server.url)
    page.keyboard.press("g")
    expect(page.locator("#guidelines-text .text")).to_be_visible()
    page.keyboard.press("g")
    for _ in batches[::2]:
        look_at_every_view(page)
        assert_only_allowed(page)
        assert_links_lead_where_they_say(page)
        assert page.locator("#judge .step").count() == 8
        watch.assert_nothing_happened()
        read_to_the_end(page)
        rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Saved")
    watch.assert_nothing_happened()


def test_huge_texts_leave_the_page_usable(watch: Watch, live_server: Any, cast: Cast) -> None:
    texts = list(huge().values())
    for left, right in zip(texts[::2], texts[1::2], strict=True):
        put_on_a_card(cast, [left], [right])
    page = watch.page
    open_first(page, live_server.url)
    for _ in texts[::2]:
        look_at_every_view(page)
        assert_only_allowed(page)
        read_to_the_end(page)
        rate(page, "1")
    watch.assert_nothing_happened()

"""Texts that attack the page stay text, judged by what the browser made of them."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, Request

from labeling import rendering
from tests.browser.keyboard import card_is_open, sign_in
from tests.factories import make_cast, open_comparisons

HOSTILE = """<script>window.owned = 1</script>
<img src="https://evil.example/x.png" onerror="window.owned=2">
<svg onload="window.owned=3"><animate onbegin="window.owned=4" attributeName=x></svg>
<div hx-get="/account/" hx-trigger="load" hx-target="body">x</div>
<b data-hx-get="/account/">y</b> <style>.judge { display: none }</style>
<form id="judge" action="https://evil.example/"><input name=key>
</div></article></main><button class="step left" name="choice-preference">z</button>

[click](javascript:window.owned=5) ![p](https://evil.example/y.png) <https://evil.example/z>

\u202egnp.exe \u2066 \u200b\u200b # heading

```html
<script>window.owned = 6</script>
```
"""


def test_hostile_texts_are_inert(watched: Page, live_server: Any, transactional_db: Any) -> None:
    cast = make_cast()
    cast.campaign.guideline.markdown = HOSTILE
    cast.campaign.guideline.save()
    messages = [{"role": "user", "content": HOSTILE}]
    made = open_comparisons(
        cast.campaign, 1, texts=(HOSTILE, HOSTILE + "!"), prompt__messages=messages
    )
    for completion in made[0].completions.all():
        completion.html = rendering.render(completion.text)
        completion.renderer = rendering.RENDERER
        completion.save()
    asked: list[str] = []
    page = watched
    page.on("request", lambda request: asked.append(_host(request)))
    sign_in(page, live_server.url, "rater")
    page.goto(f"{live_server.url}/rate/helpful/")
    card_is_open(page)
    for key in ("r", "d", "d", "g"):
        page.keyboard.press(key)
        page.wait_for_timeout(150)
    assert page.evaluate("window.owned") is None
    inside = ".text, .said, #guidelines-text"
    for forbidden in ("script", "style", "img", "svg", "form", "button", "input", "[hx-get]",
                      "[data-hx-get]", "[onerror]", "[style]", "[id]"):  # fmt: skip
        found = page.locator(f":is({inside}) {forbidden}").count()
        assert found == 0, forbidden
    assert page.locator(".judge").is_visible()
    assert page.locator("#judge .step").count() == 8
    assert page.locator("#judge").get_attribute("action").startswith("/answers/")
    hrefs = page.locator(f":is({inside}) a").evaluate_all("links => links.map(a => a.href)")
    assert all(href.startswith(("https://", "http://", "mailto:")) for href in hrefs)
    assert set(asked) == {live_server.url.split("//")[1]}


def _host(request: Request) -> str:
    return request.url.split("//")[1].split("/")[0]

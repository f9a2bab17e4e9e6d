"""A lead counts the labels by a press and reads the figures, in both themes and on a phone."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, Page

from labeling import quality_job
from models_runtime.models import Job
from tests.browser import scenes
from tests.browser.test_pages import look, pages_of


def test_the_quality_page_before_and_after_a_count(
    browser: Browser, live_server: Any, client: Any, transactional_db: Any
) -> None:
    cast = scenes.labelled_scene()
    client.force_login(cast.lead)
    url = f"{live_server.url}/campaigns/helpful/quality/"
    for variant, page in pages_of(browser, client, live_server.url):
        look(page, variant, "quality-empty", url)
    job = quality_job.start(cast.campaign, cast.lead)
    assert job
    for variant, page in pages_of(browser, client, live_server.url):
        look(page, variant, "quality-under-way", url)
    found = quality_job.reports(cast.campaign)
    Job.objects.filter(pk=job.pk).update(state="succeeded", result=found)
    for variant, page in pages_of(browser, client, live_server.url):
        look(page, variant, "quality", url)
        assert page.get_by_role("heading", name="Label quality").is_visible()


def test_it_is_reached_and_begun_by_keyboard(
    page: Page, live_server: Any, client: Any, transactional_db: Any
) -> None:
    cast = scenes.labelled_scene()
    client.force_login(cast.lead)
    cookie = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    page.goto(f"{live_server.url}/campaigns/helpful/")
    page.get_by_role("link", name="Label quality").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Count now").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Counting labels").wait_for()

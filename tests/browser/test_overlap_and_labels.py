"""How many labels a comparison gets, and the labels behind a number, in both themes and small."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from labeling import adaptive, quality_job
from labeling.adaptive import Rule
from models_runtime.models import Job
from tests.browser import scenes
from tests.browser.test_pages import look, pages_of

pytestmark = pytest.mark.long


def test_both_pages_and_the_figures_that_lead_to_them(
    browser: Browser, live_server: Any, client: Any, transactional_db: Any
) -> None:
    cast = scenes.labelled_scene()
    adaptive.change(campaign=cast.campaign, rule=Rule(1, "belief", 3, 0.8))
    client.force_login(cast.lead)
    job = quality_job.start(cast.campaign, cast.lead)
    assert job
    found = quality_job.reports(cast.campaign)
    Job.objects.filter(pk=job.pk).update(state="succeeded", result=found)
    campaign = f"{live_server.url}/campaigns/helpful"
    for variant, page in pages_of(browser, client, live_server.url):
        look(page, variant, "overlap", f"{campaign}/overlap/")
        look(page, variant, "labels-none", f"{campaign}/labels/?said=both_bad")
        look(page, variant, "quality-figures", f"{campaign}/quality/")
        page.get_by_role("link", name="better", exact=True).first.click()
        page.get_by_role("heading", name="Labels").wait_for()
        look(page, variant, "labels", page.url)

"""A researcher starts a recipe, stops it and goes on, by keyboard alone; its pages fit a phone."""

from __future__ import annotations

import os
from typing import Any

from playwright.sync_api import Page, expect

from models_runtime import jobs
from models_runtime.jobdir import publish
from models_runtime.models import Job
from tests.browser import scenes
from tests.browser.keyboard import reach, sign_in
from training import pair_graphs
from training.models import PairGraph, TrainingRun


def test_a_contrast_is_started_stopped_and_taken_up_again(
    watched: Page, live_server: Any, transactional_db: Any
) -> None:
    scenes.review_scene(12)
    page = watched
    sign_in(page, live_server.url, "researcher")
    page.goto(f"{live_server.url}/campaigns/helpful/3/recipes/contrast/")
    reach(page, "textbox", "Weak prompt")
    page.keyboard.type("Answer rudely.")
    reach(page, "button", "Start the run")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Round 1", exact=True)).to_be_visible()
    for button, then, state in (("Stop", "Go on", "stopped"), ("Go on", "Stop", "running")):
        reach(page, "button", button)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name=then, exact=True)).to_be_visible()
        assert PairGraph.objects.get().state == state
    reach(page, "button", "Cancel")
    page.keyboard.press("Enter")
    page.wait_for_timeout(2600)  # one poll of the live part
    assert PairGraph.objects.get().state == "running"
    page.keyboard.press("Enter")
    expect(page.get_by_text("cancelled").first).to_be_visible()
    assert PairGraph.objects.get().state == "cancelled"


def test_its_pages_fit_a_phone(
    phone: Page, live_server: Any, transactional_db: Any, settings: Any, tmp_path: Any
) -> None:
    settings.JOBS_DIR = tmp_path
    cast = scenes.review_scene(12)
    iteration = cast.campaign.iterations.get(number=3)
    options = {"weak_prompt": "Answer rudely."}
    graph = pair_graphs.start(iteration=iteration, recipe="contrast", options=options)
    run = TrainingRun.objects.get(method="dpo", iteration=iteration, role="policy", output=None)
    Job.objects.filter(pk=run.job_id).update(dir="train-1")
    run.job.refresh_from_db()
    for step in (25, 50):
        with publish(jobs.folder(run.job) / "attempt-1" / "checkpoints" / f"step-{step}") as made:
            (made / "state.pt").write_bytes(b"-")
    sign_in(phone, live_server.url, "researcher")
    own = ("recipes/contrast/", "recipes/online_dpo/", "")
    pages = [f"/campaigns/helpful/3/{one}" for one in own]
    pages += [f"/graphs/{graph.pk}/", f"/jobs/{run.job_id}/", f"/jobs/{run.job_id}/rate/"]
    for number, address in enumerate(pages):
        phone.goto(live_server.url + address)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 360, address
        if folder := os.environ.get("SHOTS"):
            phone.screenshot(path=f"{folder}/{number}.png", full_page=True)
            phone.set_viewport_size({"width": 1280, "height": 900})
            phone.screenshot(path=f"{folder}/{number}-wide.png", full_page=True)
            phone.set_viewport_size({"width": 360, "height": 640})

"""A whole iteration by the keyboard alone, on the real stack: a rater, a lead, a researcher."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.annotate.launching import ROOT, Launcher, environment, launched
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.keyboard import card_is_open, rate, reach, sign_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.xdist_group("stack"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"the browser lane needs {CHROMIUM}"),
]
JOB_MS = 180_000  # sampling, training, evaluating: seconds each, minutes on a busy machine


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {"executable_path": str(CHROMIUM), "args": FLAGS, "headless": True}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Launcher]:
    data = tmp_path / "data"
    with launched(data, "serve", ALLOWED_HOSTS="127.0.0.1") as launcher:
        launcher.wait_until_ready()
        made = [sys.executable, "-m", "tests.flows.small_demo"]
        subprocess.run(made, cwd=ROOT, env=environment(data), check=True)
        yield launcher


def enter_as(browser: Browser, stack: Launcher, name: str, path: str) -> Page:
    """A session of one's own, at a page."""
    page = browser.new_context().new_page()
    address = f"http://127.0.0.1:{stack.port}"
    sign_in(page, address, name)
    page.goto(f"{address}{path}")
    return page


def press_twice(page: Page, name: str, again: str) -> None:
    reach(page, "button", name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=again)).to_be_focused()
    page.keyboard.press("Enter")


def rate_ten_undo_one_skip_one(page: Page) -> None:
    expect(page.locator("#card")).to_have_attribute(
        "data-assignment", re.compile("-"), timeout=JOB_MS
    )
    card_is_open(page)
    for key in "1234789012":
        rate(page, key)
    rate(page, "Backspace")
    rate(page, "9")
    page.keyboard.press("x")
    rate(page, "1")
    expect(page.locator("#saved")).to_have_text("Saved")
    expect(page.locator("#tally")).to_contain_text("10 by you")


def simulate_and_freeze(page: Page) -> None:
    button = page.get_by_role("button", name=re.compile("^Let simulated raters add [0-9]+$"))
    expect(button).to_be_visible()
    reach(page, "button", button.inner_text())
    page.keyboard.press("Enter")
    expect(page.get_by_text("Simulated raters begin.")).to_be_visible()
    expect(page.locator(".kpi").first).to_contain_text(
        re.compile(r"and \d\d+ simulated"), timeout=JOB_MS
    )
    # They take all that there is, but for what somebody holds meanwhile.
    idle = page.get_by_role(
        "button", name=re.compile("raters add [0-9]+$|No card is left for them")
    )
    expect(idle).to_be_visible(timeout=JOB_MS)
    press_twice(page, "Freeze and train", "Press again to end collecting")
    expect(page.get_by_text("Collecting ends")).to_be_visible()


def promote(page: Page) -> None:
    button = page.get_by_role("button", name=re.compile("^Promote "))
    expect(button).to_be_visible(timeout=2 * JOB_MS)
    expect(page.locator(".curves figure").first).to_be_visible()
    press_twice(page, button.inner_text(), "Press again to promote")
    expect(page.get_by_text("is the policy now.")).to_be_visible()


def test_from_sign_in_to_the_next_iteration_s_card(browser: Browser, stack: Launcher) -> None:
    rater = enter_as(browser, stack, "rater1", "/rate/small/")
    rate_ten_undo_one_skip_one(rater)
    lead = enter_as(browser, stack, "lead", "/campaigns/small/")
    expect(lead.locator(".kpi b").first).to_have_text("10")
    simulate_and_freeze(lead)

    promote(enter_as(browser, stack, "researcher", "/campaigns/small/1/"))

    waiting = enter_as(browser, stack, "rater2", "/rate/small/")
    expect(waiting.locator("#card")).to_have_attribute(
        "data-assignment", re.compile("-"), timeout=JOB_MS
    )
    card_is_open(waiting)
    rate(waiting, "0")
    expect(waiting.locator("#tally")).to_contain_text("1 by you")
    samples = enter_as(browser, stack, "researcher", "/campaigns/small/2/")
    expect(samples.locator(".node").nth(1)).to_contain_text("demo-policy, ")  # old and new

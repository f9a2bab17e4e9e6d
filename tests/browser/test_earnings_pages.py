"""The pages of statements, payrolls, questions about cards and contributors, with something on
them: as tests/browser/test_pages.py looks at all others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser

from labeling import boards, card_questions, leases, pay_disputes, rates
from labeling.card_questions import Reply
from labeling.models import Exclusion, PayRate, SetAside
from models_runtime.models import Job
from tests.browser.scenes import rating_scene
from tests.browser.test_pages import look, pages_of
from tests.factories import Cast, open_comparisons
from tests.labeling.test_earnings import MARCH, rate, said, utc

DAYS = "?month=2026-03"


@pytest.fixture
def busy(transactional_db: Any, monkeypatch: pytest.MonkeyPatch) -> Cast:
    """A paid month with a new rate, a label put aside, disputes, questions and a board."""
    cast = rating_scene(12)
    open_comparisons(cast.campaign, 2)
    rate(cast, "label", "0.125", rates.BEGINNING)
    rate(cast, "hour", "18", utc(16, 0))
    bad = said(cast.rater, cast, utc(3), 95)
    for day in (4, 20, 21):
        said(cast.rater, cast, utc(day), 95)
    said(cast.other_rater, cast, utc(5), 40)
    act = Exclusion.objects.create(
        campaign=cast.campaign, rater=cast.rater, from_at=utc(1), until=utc(3, 13),
        reason="guidelines", state="applied",
    )  # fmt: skip
    SetAside.objects.create(label=bad, exclusion=act)
    done = pay_disputes.begin(
        rater=cast.other_rater, campaign=cast.campaign, period=MARCH, text="One is missing."
    )
    pay_disputes.answer(dispute=done, is_upheld=False, sentence="It was late.", actor=cast.lead)
    pay_disputes.begin(
        rater=cast.rater, campaign=cast.campaign, period=MARCH, text="I worked for two hours."
    )
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    for text in ("Does a longer answer count more?", "What if both are wrong?"):
        asked = card_questions.ask(assignment=card, text=text)
    reply = Reply("Take the *less* wrong one.", told="What if both are wrong?")
    card_questions.answer(question=asked, reply=reply, actor=cast.lead)
    cast.campaign.shows_board = True
    cast.campaign.pay_per, cast.campaign.pay_currency = "hour", "EUR"
    cast.campaign.pay_amount = PayRate.objects.latest("from_at").amount
    cast.campaign.save()
    agrees = {"value": 0.9, "low": 0.8, "high": 0.95}
    raters = [
        {"rater": one.pk, "labels": 400, "agrees": agrees}
        for one in (cast.rater, cast.other_rater)
    ]
    job = Job(result={"person": {"raters": raters}}, finished_at=datetime(2026, 3, 1, tzinfo=UTC))
    monkeypatch.setattr(boards.quality_job, "counted", lambda campaign: job)
    return cast


@pytest.mark.long
def test_what_a_rater_sees(busy: Cast, browser: Browser, live_server: Any, client: Any) -> None:
    client.force_login(busy.rater)
    address = live_server.url
    for variant, page in pages_of(browser, client, address):
        look(page, variant, "statement", f"{address}/account/statement/{DAYS}")
        look(page, variant, "statement-empty", f"{address}/account/statement/?month=2026-01")
        look(page, variant, "board", f"{address}/rate/helpful/board/")
        look(page, variant, "card-with-question", f"{address}/rate/helpful/")


@pytest.mark.long
def test_what_a_lead_sees(busy: Cast, browser: Browser, live_server: Any, client: Any) -> None:
    client.force_login(busy.lead)
    campaign = f"{live_server.url}/campaigns/helpful"
    for variant, page in pages_of(browser, client, live_server.url):
        look(page, variant, "payroll", f"{campaign}/payroll/{DAYS}")
        theirs = f"{campaign}/payroll/{busy.rater.public_id}/{DAYS}"
        look(page, variant, "rater-statement", theirs)
        look(page, variant, "payrolls", f"{live_server.url}/payroll/{DAYS}")
        look(page, variant, "pay", f"{campaign}/pay/")
        look(page, variant, "questions", f"{campaign}/questions/")
        look(page, variant, "questions-answered", f"{campaign}/questions/?answered=yes")
        look(page, variant, "campaign-board", f"{campaign}/board/")

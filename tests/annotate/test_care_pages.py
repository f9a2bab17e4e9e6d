"""Content warnings in the browser: agreed to first, veiled, left, and settled by leads."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from labeling import care, leases
from labeling.care import Care
from labeling.models import Assignment, Boundary, Label, Prompt, User
from models_runtime.models import AuditEvent
from tests.factories import Cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
WARNING = "You will read about <b>violence</b>."
PAGE = "/rate/helpful/care/"


@pytest.fixture
def rater(cast: Cast) -> Client:
    settings = Care(WARNING, needs_consent=True, veiled=True, daily_cards=2)
    care.settle(campaign=cast.campaign, care=settings)
    open_comparisons(cast.campaign, 4)
    Prompt.objects.update(category="violence", tags=["night"])
    return _signed_in(cast.rater)


def test_no_card_is_shown_before_the_warning_was_agreed_to(rater: Client, cast: Cast) -> None:
    for _ in range(2):
        response = rater.get("/rate/helpful/", follow=True)
        assert response.redirect_chain == [(PAGE, 302)]
        assert "&lt;b&gt;violence&lt;/b&gt;" in response.content.decode()
    assert not Assignment.objects.exists()
    assert rater.get("/rate/helpful/ahead/").status_code == 204
    response = rater.post(PAGE, {"act": "consent"}, follow=True)
    assert response.redirect_chain[-1][0] == "/rate/helpful/"
    assert 'id="judge"' in response.content.decode()


def test_a_script_that_asks_for_a_card_is_told_why_there_is_none(rater: Client) -> None:
    body = rater.get("/rate/helpful/", headers={"HX-Request": "true"}).content.decode()
    assert "This campaign has a content warning" in body
    assert f'href="{PAGE}"' in body


def test_texts_stay_veiled_until_the_box_is_ticked(rater: Client) -> None:
    rater.post(PAGE, {"act": "consent"})
    body = rater.get("/rate/helpful/").content.decode()
    assert body.count('id="veil"') == 1
    assert 'data-codes="KeyV"' in body


def test_a_campaign_without_a_warning_has_no_veil_and_no_page(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    client = _signed_in(cast.rater)
    body = client.get("/rate/helpful/").content.decode()
    assert 'id="veil"' not in body
    assert 'id="care"' not in body
    assert client.get(PAGE)["Location"] == "/rate/helpful/"


def test_a_kind_is_left_from_the_card_and_taken_back_on_the_page(
    rater: Client, cast: Cast
) -> None:
    rater.post(PAGE, {"act": "consent"})
    body = rater.get("/rate/helpful/").content.decode()
    assert 'value="violence"' in body
    assert 'value="night"' in body
    response = rater.post(PAGE, {"act": "leave", "kind": "night"}, follow=True)
    assert "You left some kinds of prompts" in response.content.decode()
    assert not Assignment.objects.filter(state="skipped").exists()
    page = rater.get(PAGE).content.decode()
    assert "Kinds that you left" in page
    response = rater.post(PAGE, {"act": "return", "kind": "night"}, follow=True)
    assert "Kinds that you left" not in response.content.decode()
    assert 'id="judge"' in rater.get("/rate/helpful/").content.decode()


def test_nobody_is_promised_to_leave_a_kind_where_prompts_have_none(rater: Client) -> None:
    rater.post(PAGE, {"act": "consent"})
    assert "You may leave a kind of prompt" in rater.get(PAGE).content.decode()
    assert "You need not read this" in rater.get("/rate/helpful/").content.decode()
    Prompt.objects.update(category="", tags=[])
    assert "You may leave a kind of prompt" not in rater.get(PAGE).content.decode()
    assert "You need not read this" not in rater.get("/rate/helpful/").content.decode()


def test_no_limit_is_an_empty_field(cast: Cast) -> None:
    care.settle(campaign=cast.campaign, care=Care(WARNING))
    page = _signed_in(cast.lead).get("/campaigns/helpful/care/").content.decode()
    field = re.search(r'<input[^>]*name="daily_cards"[^>]*>', page)
    assert field is not None
    assert "value=" not in field[0]


def test_consent_may_be_taken_back_at_any_time(rater: Client) -> None:
    rater.post(PAGE, {"act": "consent"})
    rater.get("/rate/helpful/")
    page = rater.post(PAGE, {"act": "withdraw"}, follow=True).content.decode()
    assert "I have read this and go on" in page
    assert Boundary.objects.get().consented_at is None
    assert rater.get("/rate/helpful/")["Location"] == PAGE


def test_without_consent_neither_undo_nor_a_refused_flag_shows_a_card(
    rater: Client, cast: Cast
) -> None:
    rater.post(PAGE, {"act": "consent"})
    label = answer(cast.rater, cast.campaign, "0:slightly")
    rater.post(PAGE, {"act": "withdraw"})
    card = f"/answers/{label.assignment.public_id}/"
    for address, body in (("/rate/helpful/undo/", {}), (f"{card}flag/", {"code": "nonsense"})):
        shown = rater.post(address, body, headers={"HX-Request": "true"}).content.decode()
        assert "This campaign has a content warning" in shown
        assert 'id="judge"' not in shown
    assert Label.objects.get() == label
    assert rater.post("/rate/helpful/undo/")["Location"] == "/rate/helpful/"


def test_at_the_days_limit_the_page_says_when_it_goes_on(rater: Client, cast: Cast) -> None:
    rater.post(PAGE, {"act": "consent"})
    for _ in range(2):
        rater.get("/rate/helpful/")
        card = Assignment.objects.get(state="leased")
        rater.post(f"/answers/{card.public_id}/skip/", {"reason": "language"})
    body = rater.get("/rate/helpful/").content.decode()
    assert "Enough of this for now" in body
    assert "It goes on at" in body
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None


@pytest.mark.parametrize("wrong", [{}, {"act": "shout"}, {"act": "leave", "kind": "x" * 101}])
def test_nonsense_is_a_sentence(rater: Client, wrong: dict[str, str]) -> None:
    response = rater.post(PAGE, wrong)
    assert response.status_code == 400
    assert 'role="' in response.content.decode()


def test_a_lead_settles_what_a_campaign_needs(cast: Cast) -> None:
    lead = _signed_in(cast.lead)
    address = "/campaigns/helpful/care/"
    assert "Content warning" in lead.get(address).content.decode()
    sent = {"content_warning": WARNING, "needs_consent": "on", "daily_cards": "30"}
    for _ in range(2):
        assert lead.post(address, sent)["Location"] == "/campaigns/helpful/"
    cast.campaign.refresh_from_db()
    assert care.of(cast.campaign) == Care(WARNING, needs_consent=True, daily_cards=30)
    assert AuditEvent.objects.filter(verb="care settled").count() == 1
    body = lead.get(address).content.decode()
    assert 'name="needs_consent" id="id_needs_consent" checked' in body
    refused = lead.post(address, {"veiled": "on"})
    assert refused.status_code == 400
    assert "Write the warning first" in refused.content.decode()
    cast.campaign.refresh_from_db()
    assert care.of(cast.campaign).content_warning == WARNING


def test_it_is_agreed_to_on_the_page_and_settled_by_a_lead(cast: Cast) -> None:
    care.settle(campaign=cast.campaign, care=Care(WARNING, sensitive_kinds=["gore", "slurs"]))
    rater, lead = _signed_in(cast.rater), _signed_in(cast.lead)
    page = rater.get("/rate/helpful/care/").content.decode()
    assert page.count("Show it to me") == 2
    rater.post("/rate/helpful/care/", {"act": "opt-in", "kind": "gore"})
    page = rater.get("/rate/helpful/care/").content.decode()
    assert (page.count("shown to you"), page.count("Show it to me")) == (1, 1)
    assert 'value="gore, slurs"' in lead.get("/campaigns/helpful/care/").content.decode()
    form = {"content_warning": WARNING, "sensitive_kinds": " gore,, blood  loss ,gore"}
    lead.post("/campaigns/helpful/care/", form)
    cast.campaign.refresh_from_db()
    assert cast.campaign.sensitive_kinds == ["gore", "blood loss"]
    refused = lead.post("/campaigns/helpful/care/", {"sensitive_kinds": "gore"})
    assert refused.status_code == 400


def _signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client

"""Consent, queues and groups in the browser: settled by a lead, met by a rater."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from labeling import consents, groups, queues
from labeling.models import ConsentGiven, User
from labeling.queues import Rules
from models_runtime.models import AuditEvent
from tests.factories import Cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}
KEY = "6a1f6a1e-8a55-4d5c-9f1d-0d5f0f0d9a11"


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def body(response: Any) -> str:
    return str(response.content.decode())


def test_a_rater_reads_the_consent_what_changed_and_goes_on(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    lead, rater = browser(cast.lead), browser(cast.rater)
    page = f"/people/{cast.project.slug}/consent/"
    lead.post(page, {"markdown": "We keep **answers**.\n\nNobody is named.", "based_on": "0"})
    assert rater.get("/rate/helpful/")["Location"] == "/rate/helpful/consent/"
    shown = body(rater.get("/rate/helpful/consent/"))
    assert "<strong>answers</strong>" in shown
    assert "What changed" not in shown
    rater.post("/rate/helpful/consent/", {"version": "v1"})
    assert 'id="rate"' in body(rater.get("/rate/helpful/"))
    lead.post(page, {"markdown": "We keep **answers**.\n\nLeads see names.", "based_on": "1"})
    assert "There is something to accept first" in body(
        rater.get("/rate/helpful/", headers=FRAGMENT)
    )
    shown = body(rater.get("/rate/helpful/consent/"))
    assert "<del>Nobody is named.</del>" in shown
    assert "<ins>Leads see names.</ins>" in shown
    stale = rater.post("/rate/helpful/consent/", {"version": "v1"})
    assert stale.status_code == 409
    assert ConsentGiven.objects.count() == 1
    rater.post("/rate/helpful/consent/", {"version": "v2"})
    assert 'id="rate"' in body(rater.get("/rate/helpful/"))
    assert "accepted by 1, of 2 raters" in body(lead.get(page))


def test_an_answer_in_hand_is_kept_when_the_consent_changes(cast: Cast) -> None:
    """It is paid work; the next card waits for the yes."""
    open_comparisons(cast.campaign, 2)
    rater = browser(cast.rater)
    card = rater.get("/rate/helpful/").context["card"].assignment
    consents.publish(project=cast.project, markdown="Be kind.", based_on=0)
    sent = {
        "preference-choice": "0:better",
        "idempotency_key": KEY,
    }
    response = rater.post(f"/answers/{card}/", sent, headers=FRAGMENT)
    assert response.status_code == 200
    assert "There is something to accept first" in body(response)
    assert cast.rater.labels.count() == 1
    assert rater.post("/rate/helpful/undo/", headers=FRAGMENT).status_code == 200
    assert cast.rater.labels.count() == 1


def test_a_campaign_for_others_is_not_there(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    group = groups.make(project=cast.project, name="Students", kind="group")
    lead = browser(cast.lead)
    form = {"groups": str(group.pk), "most_answers": "5"}
    assert lead.post("/campaigns/helpful/queue/", form)["Location"] == "/campaigns/helpful/"
    assert "groups or skills, with a limit for each" in body(lead.get("/campaigns/helpful/"))
    rater = browser(cast.rater)
    assert rater.get("/rate/helpful/").status_code == 404
    assert "Helpfulness" not in body(rater.get("/rate/"))
    people = {"people": [str(cast.rater.public_id), str(cast.other_rater.public_id)]}
    address = f"/people/{cast.project.slug}/groups/{group.pk}/"
    assert lead.post(f"{address}put/", people)["Location"] == address
    assert "2 people put in." in body(lead.get(address))
    assert rater.get("/rate/helpful/").status_code == 200
    lead.post(f"{address}take/", {"people": [str(cast.rater.public_id)]})
    assert rater.get("/rate/helpful/").status_code == 404
    assert AuditEvent.objects.filter(verb="taken out of group").count() == 1


def test_who_is_taken_out_answers_the_card_in_hand_and_is_told(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    rater = browser(cast.rater)
    card = rater.get("/rate/helpful/").context["card"].assignment
    group = groups.make(project=cast.project, name="Students", kind="group")
    queues.settle(campaign=cast.campaign, rules=Rules(groups=frozenset({group.pk})))
    sent = {"preference-choice": "0:better", "idempotency_key": KEY}
    said = body(rater.post(f"/answers/{card}/", sent, headers=FRAGMENT))
    assert "This campaign is for others now" in said
    assert cast.rater.labels.count() == 1


def test_a_wrong_flag_shows_no_card_to_who_was_taken_out(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    rater = browser(cast.rater)
    address = f"/answers/{rater.get('/rate/helpful/').context['card'].assignment}/flag/"
    assert rater.post(address, {"code": "?"}, headers=FRAGMENT).context["card"]
    group = groups.make(project=cast.project, name="Nurses", kind="group")
    queues.settle(campaign=cast.campaign, rules=Rules(groups=frozenset({group.pk})))
    refused = rater.post(address, {"code": "?"}, headers=FRAGMENT)
    assert "This campaign is for others now" in body(refused)
    assert "card" not in refused.context


def test_another_project_s_group_cannot_be_asked_for(cast: Cast) -> None:
    theirs = groups.make(
        project=cast.outsider.memberships.get().project, name="Theirs", kind="group"
    )
    response = browser(cast.lead).post("/campaigns/helpful/queue/", {"groups": str(theirs.pk)})
    assert response.status_code == 400
    assert queues.of(cast.campaign) == Rules()


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        (Rules(most_answers=1), "has yours. Thank you."),
        (Rules(most_daily=1), "It goes on at"),
        (Rules(by_language=True), "you have named none"),
    ],
)
def test_why_there_is_no_card_is_said(cast: Cast, rules: Rules, sentence: str) -> None:
    open_comparisons(cast.campaign, 2)
    answer(cast.rater, cast.campaign, "0:better")
    queues.settle(campaign=cast.campaign, rules=rules)
    if rules.by_language:
        cast.campaign.prompt_sets.get().prompts.update(language="fr")
    assert sentence in body(browser(cast.rater).get("/rate/helpful/"))


def test_a_rater_names_their_languages(cast: Cast) -> None:
    rater = browser(cast.rater)
    form = {"languages": ["de", "zh"], "email": "ada@example.org"}
    assert rater.post("/account/about/", form)["Location"] == "/account/"
    cast.rater.refresh_from_db()
    assert cast.rater.languages == ["de", "zh"]
    assert cast.rater.email == "ada@example.org"
    rater.post("/account/about/", {"languages": ["klingon"]})
    cast.rater.refresh_from_db()
    assert cast.rater.languages == ["de", "zh"]
    told = AuditEvent.objects.get(verb="account described")
    assert "example.org" not in str(told.data)


@pytest.mark.parametrize("rules", [Rules(), Rules(most_answers=9, most_daily=9)])
def test_an_answer_costs_no_query_more_unless_a_day_is_counted(
    cast: Cast, rules: Rules, django_assert_num_queries: Any
) -> None:
    """Twelve, and a savepoint of the test's own transaction; one more to count the day's."""
    open_comparisons(cast.campaign, 4)
    queues.settle(campaign=cast.campaign, rules=rules)
    client = browser(cast.rater)
    card = client.get("/rate/helpful/").context["card"].assignment
    sent = {
        "preference-choice": "0:better",
        "idempotency_key": KEY,
    }
    with django_assert_num_queries(15 if rules.most_daily else 14):
        client.post(f"/answers/{card}/", sent, headers=FRAGMENT)


def test_groups_are_made_renamed_and_removed(cast: Cast) -> None:
    lead = browser(cast.lead)
    page = f"/people/{cast.project.slug}/groups/"
    assert "There is none yet" in body(lead.get(page))
    address = lead.post(page, {"name": "Students", "kind": "skill"})["Location"]
    assert "Students" in body(lead.get(page))
    assert lead.post(page, {"name": "Students", "kind": "group"}).status_code == 400
    lead.post(f"{address}rename/", {"name": "Lawyers"})
    assert "Lawyers" in body(lead.get(address))
    assert lead.post(f"{address}remove/")["Location"] == page
    assert "Lawyers" not in body(lead.get(page))


def test_a_number_that_no_database_holds_is_no_group(cast: Cast) -> None:
    response = browser(cast.lead).post("/campaigns/helpful/queue/", {"groups": "9" * 30})
    assert response.status_code == 400
    assert "not one of the available choices" in body(response)

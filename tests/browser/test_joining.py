"""Coming in with a phone in hand, from the link to the first card; and the pages around it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from labeling import consents, groups, invitations, queues
from labeling.invitations import Crowd, Terms
from labeling.models import User
from labeling.queues import Rules
from tests.browser import axe
from tests.browser.keyboard import card_is_open
from tests.browser.test_pages import look, pages_of
from tests.factories import Cast, make_cast, open_comparisons

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

CHOICE = {"preference": {"type": "pairwise", "scale": "ab"}}


def invited(cast: Cast, **terms: Any) -> str:
    _made, token = invitations.make(
        project=cast.project,
        terms=Terms(**{"name": "June", "campaign": cast.campaign, **terms}),
        actor=cast.lead,
    )
    return f"/join/{token}/"


def agreed(cast: Cast) -> None:
    consents.publish(project=cast.project, markdown="We keep **answers**, no names.", based_on=0)


def test_an_invited_rater_signs_up_agrees_and_rates(phone: Page, live_server: Any) -> None:
    page, cast = phone, make_cast(parts=CHOICE)
    open_comparisons(cast.campaign, 2, texts=("One.", "Another."))
    agreed(cast)
    link = invited(cast, crowd=Crowd("PROLIFIC_PID", 1, "C0DE"))
    queues.settle(campaign=cast.campaign, rules=Rules(most_answers=1))
    page.goto(f"{live_server.url}{link}?PROLIFIC_PID=p1")
    assert page.url == f"{live_server.url}/join/"
    assert axe.violations(page) == []
    page.get_by_label("Name", exact=True).fill("ada")
    page.get_by_label("Password").fill("rather unlikely words")
    page.get_by_label("Languages you read well").select_option(["en", "de"])
    page.get_by_role("button", name="Sign up").tap()
    expect(page.get_by_role("heading", name="Consent")).to_be_visible()
    page.get_by_role("button", name="I have read this and accept").tap()
    card_is_open(page)
    page.locator("#judge").scroll_into_view_if_needed()
    page.locator("button.step.left").tap()
    expect(page.get_by_text("You have done your part here")).to_be_visible()
    expect(page.get_by_text("C0DE")).to_be_visible()
    assert User.objects.get(username="ada").labels.count() == 1


def test_the_pages_of_coming_in(browser: Browser, live_server: Any, client: Any) -> None:
    cast = make_cast()
    at, link = live_server.url, invited(cast, places=50)
    for variant, page in pages_of(browser, client, at):
        look(page, variant, "join", f"{at}{link}")
        look(page, variant, "join-closed", f"{at}/join/nothing/")
        look(page, variant, "ask-password", f"{at}/password/")


def test_a_raters_consent_and_account(browser: Browser, live_server: Any, client: Any) -> None:
    cast, at = make_cast(), live_server.url
    agreed(cast)
    first = consents.newest(cast.project)
    assert first is not None
    consents.give(rater=cast.rater, version=first)
    consents.publish(project=cast.project, markdown="We keep **names** too.", based_on=1)
    client.force_login(cast.rater)
    for variant, page in pages_of(browser, client, at):
        look(page, variant, "project-consent-rater", f"{at}/rate/helpful/consent/")
        look(page, variant, "account", f"{at}/account/")


def test_a_leads_pages_of_people(browser: Browser, live_server: Any, client: Any) -> None:
    cast, at = make_cast(), live_server.url
    agreed(cast)
    invited(cast, crowd=Crowd("PROLIFIC_PID", 1, "C0DE"))
    group = groups.make(project=cast.project, name="Students", kind="group")
    groups.put_in(group=group, users=[cast.rater], actor=cast.lead)
    client.force_login(cast.lead)
    team = f"{at}/people/{cast.project.slug}"
    for variant, page in pages_of(browser, client, at):
        look(page, variant, "people", f"{at}/people/")
        look(page, variant, "invitations", f"{team}/invitations/")
        look(page, variant, "groups", f"{team}/groups/")
        look(page, variant, "group", f"{team}/groups/{group.pk}/")
        look(page, variant, "project-consent", f"{team}/consent/")
        look(page, variant, "person", f"{team}/{cast.rater.public_id}/")
        look(page, variant, "campaign-queue", f"{at}/campaigns/helpful/queue/")

"""The drawer of the last ten in a campaign with a content warning is no way round the warning."""

from __future__ import annotations

import pytest
from django.test import Client

from labeling import care
from labeling.care import Care
from labeling.models import Label
from tests.factories import Cast, make_cast, open_comparisons
from tests.rating import answer

FRAGMENT = {"HX-Request": "true"}
WARNING = "You will read about violence."
KIND = "violence"
ASKED = "How is a knife sharpened?"


@pytest.fixture
def warned(db: None) -> Cast:
    """One card of a kind that can be left was answered, in a campaign that asks for consent."""
    made = make_cast(content_warning=WARNING, needs_consent=True)
    said = [{"role": "user", "content": ASKED}]
    open_comparisons(made.campaign, 1, prompt__category=KIND, prompt__messages=said, priority=1)
    open_comparisons(made.campaign, 1, prompt__category=KIND)
    care.consent(rater=made.rater, campaign=made.campaign)
    answer(made.rater, made.campaign, "0:slightly")
    return made


@pytest.fixture
def rater(warned: Cast) -> Client:
    client = Client()
    client.force_login(warned.rater)
    return client


def drawer(client: Client) -> str:
    body = str(client.get("/rate/helpful/recent/", headers=FRAGMENT).content.decode())
    assert "A slightly better" in body  # one's own words are never withheld
    return body


def test_it_shows_words_and_a_way_back_to_whoever_agreed(rater: Client) -> None:
    body = drawer(rater)
    assert ASKED in body
    assert "Take back" in body


def test_a_kind_that_was_left_is_neither_shown_nor_taken_back(rater: Client, warned: Cast) -> None:
    care.leave(rater=warned.rater, campaign=warned.campaign, kind=KIND)
    body = drawer(rater)
    assert ASKED not in body
    assert "Of a kind that you left." in body
    assert "Take back" not in body
    response = rater.post("/rate/helpful/undo/", headers=FRAGMENT)
    page = response.content.decode()
    assert response.status_code == 409
    assert "You want to see no more of that kind" in page
    assert ASKED not in page
    assert Label.objects.count() == 1


def test_without_consent_it_shows_no_prompt(rater: Client, warned: Cast) -> None:
    care.withdraw_consent(rater=warned.rater, campaign=warned.campaign)
    body = drawer(rater)
    assert ASKED not in body
    assert "Shown once you agree to the warning." in body
    assert "Take back" not in body


def test_where_cards_are_veiled_so_is_the_drawer(rater: Client, warned: Cast) -> None:
    settings = Care(WARNING, needs_consent=True, veiled=True)
    care.settle(campaign=warned.campaign, care=settings)
    body = drawer(rater)
    assert ASKED not in body
    assert "Veiled, as its card is." in body
    assert "Take back" in body


def test_a_refused_flag_does_not_bring_back_what_was_left(rater: Client, warned: Cast) -> None:
    card = Label.objects.get().assignment
    care.leave(rater=warned.rater, campaign=warned.campaign, kind=KIND)
    said = {"code": "nonsense"}
    response = rater.post(f"/answers/{card.public_id}/flag/", said, headers=FRAGMENT)
    assert ASKED not in response.content.decode()


def test_a_renewed_lease_does_not_outlive_consent(rater: Client, warned: Cast) -> None:
    rater.get("/rate/helpful/")
    card = warned.rater.assignments.get(state="leased")
    care.withdraw_consent(rater=warned.rater, campaign=warned.campaign)
    assert rater.post(f"/answers/{card.public_id}/renew/").status_code == 204
    card.refresh_from_db()
    assert card.state == "expired"

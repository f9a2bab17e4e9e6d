"""A card names the question and guidelines that it shows; its label is recorded under them."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from labeling import campaigns, wording
from labeling.models import Assignment, Label
from tests.factories import Cast, open_comparisons

FRAGMENT = {"HX-Request": "true"}
PARTS = {
    "preference": {"type": "pairwise", "scale": "ab"},
    "why": {"type": "rationale", "required": False},
}
TYPED = "It is shorter, and true."


@pytest.fixture
def rater(cast: Cast) -> Client:
    cast.campaign.question.parts = PARTS
    cast.campaign.question.save()
    open_comparisons(cast.campaign, 4)
    client = Client()
    client.force_login(cast.rater)
    return client


def revise(cast: Cast, text: str, based_on: int = 1) -> None:
    """Both what is asked and what is told."""
    campaigns.revise_question(
        campaign=cast.campaign, text=f"{text}?", trains_on="rejected", based_on=based_on
    )
    campaigns.revise_guidelines(
        campaign=cast.campaign, markdown=f"{text}.", based_on=based_on, actor=cast.lead
    )


def page(client: Client) -> str:
    return str(client.get("/rate/helpful/", headers=FRAGMENT).content.decode())


def ahead(client: Client, *have: str) -> str:
    sent = {"have": ",".join(have)}
    return str(client.get("/rate/helpful/ahead/", sent, headers=FRAGMENT).content.decode())


def card_of(body: str) -> str:
    return re.findall(r'data-assignment="([0-9a-f-]+)"', body)[0]


def send(client: Client, card: str, **named: str) -> Any:
    said = {"preference-choice": "1", "why-text": TYPED, "idempotency_key": str(uuid.uuid4())}
    return client.post(f"/answers/{card}/", {**said, **named}, headers=FRAGMENT)


def versions(label: Label) -> tuple[int, int]:
    assert label.guideline_version is not None
    return label.question_version.number, label.guideline_version.number


def test_a_card_says_what_it_asks_and_tells(rater: Client, cast: Cast) -> None:
    body = page(rater)
    for said in ('data-wording="1/1"', 'name="asked" value="v1"', 'name="told" value="v1"'):
        assert said in body
    revise(cast, "Which is worse")
    assert 'data-wording="2/2"' in page(rater)


def test_a_card_that_waits_is_handed_out_again_in_the_new_words(rater: Client, cast: Cast) -> None:
    """A browser that learns of it leaves the card out of what it says it has."""
    first = card_of(page(rater))
    second = card_of(ahead(rater, first))
    revise(cast, "Which is worse")
    again = ahead(rater, first)
    assert card_of(again) == second
    assert "Which is worse?" in again
    assert 'data-wording="2/2"' in again
    assert Assignment.objects.count() == 2


def test_a_label_is_recorded_under_what_the_rater_read(rater: Client, cast: Cast) -> None:
    first = card_of(page(rater))
    second = card_of(ahead(rater, first))
    revise(cast, "Which is worse")
    assert send(rater, first, asked="v1", told="v1").status_code == 200
    assert send(rater, second, asked="v2", told="v1").status_code == 200
    one, two = Label.objects.order_by("pk")
    assert versions(one) == (1, 1)
    assert versions(two) == (2, 1)


def test_a_card_drawn_while_its_next_wording_is_stored_is_answered_as_it_read(
    rater: Client, cast: Cast
) -> None:
    revise(cast, "Which is worse")  # stored, and not to be seen yet when the page was drawn
    assert send(rater, card_of(page(rater)), asked="v1", told="v1").status_code == 200
    assert versions(Label.objects.get()) == (1, 1)


def test_what_came_long_before_the_card_is_refused_and_nothing_typed_is_lost(
    rater: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wording, "AT_ONCE", timedelta(0))  # no minute has to pass
    revise(cast, "Which is worse")
    card = card_of(page(rater))
    revise(cast, "Which is worst", based_on=2)
    for named in ({"asked": "v1", "told": "v2"}, {"asked": "v2", "told": "v1"}):
        refused = send(rater, card, **named)
        body = refused.content.decode()
        assert refused.status_code == 400
        assert "What is asked has changed since: read it again, then answer." in body
        assert card_of(body) == card
        assert "Which is worst?" in body
        assert f"{TYPED}</textarea>" in body
        assert re.search(r'name="preference-choice" value="1"[^>]* checked', body)
        assert not Label.objects.exists()
    assert send(rater, card, asked="v2", told="v2").status_code == 200
    assert versions(Label.objects.get()) == (2, 2)


@pytest.mark.parametrize("named", [{"asked": "v9"}, {"told": "v9"}, {"asked": "v0"}])
def test_a_version_that_there_is_not_is_refused(
    rater: Client, cast: Cast, named: dict[str, str]
) -> None:
    assert send(rater, card_of(page(rater)), **named).status_code == 400
    assert not Label.objects.exists()


def test_an_answer_that_names_none_is_about_the_newest(rater: Client, cast: Cast) -> None:
    card = card_of(page(rater))
    revise(cast, "Which is worse")
    assert send(rater, card).status_code == 200
    assert versions(Label.objects.get()) == (2, 2)


def test_a_withdrawal_is_recorded_under_what_its_answer_was(rater: Client, cast: Cast) -> None:
    send(rater, card_of(page(rater)), asked="v1", told="v1")
    revise(cast, "Which is worse")
    rater.post("/rate/helpful/undo/", headers=FRAGMENT)
    assert versions(Label.objects.get(kind="withdrawn")) == (1, 1)


def test_whoever_reads_for_long_is_told_with_the_lease(rater: Client, cast: Cast) -> None:
    renew = f"/answers/{card_of(page(rater))}/renew/"
    assert rater.post(renew).headers["X-Wording"] == "1/1"
    revise(cast, "Which is worse")
    assert rater.post(renew).headers["X-Wording"] == "2/2"


def test_a_page_without_a_card_says_it_too(rater: Client, cast: Cast) -> None:
    cast.campaign.iterations.update(state="training")
    body = page(rater)
    assert 'data-wording="1/1"' in body
    assert "data-assignment" not in body


def test_a_card_from_before_the_first_guidelines_is_recorded_without_any(
    rater: Client, cast: Cast
) -> None:
    """Not under version 1, which nobody had read; the card that is drawn next is under it."""
    without_guidelines(cast)
    body = page(rater)
    assert 'data-wording="1/0"' in body
    assert 'name="told" value="v0"' in body
    first, second = card_of(body), card_of(ahead(rater, card_of(body)))
    campaigns.revise_guidelines(campaign=cast.campaign, markdown="Be brief.", based_on=0)
    assert send(rater, first, asked="v1", told="v0").status_code == 200
    assert Label.objects.get().guideline_version is None
    assert send(rater, second, asked="v1", told="v1").status_code == 200
    assert versions(Label.objects.order_by("-pk")[0]) == (1, 1)
    rater.post("/rate/helpful/undo/", {"assignment": first}, headers=FRAGMENT)
    assert Label.objects.get(kind="withdrawn").guideline_version is None


def test_guidelines_that_were_there_before_the_card_cannot_be_denied(
    rater: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wording, "AT_ONCE", timedelta(0))  # no minute has to pass
    assert send(rater, card_of(page(rater)), asked="v1", told="v0").status_code == 400
    assert not Label.objects.exists()


def test_a_campaign_that_has_no_guidelines_is_answered_without(rater: Client, cast: Cast) -> None:
    without_guidelines(cast)
    assert send(rater, card_of(page(rater)), asked="v1", told="v0").status_code == 200
    assert Label.objects.get().guideline_version is None


def without_guidelines(cast: Cast) -> None:
    """As campaigns are that were made before guidelines had versions."""
    cast.campaign.guideline = None
    cast.campaign.save()
    cast.campaign.guidelines.all().delete()

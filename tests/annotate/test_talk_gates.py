"""What stops an open talk: a consent taken back, a day's limit, somebody who was first."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from labeling import care, leases, turns
from labeling.care import Care
from labeling.conversations import NotNow
from labeling.models import Assignment, Conversation, Turn
from models_runtime.states import StaleState
from tests.factories import CampaignFactory, Cast, make_cast, open_comparisons
from tests.talks import CONVERSATION, answer, begun, cast_of, judge, say, stage

pytestmark = pytest.mark.django_db
WARNED = Care("It may be harsh.", needs_consent=True)


@pytest.fixture
def cast() -> Cast:
    cast = cast_of(CONVERSATION)
    care.settle(campaign=cast.campaign, care=WARNED)
    care.consent(rater=cast.rater, campaign=cast.campaign)
    return cast


@pytest.fixture
def talk(cast: Cast) -> Conversation:
    talk = begun(cast)
    say(talk)
    answer(talk, "One, which is harsh.", "Two.")
    return talk


@pytest.fixture
def client(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.rater)
    return client


@pytest.mark.parametrize("act", ["", "say", "judge", "rate", "undo", "again", "flag"])
def test_without_consent_nothing_of_a_talk_is_shown_or_done(
    cast: Cast, talk: Conversation, client: Client, act: str
) -> None:
    care.withdraw_consent(rater=cast.rater, campaign=cast.campaign)
    fields = {"idempotency_key": str(uuid.uuid4()), "preference-choice": "0:better", "text": "Hm"}
    address = f"/talks/{talk.public_id}/{act + '/' if act else ''}"
    send = client.post if act else client.get
    assert send(address, fields).headers["Location"] == "/rate/helpful/care/"
    response = send(address, fields, headers={"HX-Request": "true"})
    assert response.status_code == 403
    assert response.headers["HX-Redirect"] == "/rate/helpful/care/"
    assert response.content == b""
    assert stage(talk) == "judging"


def test_a_talk_without_consent_can_be_ended(
    cast: Cast, talk: Conversation, client: Client
) -> None:
    care.withdraw_consent(rater=cast.rater, campaign=cast.campaign)
    client.post(f"/talks/{talk.public_id}/end/")
    assert stage(talk) == "over"


def test_the_days_limit_lets_the_pair_in_hand_be_judged_and_no_more_be_said(
    cast: Cast, talk: Conversation
) -> None:
    care.settle(campaign=cast.campaign, care=Care("It may be harsh.", daily_cards=1))
    judge(talk, "0:better")
    with pytest.raises(NotNow):
        say(talk, "Go on.")
    assert Turn.objects.count() == 1


def test_somebody_who_was_first_is_no_fault_of_the_server(
    talk: Conversation, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(**_: object) -> None:
        raise StaleState("Completion 5 cannot become failed now.")

    monkeypatch.setattr(turns, "take_back", stale)
    response = client.post(f"/talks/{talk.public_id}/undo/", headers={"HX-Request": "true"})
    assert response.status_code == 409
    assert b"at the same moment" in response.content
    assert b"Completion 5" not in response.content


@pytest.mark.parametrize("act", ["submit", "skip", "release", "renew", "flag"])
def test_no_page_of_cards_takes_a_talks_pair(talk: Conversation, client: Client, act: str) -> None:
    card = Assignment.objects.get()
    address = reverse(act, args=[card.public_id])
    assert client.post(address, {"reason": "broken"}).status_code == 404
    assert stage(talk) == "judging"


def test_where_raters_talk_no_card_is_handed_out(cast: Cast, client: Client) -> None:
    open_comparisons(cast.campaign, 2)
    assert client.get("/rate/helpful/ahead/").status_code == 204
    assert Assignment.objects.count() == 0


def test_a_card_from_before_a_campaign_became_a_talk_is_the_last_and_leads_to_the_talk() -> None:
    cast = make_cast()
    open_comparisons(cast.campaign, 3)
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    cast.campaign.question = CampaignFactory(parts=CONVERSATION).question
    cast.campaign.save()
    client = Client()
    client.force_login(cast.rater)
    address = reverse("skip", args=[card.public_id])
    response = client.post(address, {"reason": "broken"}, headers={"HX-Request": "true"})
    page = response.content.decode()
    assert response.status_code == 200
    assert "Skipped. This campaign hands out no cards: its raters talk with models." in page
    assert 'href="/talk/helpful/"' in page
    assert Assignment.objects.get().state == "skipped"

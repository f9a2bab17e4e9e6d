"""An invitation's link leads in: once for each place, while it holds, under one id each."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling import checks, gold_results, groups, invitations, knocks, queues
from labeling.invitations import Completed, Crowd, Terms
from labeling.models import Acceptance, Campaign, GroupMember, Invitation, Membership, User
from labeling.people import NotPossible
from labeling.queues import Rules
from models_runtime.models import AuditEvent
from tests.checks import claim, make_gold, say
from tests.factories import Cast, UserFactory, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
FORM = {"username": "ada", "password": "rather unlikely words", "languages": ["en", "de"]}
CROWD = Crowd("PROLIFIC_PID", 1, "C0DE", "https://app.example.org/done?cc=C0DE")


def invited(cast: Cast, **terms: Any) -> tuple[Invitation, str]:
    """An invitation of the cast's lead, and the address of its link."""
    made, token = invitations.make(
        project=cast.project, terms=Terms(**{"name": "June", **terms}), actor=cast.lead
    )
    return made, f"/join/{token}/"


def body(response: Any) -> str:
    return str(response.content.decode())


def test_an_invited_person_signs_up_and_stands_before_their_first_card(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    group = groups.make(project=cast.project, name="Students", kind="group")
    made, link = invited(cast, campaign=cast.campaign, groups=[group])
    client = Client()
    assert client.get(link)["Location"] == "/join/"
    assert "You are invited to" in body(client.get("/join/"))
    response = client.post("/join/", FORM)
    assert response["Location"] == "/rate/helpful/"
    assert 'id="rate"' in body(client.get("/rate/helpful/"))
    ada = User.objects.get(username="ada")
    assert ada.languages == ["de", "en"]
    assert Membership.objects.filter(user=ada, project=cast.project, role="rater").exists()
    assert GroupMember.objects.get(group=group, user=ada).by == cast.lead
    made.refresh_from_db()
    assert made.places_left == 0
    assert AuditEvent.objects.filter(verb="invitation accepted", actor_id=ada.pk).exists()


def test_the_secret_leaves_the_address_and_is_stored_nowhere(cast: Cast) -> None:
    made, link = invited(cast)
    token = link.split("/")[2]
    client = Client()
    client.get(link)
    assert token not in body(client.get("/join/"))
    assert token not in str(dict(client.session))
    assert token not in str(Invitation.objects.values().get(pk=made.pk))


def test_signing_up_without_a_link_is_impossible(cast: Cast) -> None:
    response = Client().post("/join/", FORM)
    assert "Open the link that you were sent." in body(response)
    assert not User.objects.filter(username="ada").exists()


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"revoked_at": timezone.now()}, "was withdrawn"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "has expired"),
        ({"places_left": 0}, "All places of this invitation are taken"),
    ],
)
def test_a_link_that_ended_says_so_and_makes_nobody(
    cast: Cast, state: dict[str, Any], sentence: str
) -> None:
    made, link = invited(cast)
    client = Client()
    client.get(link)
    Invitation.objects.filter(pk=made.pk).update(**state)
    assert sentence in body(client.post("/join/", FORM))
    assert not User.objects.filter(username="ada").exists()


def test_of_two_who_read_the_last_place_one_gets_it(cast: Cast) -> None:
    """Both looked while a place was left; the update that takes it looks again."""
    made, _link = invited(cast)
    stale = Invitation.objects.select_related("project").get(pk=made.pk)
    invitations.sign_up(invitation=made, newcomer=User(username="first"), password="x")
    assert stale.places_left == 1
    with pytest.raises(NotPossible, match="All places"):
        invitations.sign_up(invitation=stale, newcomer=User(username="second"), password="x")
    assert not User.objects.filter(username="second").exists()


def test_a_name_that_is_taken_takes_no_place(cast: Cast) -> None:
    made, link = invited(cast)
    client = Client()
    client.get(link)
    response = client.post("/join/", FORM | {"username": "RATER"})
    assert response.status_code == 400
    assert "Somebody is named RATER already" in body(response)
    made.refresh_from_db()
    assert made.places_left == 1


def test_a_weak_password_is_refused(cast: Cast) -> None:
    _made, link = invited(cast)
    client = Client()
    client.get(link)
    assert client.post("/join/", FORM | {"password": "password1"}).status_code == 400


def test_somebody_with_an_account_accepts_and_takes_one_place_however_often(cast: Cast) -> None:
    made, link = invited(cast, places=5, role="researcher")
    client = Client()
    client.force_login(cast.outsider)
    for _again in range(2):
        client.get(link)
        assert "You are signed in as outsider." in body(client.get("/join/"))
        assert client.post("/join/")["Location"] == "/"
    made.refresh_from_db()
    assert made.places_left == 4
    assert Membership.objects.filter(
        user=cast.outsider, project=cast.project, role="researcher"
    ).exists()


def test_signing_up_gives_the_browser_another_session(cast: Cast) -> None:
    """Whoever planted a session in somebody's browser is not signed in by it."""
    _made, link = invited(cast)
    client = Client()
    client.get(link)
    planted = client.session.session_key
    client.post("/join/", FORM)
    assert client.session.session_key != planted
    assert not type(client.session)(planted).exists(planted)


def test_guessing_is_throttled_by_address(cast: Cast) -> None:
    _made, link = invited(cast)
    guesser = Client(REMOTE_ADDR="192.0.2.7")
    for _guess in range(knocks.MOST["invitation"]):
        assert guesser.get("/join/guess/").status_code == 404
    assert guesser.get("/join/guess/").status_code == 429
    assert guesser.get(link).status_code == 429
    assert Client(REMOTE_ADDR="192.0.2.8").get(link).status_code == 302


def test_one_participant_is_one_person(cast: Cast) -> None:
    made, link = invited(cast, places=5, campaign=cast.campaign, crowd=CROWD)
    client = Client()
    assert client.get(link).status_code == 400  # it names no participant
    client.get(f"{link}?PROLIFIC_PID=p1")
    client.post("/join/", FORM)
    other = Client()
    other.get(f"{link}?PROLIFIC_PID=p1")
    assert "You are here already" in body(other.get("/join/"))
    response = other.post("/join/", FORM | {"username": "bert"})
    assert response.status_code == 400
    assert not User.objects.filter(username="bert").exists()
    assert Acceptance.objects.filter(project=cast.project, participant="p1").count() == 1
    made.refresh_from_db()
    assert made.places_left == 4


def test_the_completion_code_is_shown_once_it_is_earned(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    made, _link = invited(cast, campaign=cast.campaign, crowd=CROWD)
    ada = UserFactory(username="ada")
    invitations.accept(invitation=made, user=ada, participant="p1")
    client = Client()
    client.force_login(ada)
    before = body(client.get("/rate/"))
    assert "1 answer more" in before
    assert "C0DE" not in before
    answer(ada, cast.campaign, "0:better")
    for page in ("/rate/", "/rate/helpful/"):
        after = body(client.get(page))
        assert "<strong>C0DE</strong>" in after
        assert 'href="https://app.example.org/done?cc=C0DE"' in after


def test_no_code_is_earned_in_training_and_gold_shows_in_no_count(cast: Cast) -> None:
    """A count that stood still after an answer would tell its rater that the card was gold."""
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 1, "training")
    made, _link = invited(cast, campaign=cast.campaign, crowd=replace(CROWD, answers=2))
    checks.settle(campaign=cast.campaign, settings=checks.Checks(trains_raters=True))
    invitations.accept(invitation=made, user=cast.rater)
    say(claim(cast.rater, cast.campaign))
    for result in gold_results.to_tell(cast.rater, cast.campaign):
        gold_results.told(result)
    assert invitations.completed(cast.rater, cast.campaign) == Completed(2, "", "")
    make_gold(cast.campaign, 1)
    Campaign.objects.update(gold_share=1, trains_raters=False)  # more than a lead may choose
    card = claim(cast.rater, cast.campaign)
    assert card.comparison.purpose == "gold"
    say(card)
    assert invitations.completed(cast.rater, cast.campaign) == Completed(1, "", "")


def test_a_lead_makes_a_link_that_is_shown_once_and_withdraws_it(cast: Cast) -> None:
    lead = Client()
    lead.force_login(cast.lead)
    page = f"/people/{cast.project.slug}/invitations/"
    assert "There is none yet." in body(lead.get(page))
    form = {"name": "June", "role": "rater", "places": "20", "days": "7"}
    shown = re.search(r"(/join/[\w-]{43}/)</pre>", body(lead.post(page, form)))
    assert shown is not None
    listed = body(lead.get(page))
    assert shown[1] not in listed
    assert "20 of 20" in listed
    made = Invitation.objects.get()
    lead.post(f"{page}{made.pk}/revoke/")
    assert "withdrawn" in body(lead.get(page))
    visitor = Client()
    visitor.get(shown[1])
    assert "was withdrawn" in body(visitor.get("/join/"))


@pytest.mark.parametrize(
    ("crowd", "sentence"),
    [
        ({"code": "C0DE"}, "Choose the campaign"),
        ({"answers": "5", "campaign": "own"}, "Write the completion code"),
        ({"url": "http://x.example/", "campaign": "own"}, "begins with https://"),
        ({"parameter": "1&x"}, "a letter first"),
        ({"url": "javascript:alert(1)", "campaign": "own"}, "valid URL"),
    ],
)
def test_what_a_link_cannot_be_is_said(cast: Cast, crowd: dict[str, str], sentence: str) -> None:
    lead = Client()
    lead.force_login(cast.lead)
    form = {"name": "June", "role": "rater", "places": "1", "days": "7", **crowd}
    if "campaign" in form:
        form["campaign"] = str(cast.campaign.pk)
    response = lead.post(f"/people/{cast.project.slug}/invitations/", form)
    assert response.status_code == 400
    assert sentence in body(response)
    assert not Invitation.objects.exists()


def test_no_log_holds_the_secret_of_a_link(
    client: Client, cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    """Refused although it holds: it names no participant."""
    _made, link = invited(cast, crowd=Crowd("PROLIFIC_PID"))
    assert client.get(link).status_code == 400
    said = [one.getMessage() for one in caplog.records if one.name == "django.request"]
    assert said == ["Bad Request: /join/…/"]


def test_a_link_that_leads_to_no_card_says_which_groups_it_lacks(cast: Cast) -> None:
    students = groups.make(project=cast.project, name="Students", kind="group")
    nurses = groups.make(project=cast.project, name="Nurses", kind="group")
    french = groups.make(project=cast.project, name="French", kind="skill")
    wanted = frozenset([students.pk, nurses.pk, french.pk])
    queues.settle(campaign=cast.campaign, rules=Rules(groups=wanted))
    client = Client()
    client.force_login(cast.lead)

    def lacking(*given: int) -> str:
        terms = {"name": "June", "role": "rater", "places": 1, "days": 1, "groups": given}
        page = client.post(
            f"/people/{cast.project.slug}/invitations/", {**terms, "campaign": cast.campaign.pk}
        )
        found = re.search(r"that this link does not give: ([^.]*)\.", body(page))
        return found[1] if found else ""

    assert lacking() == "Nurses, Students, French"
    assert lacking(students.pk) == "French"
    assert lacking(french.pk) == "Nurses, Students"
    assert lacking(french.pk, nurses.pk) == ""


def test_a_campaigns_page_leads_to_a_link_that_begins_with_it(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.lead)
    address = f"/people/{cast.project.slug}/invitations/?campaign={cast.campaign.slug}"
    assert address in body(client.get(f"/campaigns/{cast.campaign.slug}/"))
    assert f'<option value="{cast.campaign.pk}" selected>' in body(client.get(address))


def test_a_mail_address_is_asked_for_with_what_it_is_good_for(cast: Cast, settings: Any) -> None:
    _made, link = invited(cast)
    client = Client()
    client.get(link)
    assert "no mail is sent from here as yet" in body(client.get("/join/"))
    settings.MAIL_IS_SENT, settings.PUBLIC_URL = True, "https://concord.example.org"
    assert "with one you can set a new password yourself" in body(client.get("/join/"))

"""Cards held ahead in the browser, cards given back, and the drawer of the last ten."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.test import Client

from labeling.models import Assignment, Label
from tests.factories import Cast, open_comparisons

FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def rater(cast: Cast) -> Client:
    open_comparisons(cast.campaign, 6)
    client = Client()
    client.force_login(cast.rater)
    return client


def card_of(response: Any) -> str:
    """The public id of the card that a page or fragment holds; empty for the waiting stage."""
    found = re.search(r'data-assignment="([0-9a-f-]+)"', response.content.decode())
    return found[1] if found else ""


def shown(client: Client) -> str:
    return card_of(client.get("/rate/helpful/"))


def ahead(client: Client, *have: str) -> Any:
    return client.get("/rate/helpful/ahead/", {"have": ",".join(have)}, headers=FRAGMENT)


def send(client: Client, card: str, *have: str, choice: str = "0:better") -> Any:
    form = {"preference-choice": choice, "idempotency_key": str(uuid.uuid4())}
    return client.post(f"/answers/{card}/", {**form, "have": ",".join(have)}, headers=FRAGMENT)


def undo(client: Client, **said: str) -> Any:
    return client.post("/rate/helpful/undo/", said, headers=FRAGMENT)


def test_two_cards_come_ahead_and_then_nothing(rater: Client) -> None:
    first = shown(rater)
    second = card_of(ahead(rater, first))
    third = card_of(ahead(rater, first, second))
    assert len({first, second, third}) == 3
    full = ahead(rater, first, second, third)
    assert (full.status_code, full.content) == (204, b"")
    assert Assignment.objects.filter(state="leased").count() == 3


def test_an_answer_brings_the_one_card_that_the_browser_does_not_have(rater: Client) -> None:
    first = shown(rater)
    second = card_of(ahead(rater, first))
    third = card_of(ahead(rater, first, second))
    fourth = card_of(send(rater, first, second, third))
    assert fourth not in ("", first, second, third)
    assert Assignment.objects.filter(state="leased").count() == 3


def test_the_last_cards_are_kept_while_nothing_more_is_handed_out(
    client: Client, cast: Cast
) -> None:
    open_comparisons(cast.campaign, 2)
    client.force_login(cast.rater)
    first = shown(client)
    second = card_of(ahead(client, first))
    answered = send(client, first, second)
    assert "Nothing left for you" in answered.content.decode()
    assert send(client, second).status_code == 200
    assert Label.objects.count() == 2


@pytest.mark.parametrize("have", ["no id", ",,,", "\x00", "1" * 9000])
def test_what_is_no_id_is_no_card_that_i_have(rater: Client, have: str) -> None:
    first = shown(rater)
    assert card_of(ahead(rater, have)) == first


def test_a_card_given_back_goes_to_the_next_rater(rater: Client, cast: Cast) -> None:
    cast.campaign.comparisons.exclude(pk=cast.campaign.comparisons.first().pk).delete()
    card = shown(rater)
    for _ in range(2):
        assert rater.post(f"/answers/{card}/release/").status_code == 204
    assert Assignment.objects.get().state == "expired"
    other = Client()
    other.force_login(cast.other_rater)
    assert shown(other) != ""
    assert send(rater, card).status_code == 200
    label = Label.objects.get()
    assert (label.late, label.counted) == (True, False)


def test_a_browser_that_leaves_sends_its_token_in_the_form(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.rater)
    page = client.get("/rate/helpful/")
    address = f"/answers/{card_of(page)}/release/"
    assert client.post(address).status_code == 403
    token = {"csrfmiddlewaretoken": page.context["csrf_token"]}
    assert client.post(address, token).status_code == 204


def test_two_presses_of_undo_take_back_one_answer(rater: Client) -> None:
    first = shown(rater)
    second = card_of(send(rater, first))
    third = card_of(send(rater, second))
    page = rater.get("/rate/helpful/").content.decode()
    assert f'name="last" value="{second}"' in page
    assert card_of(undo(rater, last=second)) == second
    assert card_of(undo(rater, last=second)) == second
    assert Label.objects.filter(kind="withdrawn").count() == 1
    assert card_of(send(rater, second, third)) not in ("", first, second, third)


def test_the_drawer_says_what_i_said_of_the_sides_that_i_saw(rater: Client, cast: Cast) -> None:
    first = shown(rater)
    second = card_of(send(rater, first, choice="1:slightly"))
    rater.post(f"/answers/{second}/skip/", {"reason": "language"}, headers=FRAGMENT)
    drawer = rater.get("/rate/helpful/recent/").content.decode()
    assert "B slightly better" in drawer
    assert "skipped: Not my language" in drawer
    assert drawer.index(second) < drawer.index(first)
    prompt = Assignment.objects.get(public_id=first).comparison.prompt
    assert prompt.messages[0]["content"] in drawer
    assert card_of(undo(rater, assignment=first, last=second)) == first
    drawer = rater.get("/rate/helpful/recent/").content.decode()
    assert first not in drawer


def test_the_drawer_holds_ten(rater: Client, cast: Cast) -> None:
    open_comparisons(cast.campaign, 8)
    card = shown(rater)
    for _ in range(11):
        card = card_of(send(rater, card))
    drawer = rater.get("/rate/helpful/recent/").content.decode()
    assert drawer.count("<li>") == 10


def test_an_empty_drawer_says_so(rater: Client) -> None:
    assert "Nothing answered yet" in rater.get("/rate/helpful/recent/").content.decode()


@pytest.mark.parametrize("said", [{"assignment": "x"}, {"last": "x"}])
def test_an_undo_of_nonsense_is_refused(rater: Client, said: dict[str, str]) -> None:
    assert undo(rater, **said).status_code == 400

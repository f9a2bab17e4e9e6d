"""Asking about a card on its page, the lead's list, and what every rater reads of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from annotate import keys
from labeling.models import CardQuestion, Completion, User
from tests.factories import Cast, open_comparisons

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}
QUESTIONS = "/campaigns/helpful/questions/"


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def asked(cast: Cast) -> CardQuestion:
    open_comparisons(cast.campaign, 3, texts=("Left <b>text</b>.", "Right text."))
    rater = browser(cast.rater)
    body = rater.get("/rate/helpful/").content.decode()
    [address] = re.findall(r'action="(/answers/[0-9a-f-]+/ask/)"', body)
    response = rater.post(address, {"text": "Does <i>length</i> count?"}, headers=FRAGMENT)
    assert "Asked. Your lead" in response.content.decode()
    return CardQuestion.objects.get()


def answer(cast: Cast, row: CardQuestion, **fields: str) -> Any:
    sent = {"answer": "No, **never**.", "readers": "asker", **fields}
    return browser(cast.lead).post(f"{QUESTIONS}{row.public_id}/", sent)


def test_the_lead_sees_the_question_with_the_card(asked: CardQuestion, cast: Cast) -> None:
    body = browser(cast.lead).get(QUESTIONS).content.decode()
    assert "Does &lt;i&gt;length&lt;/i&gt; count?" in body
    first = Completion.objects.get(pk=asked.assignment.order[0])
    assert body.index("Answer A") < body.index(first.text.split()[0], body.index("Answer A"))
    assert (
        "1 waits for an answer" in browser(cast.lead).get("/campaigns/helpful/").content.decode()
    )


def test_an_empty_question_is_said_to_be_so_and_what_was_typed_stays(
    asked: CardQuestion, cast: Cast
) -> None:
    address = f"/answers/{asked.assignment.public_id}/ask/"
    response = browser(cast.rater).post(address, {"text": " "}, headers=FRAGMENT)
    assert response.status_code == 400
    assert "Write your question first." in response.content.decode()
    response = browser(cast.rater).post(address, {"text": "Another"})
    assert response["Location"] == "/rate/helpful/"


def test_an_answer_for_all_is_marked_until_it_is_read(asked: CardQuestion, cast: Cast) -> None:
    other = browser(cast.other_rater)
    other.get("/rate/helpful/")  # has a seat
    assert answer(cast, asked, readers="all", told="Does length count?").status_code == 302
    assert "1 new answer<" in other.get("/rate/helpful/").content.decode()
    panel = other.get("/rate/helpful/guidelines/", headers=FRAGMENT).content.decode()
    assert "Does length count?" in panel
    assert "<strong>never</strong>" in panel
    assert "&lt;i&gt;length" not in panel
    assert "new answer" not in other.get("/rate/helpful/").content.decode()


def test_an_answer_for_the_asker_is_nobody_else_s(asked: CardQuestion, cast: Cast) -> None:
    answer(cast, asked)
    panel = "/rate/helpful/guidelines/"
    assert "<strong>never</strong>" in browser(cast.rater).get(panel).content.decode()
    assert "never" not in browser(cast.other_rater).get(panel).content.decode()


def test_an_answer_enters_the_guidelines(asked: CardQuestion, cast: Cast) -> None:
    answer(cast, asked, readers="guidelines", told="Does length count?")
    cast.campaign.refresh_from_db()
    assert cast.campaign.guideline is not None
    assert cast.campaign.guideline.number == 2
    assert "**Does length count?**" in cast.campaign.guideline.markdown
    body = browser(cast.lead).get(f"{QUESTIONS}?answered=yes").content.decode()
    assert "in the guidelines since version 2" in body


def test_a_form_that_is_not_right_keeps_what_was_typed(asked: CardQuestion, cast: Cast) -> None:
    response = answer(cast, asked, readers="all")
    assert response.status_code == 400
    body = response.content.decode()
    assert "so that everybody can read it" in body
    assert "No, **never**." in body


def test_the_list_asks_as_much_of_many_as_of_few(
    asked: CardQuestion, cast: Cast, django_assert_max_num_queries: Any
) -> None:
    rows = [
        CardQuestion(
            campaign=cast.campaign, assignment=asked.assignment, rater=cast.rater, text=str(n)
        )
        for n in range(30)
    ]
    CardQuestion.objects.bulk_create(rows)
    client = browser(cast.lead)
    with django_assert_max_num_queries(16):
        body = client.get(QUESTIONS).content.decode()
    assert body.count("data-once") == 20


def test_who_chose_keys_before_keeps_them_and_asks_by_a_free_one(cast: Cast) -> None:
    """q was given to skipping by hand, when there was nothing to ask."""
    commands = {name: code for name, (_does, code) in keys.COMMANDS.items() if name != "ask"}
    commands["skip"] = "KeyQ"
    cast.rater.preferences = {"keys": {"on": True, "modifier": "none", "commands": commands}}
    found = keys.of(cast.rater).commands
    assert {name: found[name] for name in commands} == commands
    assert found["ask"] not in commands.values()

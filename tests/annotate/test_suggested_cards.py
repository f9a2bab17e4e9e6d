"""A card with a suggested answer: filled in, marked as suggested in words, and confirmed or
repaired by the rater; by whom it is, only where the lead says so."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from labeling.models import Campaign, Label
from labeling.suggestions import import_suggestions
from tests.factories import Cast, make_cast

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}
HOSTILE = "<img src=x>gpt"
MARK = "data-suggested"


def with_cards(tmp_path: Path, count: int = 2, **campaign: Any) -> Cast:
    made = make_cast(**campaign)
    said = {"preference": {"outcome": "prefer", "chosen": 0, "strength": "better"}}
    rows = [
        {
            "prompt": f"Why {n}?",
            "completions": [f"Because {n}.", "No **idea**."],
            "suggested": said,
            "by": HOSTILE,
        }
        for n in range(count)
    ]
    path = tmp_path / "theirs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert import_suggestions(campaign=made.campaign, path=path).counts["cards"] == count
    return made


@pytest.fixture
def cast(db: None, tmp_path: Path) -> Cast:
    return with_cards(tmp_path)


@pytest.fixture
def rater(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.rater)
    return client


def page(client: Client) -> str:
    return client.get("/rate/helpful/").content.decode()


def address(body: str) -> str:
    return re.findall(r'action="(/answers/[0-9a-f-]+/)"', body)[0]


def chosen(body: str) -> list[str]:
    return re.findall(r'value="([01]:\w+)"[^>]*? checked', body)


def send(client: Client, where: str, choice: str) -> Any:
    posted = {"preference-choice": choice, "idempotency_key": str(uuid.uuid4())}
    return client.post(where, posted, headers=FRAGMENT)


def test_it_is_filled_in_and_said_to_be_suggested(rater: Client) -> None:
    body = page(rater)
    side = 0 if body.index("Because") < body.index("No <strong>idea") else 1
    assert chosen(body) == [f"{side}:better"]
    assert "A suggested answer is filled in." in body
    assert MARK in body


def test_one_press_is_no_confirmation_by_accident(rater: Client) -> None:
    """The pair alone would be answered by one key; with an answer filled in, it is saved."""
    body = page(rater)
    assert "data-instant" not in body
    assert 'id="submit-answer"' in body


def test_who_suggested_it_is_not_told_unless_the_lead_says_so(rater: Client) -> None:
    assert "gpt" not in page(rater)
    Campaign.objects.update(names_suggesters=True)
    body = page(rater)
    assert "An answer by &lt;img src=x&gt;gpt is filled in." in body


def test_confirming_it_stores_a_label_of_the_rater_and_brings_the_next_card(
    rater: Client, cast: Cast
) -> None:
    body = page(rater)
    following = send(rater, address(body), chosen(body)[0]).content.decode()
    assert Label.objects.get().source == "person"
    assert address(following) != address(body)
    assert MARK in following


def test_what_was_taken_back_is_the_raters_own(rater: Client) -> None:
    body = page(rater)
    other = "1:slightly" if chosen(body)[0].startswith("0") else "0:slightly"
    send(rater, address(body), other)
    back = rater.post("/rate/helpful/undo/", headers=FRAGMENT).content.decode()
    assert address(back) == address(body)
    assert MARK not in back
    assert re.search(rf'value="{other}"', back)


def test_imported_text_is_rendered_and_stays_harmless(db: None, tmp_path: Path) -> None:
    body = page_of(with_cards(tmp_path))
    assert "No <strong>idea</strong>." in body


def page_of(cast: Cast) -> str:
    client = Client()
    client.force_login(cast.rater)
    return page(client)


def test_it_costs_the_database_no_more_than_another_card(
    rater: Client, django_assert_num_queries: Any
) -> None:
    """Two less than a card of an iteration: see test_rating_pages. The newest iteration is looked
    for, since this card is of none."""
    body = page(rater)
    with django_assert_num_queries(14):
        send(rater, address(body), chosen(body)[0])

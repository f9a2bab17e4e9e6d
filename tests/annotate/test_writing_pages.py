"""Typed texts in the browser: nobody loses one, and what is written is shown as it will be."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.test import Client

from labeling import labels, leases
from labeling.models import Label, RaterText
from labeling.presets import PRESETS
from tests.factories import Cast, make_cast, open_comparisons

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}
HOSTILE = "</textarea><script>alert(1)</script>"
FORM = {
    "preference": {"type": "pairwise", "scale": "ab"},
    "why": {"type": "rationale", "min": 10},
    "edit": {"type": "rewrite", "required": False},
}


def client_of(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.rater)
    return client


@pytest.fixture
def form() -> Cast:
    made = make_cast(parts=FORM)
    open_comparisons(made.campaign, 2, texts=(HOSTILE, "Second text."))
    return made


def address(body: str) -> str:
    return re.findall(r'action="(/answers/[0-9a-f-]+/)"', body)[0]


def posted(**fields: str) -> dict[str, Any]:
    return {
        "preference-choice": "0",
        "why-text": "Because it is.",
        "idempotency_key": str(uuid.uuid4()),
        **fields,
    }


def test_the_card_says_how_long_a_reason_is_at_least(form: Cast) -> None:
    body = client_of(form).get("/rate/helpful/").content.decode()
    assert 'data-min="10"' in body
    assert "At least 10 characters." in body
    assert "data-instant" not in body


def test_hostile_model_text_to_edit_stays_text(form: Cast) -> None:
    body = client_of(form).get("/rate/helpful/").content.decode()
    assert "<script>alert(1)" not in body
    assert "&lt;/textarea&gt;&lt;script&gt;alert(1)&lt;/script&gt;</textarea>" in body


def test_a_refused_answer_shows_the_page_with_all_that_was_typed(form: Cast) -> None:
    client = client_of(form)
    where = address(client.get("/rate/helpful/").content.decode())
    response = client.post(where, posted(**{"why-text": "short", "edit-text-0": "My edit."}))
    body = response.content.decode()
    assert response.status_code == 400
    assert "at least 10 characters, and 5 are there" in body
    assert address(body) == where
    assert "\nshort</textarea>" in body
    assert "\nMy edit.</textarea>" in body
    assert not Label.objects.exists()


def test_what_another_tab_has_answered_is_handed_back_as_text(form: Cast) -> None:
    client = client_of(form)
    where = address(client.get("/rate/helpful/").content.decode())
    client.post(where, posted())
    response = client.post(where, posted(**{"why-text": "Typed in the second tab."}))
    body = response.content.decode()
    assert response.status_code == 409
    assert address(body) != where
    assert "Typed in the second tab.</textarea>" in body
    assert RaterText.objects.count() == 1


def test_undo_gives_the_text_back_into_the_form(form: Cast) -> None:
    client = client_of(form)
    where = address(client.get("/rate/helpful/").content.decode())
    client.post(where, posted(**{"edit-text-1": "Second, edited."}))
    assert Label.objects.count() == 0  # the left one is first, and the right one was edited
    client.post(where, posted(**{"preference-choice": "1", "edit-text-1": "Second, edited."}))
    body = client.post("/rate/helpful/undo/", headers=FRAGMENT).content.decode()
    assert address(body) == where
    assert "\nBecause it is.</textarea>" in body
    assert "\nSecond, edited.</textarea>" in body


def test_an_answer_after_the_leases_end_keeps_its_texts(form: Cast) -> None:
    client = client_of(form)
    where = address(client.get("/rate/helpful/").content.decode())
    card = form.rater.assignments.get()
    leases.release(card)
    client.post(where, posted())
    assert Label.objects.get().late
    assert RaterText.objects.get().text == "Because it is."


def test_a_note_that_comes_first_folds_the_answers_until_it_is_begun() -> None:
    cast = make_cast(parts={"note": {"type": "rationale", "before": True}, **FORM})
    open_comparisons(cast.campaign, 1)
    body = client_of(cast).get("/rate/helpful/").content.decode()
    assert body.count('data-before="answers"') == 1
    assert "The answers appear as soon as you begin." in body


def test_tldr_asks_for_its_note_before_the_source() -> None:
    cast = make_cast(parts=PRESETS["tldr"].parts)
    open_comparisons(cast.campaign, 1)
    body = client_of(cast).get("/rate/helpful/").content.decode()
    assert body.count('data-before="source"') == 1


def test_a_demonstration_is_written_to_a_prompt_alone_and_seen_as_markdown() -> None:
    cast = make_cast(parts={"answer": {"type": "demonstration"}})
    open_comparisons(cast.campaign, 1, texts=())
    client = client_of(cast)
    assert "answer-text" in client.get("/rate/helpful/").content.decode()
    sent = {"preview": "answer-text", "answer-text": "**Bold** <script>alert(1)</script>\0"}
    seen = client.post("/rate/helpful/preview-text/", sent).content.decode()
    assert "<strong>Bold</strong>" in seen
    assert "<script>" not in seen
    empty = client.post("/rate/helpful/preview-text/").content.decode()
    assert "Nothing is written yet." in empty
    assert not Label.objects.exists()


def test_a_prompt_in_a_category_shows_what_is_wanted_of_it() -> None:
    quota = {"type": "prompt_writing", "form": "few_shot", "quota": {"chat": 2}}
    cast = make_cast(parts={"prompt": quota})
    open_comparisons(cast.campaign, 2, texts=())
    client = client_of(cast)
    where = address(client.get("/rate/helpful/").content.decode())
    assert "0 of 2" in client.get("/rate/helpful/").content.decode()
    fields = {"category": "chat", "text": "Chat.", "query": "And you?"}
    rows = {"query-0": "Hi", "response-0": "Hello", "query-1": "Who?", "response-1": "Me"}
    sent = {f"prompt-{name}": value for name, value in {**fields, **rows}.items()}
    response = client.post(where, {"idempotency_key": str(uuid.uuid4()), **sent}, follow=True)
    assert "1 of 2" in response.content.decode()
    labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert "0 of 2" in client.get("/rate/helpful/").content.decode()


def test_a_lead_reads_hostile_texts_as_text(form: Cast) -> None:
    client = client_of(form)
    where = address(client.get("/rate/helpful/").content.decode())
    client.post(where, posted(**{"why-text": "<script>alert(1)</script>\u202e reversed"}))
    client.force_login(form.lead)
    body = client.get("/campaigns/helpful/texts/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body
    assert "<script>alert" not in body
    assert "U+202E" in body
    assert "\u202e" not in body


def test_a_campaign_in_which_nobody_wrote_says_so(form: Cast) -> None:
    client = client_of(form)
    client.force_login(form.lead)
    assert (
        "Nobody has written anything yet"
        in client.get("/campaigns/helpful/texts/").content.decode()
    )

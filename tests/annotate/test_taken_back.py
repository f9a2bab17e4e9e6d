"""An answer that is taken back stands in its form again: ticks, points, places and texts."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.test import Client

from labeling.models import Assignment, Label
from tests import factories
from tests.factories import Cast

FORM: dict[str, dict[str, Any]] = {
    "order": {"type": "ranking"},
    "points": {"type": "rating", "scale": "zero_four"},
    "marks": {"type": "flags"},
    "works": {"type": "checklist", "items": {"runs": "Runs"}, "over": "item"},
    "sure": {"type": "confidence"},
    "why": {"type": "rationale"},
}
PLACES = {"order-tier-0": "2", "order-tier-1": "1", "order-tier-2": "unrankable"}
TICKED = {
    "points-value-0": "3",
    "points-value-1": "0",
    "points-value-2": "4",
    "marks-opinion-2": "1",
    "works-runs": "no",
    "sure-value": "7",
}
WHY = "B runs; A does not.\nC is in French."


def scene(parts: dict[str, Any], texts: tuple[str, ...]) -> tuple[Cast, Client]:
    cast = factories.make_cast(parts=parts)
    factories.open_comparisons(cast.campaign, 2, texts=texts)
    client = Client()
    client.force_login(cast.rater)
    client.get("/rate/helpful/")
    return cast, client


def answer(client: Client, **fields: str) -> Assignment:
    held = Assignment.objects.get(state="leased")
    sent = {"idempotency_key": str(uuid.uuid4()), **fields}
    assert client.post(f"/answers/{held.public_id}/", sent).status_code == 302
    return held


def undo(client: Client) -> str:
    """The card that comes back, as a browser gets it that kept nothing of it."""
    response = client.post("/rate/helpful/undo/", headers={"HX-Request": "true"})
    return str(response.content.decode())


def test_a_form_of_many_parts_comes_back_whole(db: None) -> None:
    _, client = scene(FORM, ("One.", "Two.", "Three."))
    card = answer(client, **PLACES, **TICKED, **{"why-text": WHY})
    page = undo(client)
    assert str(card.public_id) in page
    places = re.findall(r'name="(order-tier-\d)".*?<option[^>]* selected>([^<]*)', page, re.S)
    assert dict(places) == {**PLACES, "order-tier-2": "set aside"}
    checked = re.findall(r'name="([^"]+)" value="([^"]+)"[^>]* checked', page)
    assert dict(checked) == TICKED
    assert f"{WHY}</textarea>" in page


def test_sent_again_as_it_came_it_is_the_same_answer(db: None) -> None:
    _, client = scene(FORM, ("One.", "Two.", "Three."))
    fields = {**PLACES, **TICKED, "why-text": WHY}
    card = answer(client, **fields)
    undo(client)
    sent = {"idempotency_key": str(uuid.uuid4()), **fields}
    client.post(f"/answers/{card.public_id}/", sent)
    first, second = Label.objects.filter(kind="answer").order_by("pk")
    assert first.answer == second.answer


def test_the_step_that_was_pressed_is_marked(db: None) -> None:
    _, client = scene(factories.LLAMA2, ("One.", "Two."))
    answer(client, **{"preference-choice": "1:slightly"})
    page = undo(client)
    assert re.findall(r' chosen" name="preference-choice" value="([^"]+)"', page) == ["1:slightly"]


def test_a_thumb_is_marked(db: None) -> None:
    _, client = scene({"p": {"type": "thumbs"}}, ("One.",))
    answer(client, **{"p-thumb": "down"})
    assert re.findall(r' chosen" name="p-thumb" value="([^"]+)"', undo(client)) == ["down"]


def test_a_skip_that_is_taken_back_brings_an_empty_form(db: None) -> None:
    _, client = scene(FORM, ("One.", "Two.", "Three."))
    held = Assignment.objects.get(state="leased")
    client.post(f"/answers/{held.public_id}/skip/", {"reason": "language"})
    page = undo(client)
    assert str(held.public_id) in page
    assert " checked" not in page.partition('id="judge"')[2]

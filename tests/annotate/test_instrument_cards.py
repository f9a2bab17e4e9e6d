"""The cards of every choosing preset: drawn, blind, answered by a plain form, handed back."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.test import Client

from labeling.models import Assignment, Comparison, ComparisonCompletion, Label
from labeling.presets import PRESETS, Preset
from labeling.questions import live
from tests import factories
from tests.factories import Cast

pytestmark = pytest.mark.django_db
# Ids that stand nowhere on a page by chance.
FIRST_ID = 7_300_001
CHOOSING = {
    name: preset
    for name, preset in PRESETS.items()
    if not live.of(preset.parts) and preset.completions
}
EACH = pytest.mark.parametrize("preset", CHOOSING.values(), ids=CHOOSING)


def scene(parts: dict[str, dict[str, Any]], completions: int) -> tuple[Cast, Client]:
    cast = factories.make_cast(parts=parts)
    for number in range(2):
        [made] = factories.open_comparisons(cast.campaign, 1, texts=())
        _fill(made, FIRST_ID + 10 * number, completions)
    client = Client()
    client.force_login(cast.rater)
    return cast, client


def _fill(comparison: Comparison, first: int, completions: int) -> None:
    for position in range(completions):
        completion = factories.CompletionFactory(
            id=first + position,
            prompt=comparison.prompt,
            checkpoint=comparison.campaign.first_policy,
        )
        ComparisonCompletion.objects.create(
            comparison=comparison, completion=completion, position=position
        )


def card(client: Client) -> str:
    response = client.get("/rate/helpful/")
    assert response.status_code == 200
    return str(response.content.decode())


def send(client: Client, **fields: str) -> Any:
    held = Assignment.objects.get(state="leased")
    sent = {"idempotency_key": str(uuid.uuid4()), "asked": "v1", **fields}
    return client.post(f"/answers/{held.public_id}/", sent)


@EACH
def test_a_card_shows_each_completion_once_and_names_none(preset: Preset) -> None:
    cast, client = scene(preset.parts, preset.completions)
    page = card(client)
    names = "abcdefghi"[: preset.completions] if preset.completions > 1 else ["lone"]
    for name in names if preset.completions else []:
        assert page.count(f'<article class="card side {name}"') == 1
    assert page.count("<article") == preset.completions
    assert "73000" not in page
    assert cast.campaign.first_policy is not None
    assert cast.campaign.first_policy.name not in page
    for key in preset.parts:
        assert f'data-part="{key}"' in page


@EACH
def test_no_control_of_a_card_is_named_twice_with_one_value(preset: Preset) -> None:
    _, client = scene(preset.parts, preset.completions)
    form = card(client).split('id="judge"')[1].split("</form>")[0]
    named = re.findall(
        r'(?:type="(?:radio|checkbox)"|<button[^>]*) name="([^"]+)" value="([^"]*)"', form
    )
    assert len(set(named)) == len(named)


RANKED = {"order-tier-0": "2", "order-tier-1": "1", "order-tier-2": "unrankable"}


def test_a_ranking_is_stored_from_a_plain_form() -> None:
    _, client = scene({"order": {"type": "ranking"}}, 3)
    card(client)
    order = Assignment.objects.get().order
    assert send(client, **RANKED).status_code == 302
    stored = Label.objects.get().answer["parts"]["order"]
    assert stored["tiers"] == [[order[1]], [order[0]]]
    assert stored["unrankable"] == [order[2]]


def test_an_unfinished_form_comes_back_as_it_was_filled_in() -> None:
    parts = {
        "order": {"type": "ranking"},
        "points": {"type": "rating", "scale": "zero_four"},
        "marks": {"type": "flags"},
    }
    _, client = scene(parts, 3)
    card(client)
    given = {**RANKED, "points-value-1": "3", "marks-opinion-2": "1"}
    response = send(client, **given)
    page = response.content.decode()
    assert response.status_code == 400
    assert "Rate everything that is asked for." in page
    assert not Label.objects.exists()
    selected = re.findall(
        r'name="(order-tier-\d)".*?<option(?: value="(\w+)")? selected>(\w*)', page, re.S
    )
    assert [(name, value or text) for name, value, text in selected] == list(RANKED.items())
    checked = re.findall(r'name="([^"]+)" value="([^"]+)"[^>]* checked', page)
    assert checked == [("points-value-1", "3"), ("marks-opinion-2", "1")]


def test_a_position_that_is_not_on_the_card_is_refused() -> None:
    _, client = scene({"order": {"type": "ranking"}}, 3)
    card(client)
    response = send(client, **{**RANKED, "order-tier-3": "1"})
    assert response.status_code == 400
    assert not Label.objects.exists()


def test_somebody_elses_card_is_not_there() -> None:
    cast, client = scene({"order": {"type": "ranking"}}, 3)
    card(client)
    held = Assignment.objects.get()
    for other in (cast.other_rater, cast.outsider):
        stranger = Client()
        stranger.force_login(other)
        sent = {**RANKED, "idempotency_key": str(uuid.uuid4())}
        assert stranger.post(f"/answers/{held.public_id}/", sent).status_code == 404
    assert not Label.objects.exists()


def test_the_same_answer_sent_twice_is_one_label() -> None:
    _, client = scene({"thumb": {"type": "thumbs"}}, 1)
    card(client)
    key = str(uuid.uuid4())
    held = Assignment.objects.get()
    for _ in range(2):
        sent = {"thumb-thumb": "down", "idempotency_key": key}
        assert client.post(f"/answers/{held.public_id}/", sent).status_code == 302
    assert Label.objects.get().answer["parts"]["thumb"]["up"] is False


def test_the_list_of_keys_names_those_of_every_part() -> None:
    """What a part's buttons print, and what no button prints: arrows, Enter, out of a text."""
    preset = PRESETS["instruct_gpt"]
    _, client = scene(preset.parts, preset.completions)
    listed = card(client).partition('id="help"')[2]
    keys = ["".join(re.findall(r"<kbd[^>]*>(.*?)</kbd>", dt)) for dt in _terms(listed)]
    assert keys[:8] == ["17", "1q", "↑↓", "14", "←→", "n", "↵", "Ctrl↵"]
    for title in (
        "Overall quality",
        "What is true of it? – a mark",
        "From the best to the worst – ",
    ):
        assert title in listed


def _terms(page: str) -> list[str]:
    return re.findall(r"<dt>(.*?)</dt>", page)


def test_a_lone_answer_has_no_letter() -> None:
    preset = PRESETS["thumbs"]
    _, client = scene(preset.parts, preset.completions)
    page = card(client)
    assert '<article class="card side lone" aria-label="Answer">' in page
    assert 'class="letter"' not in page

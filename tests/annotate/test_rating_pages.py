"""The rater's card: blind, answered once whatever is repeated, never an error page."""

from __future__ import annotations

import dataclasses
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling import leases
from labeling.models import Assignment, Campaign, Flag, Label, Prompt
from models_runtime.models import Checkpoint
from tests.factories import (
    Cast,
    CheckpointFactory,
    ComparisonFactory,
    IterationFactory,
    open_comparisons,
)
from tests.rating import held_for

FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def rater(cast: Cast) -> Client:
    open_comparisons(cast.campaign, 3)
    client = Client()
    client.force_login(cast.rater)
    return client


def card(client: Client) -> str:
    """The open card's address for answers."""
    body = client.get("/rate/helpful/").content.decode()
    return re.findall(r'action="(/answers/[0-9a-f-]+/)"', body)[0]


def send(client: Client, address: str, choice: str = "0:better", **extra: Any) -> Any:
    form = {"preference-choice": choice, "idempotency_key": str(uuid.uuid4()), **extra}
    return client.post(address, form, headers=FRAGMENT)


def test_an_answer_is_stored_and_the_next_card_comes_with_it(rater: Client, cast: Cast) -> None:
    first = card(rater)
    held_for(Assignment.objects.get(), minutes=1)
    response = send(rater, first, active_ms="4100", layout="side_by_side/l")
    label = Label.objects.get()
    assert response.status_code == 200
    assert re.findall(r'data-assignment="([0-9a-f-]+)"', response.content.decode()) != []
    assert first not in response.content.decode()
    assert (label.rater, label.active_ms, label.layout) == (cast.rater, 4100, "side_by_side/l")
    assert label.answer["parts"]["preference"]["strength"] == "better"
    assert "1 by you" in response.content.decode()


def test_a_side_is_its_texts_and_nothing_that_names_a_completion(rater: Client) -> None:
    for side in rater.get("/rate/helpful/").context["card"].sides:
        shown = dataclasses.asdict(side)
        assert set(shown) == {"letter", "html", "text", "cut_off"}
        assert {type(value) for value in shown.values()} == {str, bool}


def test_a_failed_iteration_promises_raters_nothing(rater: Client, cast: Cast) -> None:
    cast.campaign.iterations.update(state="failed")
    body = rater.get("/rate/helpful/").content.decode()
    assert "when a researcher has looked at it" in body
    assert "has been told" not in body


def test_the_same_key_on_a_flagged_card_takes_the_flag_back(rater: Client) -> None:
    address = card(rater) + "flag/"
    body = rater.post(address, {"code": "broken"}, headers=FRAGMENT).content.decode()
    assert 'name="take_back" value="broken"' in body
    for _ in range(2):
        body = rater.post(address, {"take_back": "broken"}, headers=FRAGMENT).content.decode()
    assert 'name="code" value="broken"' in body
    assert not Flag.objects.exists()


def test_a_card_that_is_being_read_stays_in_hand(rater: Client) -> None:
    address = card(rater)
    Assignment.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert rater.post(address + "renew/").status_code == 204
    assert leases.release_expired() == 0
    send(rater, address)
    assert rater.post(address + "renew/").status_code == 204
    assert Assignment.objects.order_by("id")[0].state == "submitted"


def test_without_scripts_the_same_form_redirects_to_the_next_card(rater: Client) -> None:
    form = {"preference-choice": "1:slightly", "idempotency_key": str(uuid.uuid4())}
    response = rater.post(card(rater), form)
    assert (response.status_code, response["Location"]) == (302, "/rate/helpful/")
    assert Label.objects.count() == 1


def test_the_same_key_twice_is_one_label(rater: Client) -> None:
    address, key = card(rater), str(uuid.uuid4())
    for _ in range(2):
        response = send(rater, address, idempotency_key=key)
        assert response.status_code == 200
    assert Label.objects.count() == 1


def test_the_same_key_with_another_answer_is_refused(rater: Client) -> None:
    address, key = card(rater), str(uuid.uuid4())
    send(rater, address, idempotency_key=key)
    assert send(rater, address, "1:better", idempotency_key=key).status_code == 409
    assert Label.objects.count() == 1


def test_a_second_tab_answers_the_same_card_and_gets_the_next(rater: Client) -> None:
    address = card(rater)
    send(rater, address)
    response = send(rater, address, "1:significantly")
    assert response.status_code == 409
    assert "already has your answer" in response.content.decode()
    assert Label.objects.count() == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"preference-choice": "2:better"},
        {"preference-choice": ""},
        {"preference-choice": "\x00"},
        {"preference-choice": "0:better", "idempotency_key": "no key"},
        {"preference-choice": "0:better", "active_ms": "-1"},
        {"preference-choice": "0:better", "active_ms": "1e400"},
        {"preference-choice": "0:better", "layout": "<script>"},
        {"preference-choice": "0:better", "layout": "stacked/s\n"},
    ],
)
def test_nonsense_is_a_sentence_and_stores_nothing(rater: Client, broken: dict[str, str]) -> None:
    response = rater.post(
        card(rater), {"idempotency_key": str(uuid.uuid4()), **broken}, headers=FRAGMENT
    )
    assert response.status_code == 400
    assert 'id="card"' in response.content.decode()
    assert Label.objects.count() == 0


def test_undo_brings_the_card_back(rater: Client) -> None:
    address = card(rater)
    send(rater, address)
    response = rater.post("/rate/helpful/undo/", headers=FRAGMENT)
    assert address in response.content.decode()
    send(rater, address, "1:negligibly")
    kinds = list(Label.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["answer", "withdrawn", "answer"]


def test_nothing_to_undo_is_said(rater: Client) -> None:
    response = rater.post("/rate/helpful/undo/", headers=FRAGMENT)
    assert "nothing to undo" in response.content.decode()


def test_skip_needs_a_reason_and_may_be_repeated(rater: Client) -> None:
    address = card(rater)
    assert rater.post(f"{address}skip/", headers=FRAGMENT).status_code == 400
    for _ in range(2):
        form = {"reason": "language"}
        assert rater.post(f"{address}skip/", form, headers=FRAGMENT).status_code == 200
    assert Assignment.objects.get(state="skipped").skip_reason == "language"


def test_a_flag_keeps_the_place(rater: Client) -> None:
    address = card(rater)
    for _ in range(2):
        response = rater.post(f"{address}flag/", {"code": "unsafe"}, headers=FRAGMENT)
        assert "Unsafe content" in response.content.decode()
    assert Flag.objects.count() == 1
    assert card(rater) == address


def test_another_rater_s_card_is_not_there(rater: Client, cast: Cast) -> None:
    address = card(rater)
    other = Client()
    other.force_login(cast.other_rater)
    for path in (address, f"{address}skip/", f"{address}flag/"):
        assert other.post(path, {"reason": "language", "code": "unsafe"}).status_code == 404


def test_a_script_whose_session_ended_is_told_without_a_redirect(rater: Client) -> None:
    address = card(rater)
    rater.logout()
    response = send(rater, address)
    assert (response.status_code, response["HX-Redirect"]) == (401, "/sign-in/")


@pytest.mark.parametrize(
    ("campaign", "iteration", "said"),
    [
        ("paused", "collecting", "Paused"),
        ("closed", "collecting", "campaign is closed"),
        ("open", "sampling", "New answers are being written"),
        ("open", "training", "learning from the labels"),
        ("open", "review", "waits for a decision"),
        ("open", "failed", "Stopped for now"),
        ("open", "collecting", "Nothing left for you"),
    ],
)
def test_an_empty_queue_says_why_and_looks_again_by_itself(
    client: Client, cast: Cast, campaign: str, iteration: str, said: str
) -> None:
    IterationFactory(campaign=cast.campaign, state=iteration)
    Campaign.objects.filter(pk=cast.campaign.pk).update(state=campaign)
    client.force_login(cast.rater)
    body = client.get("/rate/helpful/").content.decode()
    assert said in body
    assert "looks for more by itself" in body


def test_nothing_on_the_page_tells_which_checkpoint_wrote_a_text(cast: Cast) -> None:
    """The card of (m1, m2) is the card of (m2, m1) but for its random id and tokens."""
    iteration = IterationFactory(campaign=cast.campaign)
    comparison = ComparisonFactory(
        campaign=cast.campaign, iteration=iteration, texts=("One.", "Two.")
    )
    client = Client()
    client.force_login(cast.rater)
    client.get("/rate/helpful/")
    assignment = Assignment.objects.get()
    one, two = (CheckpointFactory(project=cast.project) for _ in range(2))
    pages = {written_by(comparison, pair, client) for pair in ((one, two), (two, one))}
    page = pages.pop()
    assert pages == set()
    for secret in (one.name, two.name, *(f'"{pk}"' for pk in assignment.order)):
        assert secret not in page


def written_by(comparison: Any, pair: tuple[Checkpoint, Checkpoint], client: Client) -> str:
    """The card's page, without what is random in it, when these wrote the two texts."""
    for completion, checkpoint in zip(comparison.completions.order_by("id"), pair, strict=True):
        completion.checkpoint = checkpoint
        completion.save()
    body = client.get("/rate/helpful/").content.decode()
    body = re.sub(r'csrfmiddlewaretoken" value="\w+"|X-CSRFToken": "\w+"', "", body)
    return re.sub(r'name="idempotency_key" value="[0-9a-f-]+"', "", body)


def test_model_text_stays_inert(cast: Cast) -> None:
    hostile = '<img src=x onerror=alert(1)><b hx-get="/account/">x</b>\n\n[a](javascript:alert(1))'
    made = open_comparisons(cast.campaign, 1, texts=(hostile, "fine"))
    made[0].completions.update(renderer="")
    client = Client()
    client.force_login(cast.rater)
    body = client.get("/rate/helpful/").content.decode()
    assert "<img" not in body
    assert "<b hx-get" not in body
    assert body.count("hx-disable") >= 3


def test_submitting_asks_the_database_no_more_than_it_must(
    rater: Client, django_assert_num_queries: Any
) -> None:
    """Session and user 2, the assignment 1; in one transaction (its savepoint 2) the seat, the
    assignment, the label, the comparison and the iteration 5, and the next card 4: what is in
    hand, a slot, the texts, the lease. Exact, since every answer costs it."""
    address = card(rater)
    with django_assert_num_queries(14):
        send(rater, address, asked="v1")


def test_the_queue_lists_what_is_open_to_me(rater: Client, cast: Cast) -> None:
    body = rater.get("/rate/").content.decode()
    assert "Helpfulness" in body
    assert "0 of 700 labels" in body


def test_the_guidelines_are_rendered_and_sanitised(rater: Client, cast: Cast) -> None:
    cast.campaign.guideline.markdown = "**Be kind.** <script>alert(1)</script>"
    cast.campaign.guideline.save()
    body = rater.get("/rate/helpful/guidelines/", headers=FRAGMENT).content.decode()
    assert "<strong>Be kind.</strong>" in body
    assert "<script>" not in body


def test_a_prompt_is_rendered_as_the_answers_are(rater: Client, cast: Cast) -> None:
    said = "Is **this** <i>right</i>?\n\n1. Yes"
    Prompt.objects.update(messages=[{"role": "user", "content": said}])
    page = rater.get("/rate/helpful/").content.decode()
    assert "Is <strong>this</strong> &lt;i&gt;right&lt;/i&gt;?" in page
    assert page.count(said.replace("<", "&lt;").replace(">", "&gt;")) == 1  # the raw view

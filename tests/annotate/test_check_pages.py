"""Training, test and gold on pages: settled and made by a lead, met by a rater, contested and
decided."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labeling import asides, checks, contests, erasure, leases, qualification
from labeling.checks import Checks
from labeling.models import Contest, Gold, GoldResult, User
from tests.checks import choice, claim, make_gold, say
from tests.factories import Cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
PAGE = "/campaigns/helpful/checks/"
FRAGMENT = {"HX-Request": "true"}


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def send(client: Client, card: Any, *, right: bool, **headers: Any) -> Any:
    form = {
        "preference-choice": choice(card, right=right),
        "idempotency_key": str(uuid.uuid4()),
    }
    return client.post(f"/answers/{card.public_id}/", form, **headers)


def settled(**settings: Any) -> dict[str, Any]:
    return {"repeat_after": "20", **settings}


def test_a_lead_settles_it(cast: Cast) -> None:
    lead = browser(cast.lead)
    fields = settled(trains_raters="on", pass_mark="80", gold_share="5", repeat_share="2.5")
    assert lead.post(f"{PAGE}settle/", fields).status_code == 302
    cast.campaign.refresh_from_db()
    assert checks.of(cast.campaign) == Checks(True, 80, 0.05, False, 0.025, 20)
    body = lead.get(PAGE).content.decode()
    for said in ('value="5"', 'value="2.5"', 'value="80"', "Training is on and has no items yet."):
        assert said in body
    assert "5.0 % gold" in lead.get("/campaigns/helpful/").content.decode()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"gold_share": "40", "repeat_share": "20"}, "at most half of the cards"),
        ({"gold_share": "NaN"}, "Enter a number"),
        ({"pass_mark": "101"}, "less than or equal to 100"),
        ({"repeat_after": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_said_by_its_field(
    cast: Cast, fields: dict[str, str], said: str
) -> None:
    response = browser(cast.lead).post(f"{PAGE}settle/", settled(**fields))
    assert response.status_code == 400
    assert said in response.content.decode()
    cast.campaign.refresh_from_db()
    assert checks.of(cast.campaign) == Checks()


def test_training_explains_each_answer_and_then_the_work_begins(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 2, "training", explanation="Seven is **prime**.")
    checks.settle(campaign=cast.campaign, settings=Checks(trains_raters=True))
    client = browser(cast.rater)
    body = client.get("/rate/helpful/").content.decode()
    assert "Training, 1 of 2" in body
    card = claim(cast.rater, cast.campaign)
    body = send(client, card, right=False, headers=FRAGMENT).content.decode()
    for said in ("Something else was expected", "<strong>prime</strong>", "I disagree"):
        assert said in body
    assert f'id="card" data-wording="1/1" data-told="{card.labels.get().public_id}"' in body
    again = client.get("/rate/helpful/")  # without scripts, or after a reload
    assert "Something else was expected" in again.content.decode()
    assert "http-equiv" not in again.content.decode()
    client.post(f"/told/{card.labels.get().public_id}/", {"act": "seen"})
    assert "Training, 2 of 2" in client.get("/rate/helpful/").content.decode()
    card = claim(cast.rater, cast.campaign)
    assert "As expected" in send(client, card, right=True, headers=FRAGMENT).content.decode()
    client.post(f"/told/{card.labels.get().public_id}/", {"act": "seen"})
    assert "Training," not in client.get("/rate/helpful/").content.decode()


def test_a_test_says_nothing_before_its_end(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 2, "qualification")
    checks.settle(campaign=cast.campaign, settings=Checks(pass_mark=100))
    client = browser(cast.rater)
    assert "Test: 0 of 2 done" in client.get("/rate/").content.decode()
    body = send(client, claim(cast.rater, cast.campaign), right=True, headers=FRAGMENT)
    assert "Test, 2 of 2" in body.content.decode()
    body = send(client, claim(cast.rater, cast.campaign), right=False, headers=FRAGMENT)
    assert "1 of 2 as expected; 100 % were needed." in body.content.decode()
    verdict = cast.rater.qualifications.get()
    assert client.post(f"/verdicts/{verdict.public_id}/")["Location"] == "/rate/"
    assert "You did not pass the test" in client.get("/rate/helpful/").content.decode()
    assert "test not passed" in client.get("/rate/").content.decode()
    lead = browser(cast.lead)
    assert "Let them try again" in lead.get(PAGE).content.decode()
    lead.post(f"{PAGE}raters/{cast.rater.public_id}/again/")
    assert "Test, 1 of 2" in client.get("/rate/helpful/").content.decode()


def test_who_passes_reads_so_before_the_first_card(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 1, "qualification")
    checks.settle(campaign=cast.campaign, settings=Checks(pass_mark=100))
    client = browser(cast.rater)
    client.get("/rate/helpful/")
    body = send(client, claim(cast.rater, cast.campaign), right=True, headers=FRAGMENT)
    assert "1 of 1 as expected; 100 % were needed." in body.content.decode()
    assert "To the work" in client.get("/rate/helpful/").content.decode()
    verdict = cast.rater.qualifications.get()
    assert client.post(f"/verdicts/{verdict.public_id}/")["Location"] == "/rate/helpful/"
    assert 'id="judge"' in client.get("/rate/helpful/").content.decode()


def test_gold_looks_like_work(cast: Cast) -> None:
    """The same page to the letter, but for the texts and what is drawn anew for every card."""
    open_comparisons(cast.campaign, 3)
    make_gold(cast.campaign, 1)
    client = browser(cast.rater)
    work = client.get("/rate/helpful/").content.decode()
    leases.release(claim(cast.rater, cast.campaign))
    checks.settle(campaign=cast.campaign, settings=Checks(gold_share=0.5))
    bodies = []
    for _ in range(40):
        card = claim(cast.rater, cast.campaign)
        if card.comparison.purpose == "gold":
            bodies.append(client.get("/rate/helpful/").content.decode())
            break
        leases.release(card)
    if bodies:
        assert outline(bodies[0]) == outline(work)


def outline(body: str) -> str:
    """The tags of a page, without values."""
    return " ".join(re.findall(r"<([a-z0-9]+)[ >]", body))


def test_a_rater_disagrees_and_is_told_what_became_of_it(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    [item] = make_gold(cast.campaign, 1, "training")
    checks.settle(campaign=cast.campaign, settings=Checks(trains_raters=True))
    client, lead = browser(cast.rater), browser(cast.lead)
    card = claim(cast.rater, cast.campaign)
    send(client, card, right=False)
    told = f"/told/{card.labels.get().public_id}/"
    client.post(told, {"act": "contest", "text": " "})  # says nothing: it stays to be read
    assert not Contest.objects.exists()
    assert "I disagree" in client.get("/rate/helpful/").content.decode()
    client.post(told, {"act": "contest", "text": "Nine <b>is</b> odd."})
    contest = Contest.objects.get()
    body = lead.get(PAGE).content.decode()
    assert "Nine &lt;b&gt;is&lt;/b&gt; odd." in body
    address = f"{PAGE}contests/{contest.pk}/"
    assert (
        "Say why it stays" in lead.post(address, {"act": "reject"}, follow=True).content.decode()
    )
    lead.post(address, {"act": "retire", "reason": "Thank you."})
    assert not GoldResult.objects.filter(void_at=None).exists()
    item.refresh_from_db()
    assert item.retired_at is not None
    body = client.get("/rate/helpful/").content.decode()
    for said in ("You were right", "is asked no more", "Thank you."):
        assert said in body
    lead.post(address, {"act": "reopen"})
    item.refresh_from_db()
    assert item.retired_at is None
    lead.post(address, {"act": "reject", "reason": "It is odd, and no prime."})
    assert "It stays as it was" in client.get("/rate/helpful/").content.decode()
    client.post(told, {"act": "decision"})
    assert "It stays as it was" not in client.get("/rate/helpful/").content.decode()


def test_a_corrected_item_marks_its_answers_anew(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    [item] = make_gold(cast.campaign, 1, "training")
    checks.settle(campaign=cast.campaign, settings=Checks(trains_raters=True))
    say(claim(cast.rater, cast.campaign), right=False)
    lead = browser(cast.lead)
    address = f"{PAGE}{item.public_id}/"
    body = lead.get(address).content.decode()
    assert 'value="0:better"' in body
    assert "checked" in body
    fields = {
        "preference-choice": "1:better",
        "judge-preference": "on",
        "explanation": "The second one is.",
    }
    response = lead.post(address, fields, follow=True)
    assert "Saved; 1 answer came out otherwise." in response.content.decode()
    assert GoldResult.objects.get().right is True


def test_an_item_made_of_a_card_on_which_people_agree(cast: Cast) -> None:
    comparison, *_ = open_comparisons(cast.campaign, 1, overlap=2)
    first = comparison.items.order_by("position")[0].completion_id
    for rater in (cast.rater, cast.other_rater):
        card = claim(rater, cast.campaign)
        answer_to = "0:better" if card.order[0] == first else "1:better"
        answer(rater, cast.campaign, answer_to)
    lead = browser(cast.lead)
    address = f"{PAGE}from/{comparison.pk}/"
    assert address in lead.get(PAGE).content.decode()
    assert "Everybody who answered this card agreed" in lead.get(address).content.decode()
    fields = {"purpose": "training", "preference-choice": "0:better", "judge-preference": "on"}
    response = lead.post(address, fields)
    assert response.status_code == 400
    assert "Write the explanation" in response.content.decode()
    lead.post(address, {**fields, "explanation": "It is right."})
    made = Gold.objects.get()
    assert (made.purpose, made.expected["preference"]["chosen"]) == ("training", first)
    assert made.comparison.items.count() == 2
    assert made.comparison.overlap == made.comparison.slots_left == 0
    nothing = lead.post(address, {"purpose": "gold", "judge-preference": "on"})
    assert nothing.status_code == 400


def test_no_item_is_made_of_a_card_that_waits_for_answers(cast: Cast) -> None:
    """Its raters would read what is expected, and then answer the same card as work."""
    comparison, *_ = open_comparisons(cast.campaign, 1)
    lead, address = browser(cast.lead), f"{PAGE}from/{comparison.pk}/"
    fields = {"purpose": "gold", "preference-choice": "0:better", "judge-preference": "on"}
    refused = lead.post(address, fields)
    assert refused.status_code == 400
    for response in (refused, lead.get(address)):
        assert "still waits for answers" in response.content.decode()
    assert not Gold.objects.exists()
    answer(cast.rater, cast.campaign, "0:better")
    assert lead.post(address, fields).status_code == 302
    assert Gold.objects.get().source == comparison


def gold_file(*rows: dict[str, Any]) -> SimpleUploadedFile:
    text = "\n".join(json.dumps(row) for row in rows)
    return SimpleUploadedFile("gold.jsonl", text.encode())


ROW = {
    "prompt": "Name a prime number.",
    "completions": ["Seven.", "Nine."],
    "expected": {"preference": {"outcome": "prefer", "chosen": 0, "strength": "better"}},
    "explanation": "Nine is 3 · 3.",
    "purpose": "training",
}


def test_items_come_from_a_file_all_or_none(cast: Cast) -> None:
    lead = browser(cast.lead)
    wrong = {**ROW, "expected": {"preference": {"outcome": "prefer", "chosen": 5}}}
    response = lead.post(f"{PAGE}import/", {"gold": gold_file(ROW, wrong)}, follow=True)
    assert "Nothing was imported" in response.content.decode()
    assert "line 2" in response.content.decode().lower()
    assert not Gold.objects.exists()
    lead.post(f"{PAGE}import/", {"gold": gold_file(ROW, {**ROW, "purpose": "gold"})})
    assert list(Gold.objects.order_by("pk").values_list("purpose", flat=True)) == [
        "training",
        "gold",
    ]
    again = lead.post(f"{PAGE}import/", {"gold": gold_file(ROW)}, follow=True)
    assert "0 items imported; 1 were there already." in again.content.decode()
    assert Gold.objects.count() == 2


@pytest.mark.parametrize("suggests", [True, False])
def test_an_import_says_where_its_items_can_be_told_apart(cast: Cast, suggests: bool) -> None:
    suggestion = {"by": "a judge", "trains_on": "chosen", "parts": {}, "texts": {}}
    suggested = {"suggestion": suggestion, "suggestion_sha256": "a" * 64}
    open_comparisons(cast.campaign, 1, **(suggested if suggests else {}))
    sent = browser(cast.lead).post(f"{PAGE}import/", {"gold": gold_file(ROW)}, follow=True)
    assert ("raters can tell them apart" in sent.content.decode()) is suggests


def test_the_lead_s_page_costs_the_same_for_many(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 30, "training")
    checks.settle(campaign=cast.campaign, settings=Checks(trains_raters=True))
    say(claim(cast.rater, cast.campaign))
    lead = browser(cast.lead)
    with django_assert_max_num_queries(28):
        assert lead.get(PAGE).status_code == 200


def test_erasing_a_rater_empties_what_they_objected(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 1, "training")
    checks.settle(campaign=cast.campaign, settings=Checks(trains_raters=True))
    label = say(claim(cast.rater, cast.campaign), right=False)
    contests.open_contest(result=label.result, text="My own words.", rater=cast.rater)
    erasure.erase(rater=cast.rater)
    contest = Contest.objects.get()
    assert (contest.text, contest.reason) == ("", "")
    assert contest.erased_at is not None
    assert "My own words" not in browser(cast.lead).get(PAGE).content.decode()


def test_the_answers_are_a_file_of_their_own_with_flags(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    make_gold(cast.campaign, 1, "qualification")
    checks.settle(campaign=cast.campaign, settings=Checks(pass_mark=100))
    say(claim(cast.rater, cast.campaign), right=False)
    qualification.let_in(rater=cast.rater, campaign=cast.campaign, actor=cast.lead)
    say(claim(cast.rater, cast.campaign))
    lead = browser(cast.lead)
    body = lead.get(PAGE).content.decode()
    assert "0 of training, 1 of the test, 0 gold, 0 repeats" in body
    text = b"".join(lead.get(f"{PAGE}checks.csv").streaming_content).decode()
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["purpose"], row["occasion"], row["right"]) == ("qualification", "0", "0")
    assert row["rater"] not in (cast.rater.username, str(cast.rater.public_id), "")


def test_what_an_answer_costs_with_gold_in_use(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer to work: nothing for gold, one query more where gold is explained. An answer to
    gold itself: two for its result, less those by which work is counted."""
    open_comparisons(cast.campaign, 12)
    make_gold(cast.campaign, 4)
    client = browser(cast.rater)
    client.get("/rate/helpful/")

    def queries(**settings: Any) -> int:
        checks.settle(campaign=cast.campaign, settings=Checks(**settings))
        card = claim(cast.rater, cast.campaign)
        with CaptureQueriesContext(connection) as asked:
            assert send(client, card, right=True, headers=FRAGMENT).status_code == 200
        return len(asked) - 3  # the test's own: of its transaction, and where the first text is

    queries()  # the first has nothing to go on from
    without = queries()
    assert without <= 12
    monkeypatch.setattr(asides._draw, "random", lambda: 0.99)
    assert queries(gold_share=0.05) == without
    assert queries(gold_share=0.05, gold_feedback=True) == without + 1
    monkeypatch.setattr(asides._draw, "random", lambda: 0.0)
    # The next card is gold, found instead of work; what is collected is no more read beside it.
    assert queries(gold_share=0.05) == without + 1
    assert queries(gold_share=0.05) <= without + 2  # answers gold, and gets another


def test_the_campaign_s_count_tells_nobody_which_of_their_answers_was_gold(cast: Cast) -> None:
    """It stands still after gold and goes on after work: told to the label, it would."""
    open_comparisons(cast.campaign, 4)
    checks.settle(campaign=cast.campaign, settings=Checks(gold_share=0.05))
    counted = set()
    for _ in range(3):
        answer(cast.rater, cast.campaign, "0:better")
        for path in ("/rate/helpful/", "/rate/"):
            context = browser(cast.rater).get(path).context
            shown = context["progress"] if path != "/rate/" else context["entries"][0]["progress"]
            counted.add((shown["campaign_done"], shown["campaign_target"] > 0))
    assert counted == {(0, True)}

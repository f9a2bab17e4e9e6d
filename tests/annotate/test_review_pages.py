"""A lead's review, page by page: the queue, one comparison, and what rater and lead see."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling import accepted, adjudications, checks, disputes, exclusions, labels, leases
from labeling.models import Adjudication, Comparison, Exclusion, Flag, Label, RaterText, SendBack
from tests.checks import claim, make_gold, say
from tests.factories import Cast, ComparisonFactory, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
QUEUE = "/campaigns/helpful/review/"


def browser(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def disputed(cast: Cast) -> Comparison:
    """One says A, the other B, whatever side they saw them on."""
    [row] = open_comparisons(cast.campaign, 1, overlap=2)
    first = answer(cast.rater, cast.campaign, "0:significantly")
    card = leases.claim_next(rater=cast.other_rater, campaign=cast.campaign)
    assert card is not None
    labels.record_label(
        assignment=card,
        parts={"preference": {"choice": f"{card.order.index(first.order[1])}:better"}},
        idempotency_key=card.public_id,
    )
    disputes.tick(timezone.now() + timedelta(minutes=1))
    return row


def body(client: Client, address: str) -> str:
    return str(client.get(address).content.decode())


def test_the_queue_leads_to_the_comparison_and_the_decision_to_the_next(cast: Cast) -> None:
    row, lead = disputed(cast), browser(cast.lead)
    said = body(lead, QUEUE)
    assert "Raters disagree" in said
    assert f"{QUEUE}{row.pk}/" in said
    assert "Review" in body(lead, "/campaigns/helpful/")
    page = body(lead, f"{QUEUE}{row.pk}/")
    assert "rater</th>" in page
    assert "other_rater</th>" in page
    form = {"kind": "answer", "text": "B names the source.", "preference-choice": "1:better"}
    assert lead.post(f"{QUEUE}{row.pk}/decide/", form)["Location"] == QUEUE
    made = adjudications.standing(row)
    assert made is not None
    assert (made.kind, made.by, made.text) == ("answer", cast.lead, "B names the source.")
    assert "Nothing waits for a decision" in body(lead, QUEUE)
    assert "B names the source." in body(lead, f"{QUEUE}?why=decided")
    assert "decided by a lead 1, labels" in body(lead, "/campaigns/helpful/")


def test_a_decision_is_taken_back_and_the_comparison_waits_again(cast: Cast) -> None:
    row, lead = disputed(cast), browser(cast.lead)
    lead.post(f"{QUEUE}{row.pk}/decide/", {"kind": "accept"})
    assert "Nothing waits for a decision" in body(lead, QUEUE)
    lead.post(f"{QUEUE}{row.pk}/undo/")
    assert f"{QUEUE}{row.pk}/" in body(lead, QUEUE)
    assert Adjudication.objects.count() == 2


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"kind": "answer", "preference-choice": "9:x"}, "alert"),
        ({"kind": "nothing"}, "valid choice"),
        ({"kind": "more", "more": "99"}, "less than or equal to 9"),
        ({"kind": "more"}, "Ask for 1 to 9 more labels."),
        ({}, "required"),
    ],
)
def test_what_cannot_be_is_said_and_what_was_typed_stays(
    cast: Cast, form: dict[str, str], said: str
) -> None:
    row, lead = disputed(cast), browser(cast.lead)
    response = lead.post(f"{QUEUE}{row.pk}/decide/", {**form, "text": "Kept words"})
    assert response.status_code == 400
    assert said in response.content.decode()
    assert "Kept words" in response.content.decode()
    assert not Adjudication.objects.exists()


def test_the_rater_reads_why_it_came_back_until_they_answer(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    label = answer(cast.rater, cast.campaign, "0:better")
    address = f"{QUEUE}{label.comparison_id}/"
    lead, rater = browser(cast.lead), browser(cast.rater)
    assert lead.post(f"{address}send-back/", {"label": label.pk, "text": ""}).status_code == 400
    lead.post(f"{address}send-back/", {"label": label.pk, "text": "Read A <b>again</b>."})
    assert "look at 1 answer again" in body(rater, "/rate/")
    page = rater.get("/rate/helpful/")
    assert "Your lead asks you to look again:" in page.content.decode()
    assert "Read A &lt;b&gt;again&lt;/b&gt;." in page.content.decode()
    assert "Read A &lt;b&gt;again" in body(lead, f"{QUEUE}?why=sent-back")
    answer(cast.rater, cast.campaign, "1:better")
    assert "look again" not in body(rater, "/rate/helpful/")
    assert "Nothing is sent back" in body(lead, f"{QUEUE}?why=sent-back")


def test_a_lead_takes_sending_back_back(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    label = answer(cast.rater, cast.campaign, "0:better")
    lead = browser(cast.lead)
    address = f"{QUEUE}{label.comparison_id}/send-back/"
    lead.post(address, {"label": label.pk, "text": "Look again."})
    sent = SendBack.objects.get()
    lead.post(f"/campaigns/helpful/sent-back/{sent.pk}/take-back/")
    assert accepted.of(Label.objects.all()).count() == 1


def test_excluding_says_how_many_first_and_is_lifted_by_one_press(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    for _ in range(2):
        answer(cast.rater, cast.campaign, "0:better")
    lead = browser(cast.lead)
    address = f"/campaigns/helpful/raters/{cast.rater.public_id}/exclude/"
    assert "2 labels of theirs count in this campaign" in body(lead, address)
    form = {"from_day": timezone.localdate().isoformat(), "reason": "speed", "text": "Hasty"}
    asked = lead.post(address, {**form, "count": "1"}).content.decode()
    assert "This excludes 2 labels." in asked
    assert not Exclusion.objects.exists()
    assert lead.post(address, form)["Location"] == "/campaigns/helpful/exclusions/"
    assert "being applied" in body(lead, "/campaigns/helpful/exclusions/")
    exclusions.tick()
    assert "in force" in body(lead, "/campaigns/helpful/exclusions/")
    assert "excluded labels 2." in body(lead, "/campaigns/helpful/")
    assert "0 labels of theirs count in this campaign" in body(lead, address)
    lead.post(f"/campaigns/helpful/exclusions/{Exclusion.objects.get().pk}/lift/")
    exclusions.tick()
    assert "lifted" in body(lead, "/campaigns/helpful/exclusions/")
    assert accepted.of(Label.objects.all()).count() == 2


def test_a_day_to_come_is_refused_by_its_field(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    answer(cast.rater, cast.campaign, "0:better")
    tomorrow = (timezone.localdate() + timedelta(days=2)).isoformat()
    response = browser(cast.lead).post(
        f"/campaigns/helpful/raters/{cast.rater.public_id}/exclude/",
        {"from_day": tomorrow, "reason": "speed"},
    )
    assert response.status_code == 400
    assert "Choose a day that has begun." in response.content.decode()


def test_personal_data_is_taken_out_by_the_lead(cast: Cast) -> None:
    [row] = open_comparisons(cast.campaign, 1, texts=("Ask Ada Lovelace.", "No."))
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    labels.flag(assignment=card, code="personal_data")
    lead = browser(cast.lead)
    assert "Personal data" in body(lead, f"{QUEUE}?why=personal")
    page = body(lead, f"{QUEUE}{row.pk}/")
    assert "there is personal data here" in page
    named = {}
    for item in row.items.select_related("completion"):
        text = item.completion.text.replace("Ada Lovelace", "[name]")
        named[f"passage-completion-{item.completion_id}"] = text
    lead.post(f"{QUEUE}{row.pk}/redact/", named)
    page = body(lead, f"{QUEUE}{row.pk}/")
    assert "Lovelace" not in page
    assert "Ask [name]." in page
    row.refresh_from_db()
    assert row.state == "open"


def test_a_discarded_flag_is_brought_back_by_the_review(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    label = answer(cast.rater, cast.campaign, "0:better")
    flag = labels.flag(assignment=label.assignment, code="broken")
    lead = browser(cast.lead)
    lead.post(f"/campaigns/helpful/flags/{flag.pk}/discard/")
    assert Comparison.objects.get().state == "discarded"
    lead.post(f"{QUEUE}{label.comparison_id}/undo/")
    assert Comparison.objects.get().state == "complete"
    assert Flag.objects.filter(resolved_at=None).count() == 1


def test_another_projects_comparison_and_label_do_not_exist(cast: Cast) -> None:
    row, lead = disputed(cast), browser(cast.lead)
    other = ComparisonFactory()
    assert lead.get(f"{QUEUE}{other.pk}/").status_code == 404
    foreign = {"label": Label.objects.order_by("pk")[0].pk + 999, "text": "Look."}
    assert lead.post(f"{QUEUE}{row.pk}/send-back/", foreign).status_code == 404


def test_the_queue_costs_as_many_queries_with_many_rows_as_with_one(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    for _ in range(3):
        disputed(cast)
    lead = browser(cast.lead)
    for address in (QUEUE, f"{QUEUE}?why=disagree", f"{QUEUE}?why=decided"):
        with django_assert_max_num_queries(10):
            lead.get(address)


def test_one_comparison_costs_as_many_queries_whatever_raters_typed(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    row = disputed(cast)
    for label in Label.objects.select_related("assignment"):
        typed = {"label": label, "assignment": label.assignment, "rater_id": label.rater_id}
        RaterText.objects.create(part="why/text", text="Because.", **typed)
    lead = browser(cast.lead)
    with django_assert_max_num_queries(25):
        said = body(lead, f"{QUEUE}{row.pk}/")
    assert "Because." in said


def test_an_item_that_was_missed_says_how_many_answered_it(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    make_gold(cast.campaign, 1, "training")
    checks.settle(campaign=cast.campaign, settings=checks.Checks(trains_raters=True))
    for rater in (cast.rater, cast.other_rater):
        say(claim(rater, cast.campaign), right=False)
    disputes.tick(timezone.now() + timedelta(minutes=1))
    [one] = browser(cast.lead).get(QUEUE).context["rows"]
    assert one["labels"] == 2
    assert '<td class="r num">2</td>' in body(browser(cast.lead), QUEUE)

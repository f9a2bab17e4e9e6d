"""What leads decide: put up the worst first, decided by a row, taken back by another."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labeling import (
    accepted,
    adjudications,
    aggregation,
    disputes,
    exports,
    labels,
    leases,
    send_backs,
    snapshots,
)
from labeling.models import Assignment, Comparison, Dispute, Iteration, Label, RaterText
from models_runtime import artifacts
from models_runtime.models import AuditEvent
from tests.factories import Cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
LEADS_CHOICE = {"preference": {"choice": "1:better"}}


def look() -> None:
    disputes.tick(timezone.now() + timedelta(minutes=1))


def disagreeing(cast: Cast, one: str = "0:better", other: str = "1:better") -> Comparison:
    """A comparison with two labels: on sides that are drawn, so named by what each says."""
    [row] = open_comparisons(cast.campaign, 1, overlap=2)
    first = answer(cast.rater, cast.campaign, one)
    card = leases.claim_next(rater=cast.other_rater, campaign=cast.campaign)
    assert card is not None
    place, _, strength = other.partition(":")
    wanted = first.order[int(place)]
    choice = f"{card.order.index(wanted)}:{strength}"
    labels.record_label(
        assignment=card,
        parts={"preference": {"choice": choice}},
        idempotency_key=card.public_id,
    )
    row.refresh_from_db()
    return row


def verdict(row: Comparison) -> aggregation.Verdict:
    [judged] = snapshots.judged(row.campaign, among=[row.pk])
    return aggregation.decide(judged)


def exported(cast: Cast, **options: Any) -> list[dict[str, Any]]:
    module = exports.load("trl")
    judged = snapshots.judged(cast.campaign)
    return list(module.rows(judged, module.Options(**options), Counter()))


def test_the_strongest_disagreement_comes_first_and_agreement_is_not_put_up(cast: Cast) -> None:
    agreed = disagreeing(cast, "0:better", "0:slightly")
    weak = disagreeing(cast, "0:negligibly", "1:slightly")
    strong = disagreeing(cast, "0:significantly", "1:better")
    look()
    assert [row.comparison_id for row in disputes.of(cast.campaign)] == [strong.pk, weak.pk]
    assert not Dispute.objects.filter(comparison=agreed).exists()
    assert disputes.of(cast.campaign, "disagree").count() == 2
    assert not disputes.of(cast.campaign, "flagged").exists()
    look()
    assert disputes.of(cast.campaign).count() == 2


def test_a_flag_puts_it_up_before_all_others_at_once(cast: Cast) -> None:
    strong = disagreeing(cast)
    look()
    open_comparisons(cast.campaign, 1)
    flagged = answer(cast.rater, cast.campaign, "0:better").assignment
    labels.flag(assignment=flagged, code="unsafe")
    found = [row.comparison_id for row in disputes.of(cast.campaign)]
    assert found == [flagged.comparison_id, strong.pk]


def test_the_leads_answer_is_what_the_comparison_teaches(cast: Cast) -> None:
    row = disagreeing(cast)
    before = list(Label.objects.order_by("pk").values())
    assert verdict(row).reason == "no majority"
    made = adjudications.decide(
        comparison=row, kind="answer", actor=cast.lead, parts=LEADS_CHOICE, text="B is right."
    )
    assert made.label is not None
    assert verdict(row).adjudicated
    [export] = exported(cast)
    assert export["adjudicated"] is True
    assert export["chosen_id"] == made.label.order[1]
    assert {one["adjudicated"] for one in exported(cast, per_label=True)} == {True, False}
    row.refresh_from_db()
    assert (row.state, row.counted, row.slots_left) == ("complete", 2, 0)
    assert list(Label.objects.exclude(pk=made.label.pk).order_by("pk").values()) == before
    assert not disputes.of(cast.campaign).exists()
    assert accepted.why_not(made.label) == "It is a lead's decision."


def test_a_snapshot_holds_the_raters_labels_and_the_decision_apart(cast: Cast) -> None:
    row = disagreeing(cast)
    adjudications.decide(comparison=row, kind="answer", actor=cast.lead, parts=LEADS_CHOICE)
    snapshot = snapshots.freeze(campaign=cast.campaign)
    with artifacts.open_file(snapshot.uri, "labels.jsonl") as handle:
        rows = [json.loads(line) for line in handle]
    assert [one.get("adjudicated", False) for one in rows] == [False, False, True]
    assert snapshot.counts["labels"]["adjudicated"] == 1
    assert snapshot.counts["comparisons"]["kept"] == 1


def test_a_decision_is_taken_back_by_another_row(cast: Cast) -> None:
    row = disagreeing(cast)
    look()
    made = adjudications.decide(comparison=row, kind="answer", actor=cast.lead, parts=LEADS_CHOICE)
    with pytest.raises(adjudications.NotPossible):
        adjudications.decide(comparison=row, kind="accept", actor=cast.lead)
    assert adjudications.undo(adjudication=made, actor=cast.lead) is not None
    assert adjudications.undo(adjudication=made, actor=cast.lead) is None
    assert adjudications.standing(row) is None
    assert verdict(row).reason == "no majority"
    assert disputes.of(cast.campaign).count() == 1
    assert labels.newest(cast.lead, cast.campaign) is None
    verbs = list(AuditEvent.objects.order_by("pk").values_list("verb", flat=True))
    assert verbs[-2:] == ["comparison decided", "decision taken back"]
    again = adjudications.decide(
        comparison=row, kind="answer", actor=cast.lead, parts=LEADS_CHOICE
    )
    assert again.label is not None
    assert verdict(row).adjudicated


def test_more_labels_are_asked_for_and_no_more_when_that_is_taken_back(cast: Cast) -> None:
    row = disagreeing(cast)
    made = adjudications.decide(comparison=row, kind="more", more=2, actor=cast.lead)
    row.refresh_from_db()
    assert (row.state, row.overlap, row.slots_left) == ("open", 4, 2)
    adjudications.undo(adjudication=made, actor=cast.lead)
    row.refresh_from_db()
    assert (row.state, row.overlap, row.slots_left, row.counted) == ("complete", 2, 0, 2)
    for many in (0, 10):
        with pytest.raises(adjudications.NotPossible):
            adjudications.decide(comparison=row, kind="more", more=many, actor=cast.lead)


def test_a_discarded_comparison_comes_back_with_its_count(cast: Cast) -> None:
    row = disagreeing(cast)
    made = adjudications.decide(comparison=row, kind="discard", actor=cast.lead)
    assert Iteration.objects.get().labels_people == 0
    assert list(snapshots.judged(cast.campaign)) == []
    adjudications.undo(adjudication=made, actor=cast.lead)
    row.refresh_from_db()
    assert (row.state, Iteration.objects.get().labels_people) == ("complete", 2)


def test_a_decision_settles_the_flags_and_its_undo_raises_them_again(cast: Cast) -> None:
    row = disagreeing(cast)
    card = Assignment.objects.filter(comparison=row, rater=cast.rater).get()
    labels.flag(assignment=card, code="unsafe")
    made = adjudications.decide(comparison=row, kind="accept", actor=cast.lead)
    assert not row.flags.filter(resolved_at=None).exists()
    adjudications.undo(adjudication=made, actor=cast.lead)
    assert row.flags.filter(resolved_at=None).count() == 1


def test_an_answer_that_the_question_does_not_take_changes_nothing(cast: Cast) -> None:
    row = disagreeing(cast)
    with pytest.raises(labels.InvalidAnswer):
        adjudications.decide(
            comparison=row, kind="answer", actor=cast.lead, parts={"preference": {"choice": "9"}}
        )
    assert adjudications.standing(row) is None
    assert not Assignment.objects.filter(rater=cast.lead).exists()


def test_what_is_sent_back_waits_for_its_rater_and_is_not_accepted(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    label = answer(cast.rater, cast.campaign, "0:better")
    later = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    row = send_backs.send_back(label=label, text="Read A to its end.", actor=cast.lead)
    assert accepted.why_not(Label.objects.get(pk=label.pk)) == "A lead sent it back to its rater."
    assert not accepted.of(Label.objects.all()).exists()
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert card is not None
    assert later is not None
    assert (card.pk, card.pk != later.pk) == (label.assignment_id, True)
    asked = send_backs.asked(card)
    assert asked is not None
    assert asked.text == "Read A to its end."
    assert [one.pk for one in send_backs.waiting(cast.rater, cast.campaign)] == [row.pk]
    new = answer(cast.rater, cast.campaign, "1:better")
    assert list(accepted.of(Label.objects.all())) == [new]
    assert not send_backs.waiting(cast.rater, cast.campaign)
    assert not send_backs.take_back(row=row, actor=cast.lead)


def test_a_lead_who_thinks_better_of_it_puts_the_answer_in_force_again(cast: Cast) -> None:
    [comparison] = open_comparisons(cast.campaign, 1)
    label = answer(cast.rater, cast.campaign, "0:better")
    row = send_backs.send_back(label=label, text="Look again.", actor=cast.lead)
    assert Iteration.objects.get().labels_people == 0
    assert send_backs.take_back(row=row, actor=cast.lead)
    [again] = accepted.of(Label.objects.all())
    assert (again.answer, again.order, again.counted) == (label.answer, label.order, True)
    comparison.refresh_from_db()
    assert (comparison.state, Iteration.objects.get().labels_people) == ("complete", 1)
    assert not send_backs.take_back(row=row, actor=cast.lead)
    assert not RaterText.objects.exists()


def test_what_others_have_answered_meanwhile_is_asked_no_more(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    label = answer(cast.rater, cast.campaign, "0:better")
    send_backs.send_back(label=label, text="Look again.", actor=cast.lead)
    leases.release(label.assignment)
    assert send_backs.counts(cast.rater) == {cast.campaign.pk: 1}
    answer(cast.other_rater, cast.campaign, "0:better")
    assert not send_backs.counts(cast.rater)


@pytest.mark.parametrize("text", ["", "   ", "x" * 1001])
def test_sending_back_needs_a_reason(cast: Cast, text: str) -> None:
    open_comparisons(cast.campaign, 1)
    label = answer(cast.rater, cast.campaign, "0:better")
    with pytest.raises(send_backs.NotPossible):
        send_backs.send_back(label=label, text=text, actor=cast.lead)


def test_what_cannot_be_answered_again_is_not_sent_back(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    label = answer(cast.rater, cast.campaign, "0:better")
    Iteration.objects.update(state="training")
    with pytest.raises(send_backs.NotPossible):
        send_backs.send_back(
            label=Label.objects.get(pk=label.pk), text="Look again.", actor=cast.lead
        )
    assert list(accepted.of(Label.objects.all())) == [label]

"""Recording an answer: once, whole, and never lost because it came late."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from labeling import labels, leases, seats
from labeling.models import Assignment, Comparison, Iteration, Label, User
from tests import factories
from tests.factories import Cast, open_comparisons
from tests.rating import held_for

pytestmark = pytest.mark.django_db
LEFT = {"preference": {"choice": "0:significantly"}}
RIGHT = {"preference": {"choice": "1:slightly"}}


def test_an_answer_names_completions_by_the_order_this_rater_saw(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    label = _submit(card, RIGHT)
    part = label.answer["parts"]["preference"]
    assert (part["chosen"], part["rejected"]) == (card.order[1], card.order[0])
    assert (part["strength"], label.order) == ("slightly", card.order)
    assert (label.source, label.late, label.counted) == ("person", False, True)
    assert label.question_version == cast.campaign.question
    assert label.guideline_version == cast.campaign.guideline


def test_the_last_label_wanted_completes_the_comparison(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1, overlap=2)
    _submit(_claim(cast.rater, cast), LEFT)
    assert _counters(comparison) == (1, 1, "open")
    _submit(_claim(cast.other_rater, cast), LEFT)
    assert _counters(comparison) == (0, 2, "complete")


def test_the_iteration_keeps_peoples_labels_apart(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    _submit(_claim(cast.rater, cast), LEFT)
    simulated = factories.UserFactory(kind="simulated")
    label = _submit(_claim(simulated, cast), LEFT)
    assert label.source == "simulated"
    iteration = Iteration.objects.get()
    assert (iteration.labels_people, iteration.labels_others) == (1, 1)


def test_what_the_browser_measured_is_kept_within_reason(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    card = held_for(_claim(cast.rater, cast), days=30)
    absurd = _submit(card, LEFT, active_ms=10**15, layout="x" * 99)
    assert (absurd.active_ms, absurd.layout) == (86_400_000, "x" * 30)
    card = held_for(_claim(cast.rater, cast), minutes=5)
    label = _submit(card, LEFT, active_ms=41_000, layout="stacked")
    assert (label.active_ms, label.layout) == (41_000, "stacked")


def test_the_same_key_and_answer_again_gives_the_stored_label(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1, overlap=2)
    card, key = _claim(cast.rater, cast), uuid.uuid4()
    assert _submit(card, LEFT, key) == _submit(card, LEFT, key, active_ms=5)
    assert Label.objects.count() == 1
    assert _counters(comparison) == (1, 1, "open")


def test_the_same_key_with_another_answer_is_refused(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1, overlap=2)
    card, key = _claim(cast.rater, cast), uuid.uuid4()
    stored = _submit(card, LEFT, key)
    with pytest.raises(labels.IdempotencyConflict):
        _submit(card, RIGHT, key)
    assert list(Label.objects.all()) == [stored]
    assert _counters(comparison) == (1, 1, "open")


def test_a_key_of_another_card_is_refused(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    key = uuid.uuid4()
    _submit(_claim(cast.rater, cast), LEFT, key)
    card = _claim(cast.rater, cast)
    with pytest.raises(labels.IdempotencyConflict):
        _submit(card, LEFT, key)
    card.refresh_from_db()
    assert card.state == "leased"


def test_a_second_answer_to_the_card_under_a_new_key_is_refused(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1, overlap=2)
    card = _claim(cast.rater, cast)
    _submit(card, LEFT)
    with pytest.raises(labels.NotOpen):
        _submit(card, RIGHT)
    assert Label.objects.count() == 1
    assert _counters(comparison) == (1, 1, "open")


def test_the_same_request_twice_at_once_gives_one_label(cast: Cast) -> None:
    """Both have read the card as it was in hand; the other copy commits first."""
    open_comparisons(cast.campaign, 1)
    card, key = _claim(cast.rater, cast), uuid.uuid4()
    first = _submit(Assignment.objects.get(pk=card.pk), LEFT, key)
    assert card.state == "leased"
    assert _submit(card, LEFT, key) == first
    assert list(Label.objects.all()) == [first]


def test_an_invalid_answer_changes_nothing(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    with pytest.raises(labels.InvalidAnswer):
        _submit(card, {"preference": {"choice": "tie"}})
    card.refresh_from_db()
    assert (card.state, Label.objects.count()) == ("leased", 0)
    assert _counters(comparison) == (0, 0, "open")


def test_a_late_answer_counts_when_a_slot_is_free(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    leases.release_expired(timezone.now() + timedelta(hours=1))
    label = _submit(card, LEFT)
    assert (label.late, label.counted) == (True, True)
    assert _counters(comparison) == (0, 1, "complete")


def test_a_late_answer_is_kept_uncounted_when_others_took_the_slot(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    leases.release_expired(timezone.now() + timedelta(hours=1))
    _submit(_claim(cast.other_rater, cast), RIGHT)
    label = _submit(card, LEFT)
    assert (label.late, label.counted) == (True, False)
    assert _counters(comparison) == (0, 1, "complete")
    assert Iteration.objects.get().labels_people == 1


def test_an_answer_after_the_leases_end_that_nobody_swept_yet_holds_its_slot(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    label = _submit(_claim(cast.rater, cast), LEFT, now=timezone.now() + timedelta(hours=1))
    assert (label.late, label.counted) == (True, True)
    assert _counters(comparison) == (0, 1, "complete")


def test_an_answer_is_kept_although_the_campaign_was_paused_meanwhile(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    type(cast.campaign).objects.update(state="paused")
    assert _submit(card, LEFT).counted


def test_a_flag_is_kept_once_and_leaves_the_card_in_hand(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    assert labels.flag(assignment=card, code="unsafe") == labels.flag(
        assignment=card, code="unsafe"
    )
    assert _claim(cast.rater, cast) == card
    with pytest.raises(labels.InvalidAnswer):
        labels.flag(assignment=card, code="boring")


def test_progress_counts_my_answers_and_the_iterations(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    assert labels.collected(cast.campaign)["campaign_target"] == 700
    _submit(_claim(cast.rater, cast), LEFT)
    _submit(_claim(cast.other_rater, cast), LEFT)
    assert seats.work(cast.rater, cast.campaign).answered == 1
    assert labels.collected(cast.campaign)["campaign_done"] == 2
    Iteration.objects.update(state="training")
    assert seats.work(cast.rater, cast.campaign).answered == 1
    assert labels.collected(cast.campaign) == {"campaign_done": 0, "campaign_target": 0}


def test_an_answer_costs_a_fixed_number_of_queries(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    with django_assert_num_queries(7):  # savepoint and release included
        _submit(card, LEFT)


def _claim(rater: User, cast: Cast) -> Assignment:
    card = leases.claim_next(rater=rater, campaign=cast.campaign)
    assert card is not None
    return card


def _submit(
    card: Assignment, parts: dict[str, Any], key: uuid.UUID | None = None, **sent: Any
) -> Label:
    return labels.record_label(
        assignment=card, parts=parts, idempotency_key=key or uuid.uuid4(), **sent
    )


def _counters(comparison: Comparison) -> tuple[int, int, str]:
    comparison.refresh_from_db()
    return comparison.slots_left, comparison.counted, comparison.state

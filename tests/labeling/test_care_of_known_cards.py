"""What a rater wants to see no more does not come back by a renewed lease or an undo."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import care, labels, leases
from labeling.care import Care
from labeling.models import Assignment, Comparison, Label
from tests.factories import Cast, make_cast, open_comparisons
from tests.rating import answer

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
WARNING = "You will read about violence."
KIND = "violence"


@pytest.fixture
def warned(db: None) -> Cast:
    """Cards of a kind that can be left; consent was given."""
    made = make_cast(content_warning=WARNING, needs_consent=True)
    open_comparisons(made.campaign, 3, prompt__category=KIND)
    care.consent(rater=made.rater, campaign=made.campaign)
    return made


def in_hand(warned: Cast) -> Assignment:
    card = leases.claim_next(rater=warned.rater, campaign=warned.campaign)
    assert card is not None
    return card


def is_back(card: Assignment) -> bool:
    """Given back, with its slot free for others."""
    card.refresh_from_db()
    return card.state == "expired" and Comparison.objects.get(pk=card.comparison_id).slots_left > 0


def test_a_lease_is_not_renewed_after_consent_was_taken_back(warned: Cast) -> None:
    card = in_hand(warned)
    assert leases.renew(card)
    care.withdraw_consent(rater=warned.rater, campaign=warned.campaign)
    assert not leases.renew(card)
    assert is_back(card)
    care.consent(rater=warned.rater, campaign=warned.campaign)
    assert leases.renew(card)


def test_a_lease_is_not_renewed_of_a_kind_that_was_left(warned: Cast) -> None:
    card = in_hand(warned)
    care.leave(rater=warned.rater, campaign=warned.campaign, kind=KIND)
    assert not leases.renew(card)
    assert is_back(card)


def test_at_the_days_limit_the_card_in_hand_is_renewed_and_none_that_was_given_back(
    warned: Cast,
) -> None:
    first = in_hand(warned)
    second = leases.claim_next(
        rater=warned.rater, campaign=warned.campaign, have={first.public_id}
    )
    assert second is not None
    leases.release(first)
    settings = Care(WARNING, needs_consent=True, daily_cards=1)
    care.settle(campaign=warned.campaign, care=settings)
    for card in (first, second):
        card.refresh_from_db()  # with its campaign's settings
    assert leases.renew(second)
    assert not leases.renew(first)
    assert is_back(first)


def test_an_answer_to_a_kind_that_was_left_is_not_undone(warned: Cast) -> None:
    """It would bring the card. Nothing is changed, until the kind is welcome again."""
    label = answer(warned.rater, warned.campaign, "0:better")
    care.leave(rater=warned.rater, campaign=warned.campaign, kind=KIND)
    for named in (None, label.assignment.public_id):
        with pytest.raises(labels.NotOpen, match="no more of that kind"):
            labels.undo(rater=warned.rater, campaign=warned.campaign, assignment=named)
    assert Label.objects.get() == label
    care.come_back(rater=warned.rater, campaign=warned.campaign, kind=KIND)
    assert labels.undo(rater=warned.rater, campaign=warned.campaign) == label.assignment


def test_without_consent_nothing_is_undone(warned: Cast) -> None:
    label = answer(warned.rater, warned.campaign, "0:better")
    care.withdraw_consent(rater=warned.rater, campaign=warned.campaign)
    with pytest.raises(labels.NotOpen, match="Agree to the content warning"):
        labels.undo(rater=warned.rater, campaign=warned.campaign)
    assert Label.objects.get() == label


def test_a_skip_of_another_kind_is_undone_past_one_that_was_left(warned: Cast) -> None:
    """By name: the newest stays where it is."""
    mild = open_comparisons(warned.campaign, 1, priority=1)[0]
    card = in_hand(warned)
    assert card.comparison == mild
    earlier = timezone.now() - timedelta(minutes=1)
    labels.skip(assignment=card, reason="language", now=earlier)
    labels.record_label(
        assignment=in_hand(warned),
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
    )
    care.leave(rater=warned.rater, campaign=warned.campaign, kind=KIND)
    again = labels.undo(rater=warned.rater, campaign=warned.campaign, assignment=card.public_id)
    assert again == card

"""Handing out comparisons to raters."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from labeling import iterations, labels, leases
from labeling.models import Assignment, Comparison, User
from tests import factories
from tests.factories import Cast, open_comparisons

pytestmark = pytest.mark.django_db


def test_a_claim_takes_one_slot_and_leases_it_for_the_campaigns_time(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1, overlap=2)
    now = timezone.now()
    assignment = leases.claim_next(rater=cast.rater, campaign=cast.campaign, now=now)
    assert assignment is not None
    assert (assignment.comparison, assignment.rater) == (comparison, cast.rater)
    assert assignment.leased_until == now + timedelta(seconds=1800)
    comparison.refresh_from_db()
    assert (comparison.slots_left, comparison.counted, comparison.state) == (1, 0, "open")


def test_the_highest_priority_comes_first_then_the_drawn_order(cast: Cast) -> None:
    later = open_comparisons(cast.campaign, 1, shuffle=9)[0]
    sooner = open_comparisons(cast.campaign, 1, shuffle=2)[0]
    urgent = open_comparisons(cast.campaign, 1, shuffle=99, priority=1)[0]
    assert _claimed_in_turn(cast, 3) == [urgent, sooner, later]


def test_what_became_urgent_comes_before_the_next_in_order(cast: Cast) -> None:
    _, second = (open_comparisons(cast.campaign, 1, shuffle=place)[0] for place in (1, 2))
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    urgent = open_comparisons(cast.campaign, 1, shuffle=0, priority=1)[0]
    assert (following := _answered(card)) is not None
    assert following.comparison == urgent
    assert (last := _answered(following)) is not None
    assert last.comparison == second


def test_what_was_freed_behind_a_rater_comes_at_the_end(cast: Cast) -> None:
    freed, mine, then = (
        open_comparisons(cast.campaign, 1, shuffle=place)[0] for place in (1, 2, 3)
    )
    theirs = leases.claim_next(rater=cast.other_rater, campaign=cast.campaign)
    card = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert theirs is not None
    assert card is not None
    assert (theirs.comparison, card.comparison) == (freed, mine)
    leases.release(theirs)
    following = _answered(card)
    assert following is not None
    assert following.comparison == then
    last = _answered(following)
    assert last is not None
    assert last.comparison == freed


def test_the_open_card_is_handed_back_before_a_new_one(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    first = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    later = timezone.now() + timedelta(minutes=10)
    again = leases.claim_next(rater=cast.rater, campaign=cast.campaign, now=later)
    assert again == first
    assert again is not None
    assert again.leased_until == later + timedelta(seconds=1800)
    assert Assignment.objects.count() == 1


def test_two_cards_can_be_fetched_ahead_of_the_one_in_hand_and_no_more(cast: Cast) -> None:
    open_comparisons(cast.campaign, 5)
    have: list[uuid.UUID] = []
    for _ in range(3):
        card = leases.claim_next(rater=cast.rater, campaign=cast.campaign, have=have)
        assert card is not None
        have.append(card.public_id)
    assert len(set(have)) == 3
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign, have=have) is None
    assert Assignment.objects.filter(state="leased").count() == 3


def test_a_card_that_the_browser_lost_is_sent_again_the_oldest_first(cast: Cast) -> None:
    open_comparisons(cast.campaign, 5)
    first, second, third = _ahead(cast, 3)
    reload = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert reload == first
    after = leases.claim_next(rater=cast.rater, campaign=cast.campaign, have=[first.public_id])
    assert after == second
    kept = [first.public_id, second.public_id]
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign, have=kept) == third


def test_what_others_have_is_not_in_my_browser(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    theirs = leases.claim_next(rater=cast.other_rater, campaign=cast.campaign)
    mine = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert theirs is not None
    again = leases.claim_next(
        rater=cast.rater, campaign=cast.campaign, have=[theirs.public_id, uuid.uuid4()]
    )
    assert again == mine


def test_a_card_that_expired_while_the_browser_keeps_it_is_leased_again(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    first, second = _ahead(cast, 2)
    leases.release_expired(timezone.now() + timedelta(hours=1))
    have = [first.public_id, second.public_id]
    for _ in range(2):
        assert leases.claim_next(rater=cast.rater, campaign=cast.campaign, have=have) is None
    assert set(Assignment.objects.values_list("state", flat=True)) == {"leased"}


def test_a_card_given_back_is_free_at_once_and_its_answer_is_kept_as_late(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    (card,) = _ahead(cast, 1)
    for _ in range(2):
        leases.release(card)
    comparison.refresh_from_db()
    assert comparison.slots_left == 1
    label = labels.record_label(
        assignment=card,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
    )
    assert (label.late, label.counted) == (True, True)


def test_nobody_gets_a_comparison_twice(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1, overlap=2)
    assert len(_claimed_in_turn(cast, 1)) == 1
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None
    assert leases.claim_next(rater=cast.other_rater, campaign=cast.campaign) is not None


def test_no_more_leases_than_labels_wanted(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1, overlap=1)
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is not None
    assert leases.claim_next(rater=cast.other_rater, campaign=cast.campaign) is None


@pytest.mark.parametrize("state", ["draft", "paused", "closed"])
def test_a_campaign_that_is_not_open_hands_out_nothing(cast: Cast, state: str) -> None:
    open_comparisons(cast.campaign, 1)
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is not None
    type(cast.campaign).objects.update(state=state)
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None
    assert leases.claim_next(rater=cast.other_rater, campaign=cast.campaign) is None


def test_a_paused_iteration_hands_out_nothing_until_it_goes_on(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    iterations.set_paused(comparison.iteration, True)
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None
    iterations.set_paused(comparison.iteration, False)
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is not None


@pytest.mark.parametrize("state", ["sampling", "training", "promoted"])
def test_only_an_iteration_that_collects_hands_out_cards(cast: Cast, state: str) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    type(comparison.iteration).objects.update(state=state)
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None


def test_comparisons_kept_for_people_stay_out_of_simulated_hands(cast: Cast) -> None:
    simulated = factories.UserFactory(kind="simulated")
    (kept,) = open_comparisons(cast.campaign, 1, audience="person", priority=5)
    (free,) = open_comparisons(cast.campaign, 1)
    assignment = leases.claim_next(rater=simulated, campaign=cast.campaign)
    assert assignment is not None
    assert assignment.comparison == free
    person = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert person is not None
    assert person.comparison == kept


def test_an_expired_lease_goes_back_and_to_the_next_rater(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    later = timezone.now() + timedelta(hours=1)
    assert leases.release_expired(later) == 1
    assert leases.release_expired(later) == 0
    comparison.refresh_from_db()
    assert comparison.slots_left == 1
    assert leases.claim_next(rater=cast.other_rater, campaign=cast.campaign) is not None


def test_a_lease_that_was_renewed_is_not_released(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    assignment = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert assignment is not None
    later = timezone.now() + timedelta(minutes=29)
    assert leases.renew(assignment, now=later)
    assert leases.release_expired(timezone.now() + timedelta(minutes=31)) == 0


def test_an_expired_card_comes_back_to_its_rater_while_it_needs_labels(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    first = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    leases.release_expired(timezone.now() + timedelta(hours=1))
    again = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert again == first
    assert again is not None
    assert again.state == "leased"


def test_a_fourth_card_is_not_renewed_while_three_are_held(cast: Cast) -> None:
    open_comparisons(cast.campaign, 4)
    first, *_ = _ahead(cast, 3)
    leases.release(first)
    Assignment.objects.filter(pk=first.pk).update(state="skipped")
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign, have=_held_by(cast.rater))
    Assignment.objects.filter(pk=first.pk).update(state="expired")
    assert not leases.renew(first)
    assert len(_held_by(cast.rater)) == 3


def test_an_expired_card_that_others_took_cannot_be_renewed(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    mine = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    assert mine is not None
    leases.release_expired(timezone.now() + timedelta(hours=1))
    leases.claim_next(rater=cast.other_rater, campaign=cast.campaign)
    assert not leases.renew(mine)
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None
    comparison.refresh_from_db()
    assert comparison.slots_left == 0


def test_two_raters_of_one_comparison_see_opposite_sides(cast: Cast) -> None:
    for comparison in open_comparisons(cast.campaign, 8, overlap=2):
        cards = [
            leases.claim_next(rater=rater, campaign=cast.campaign)
            for rater in (cast.rater, cast.other_rater)
        ]
        assert [card.comparison for card in cards if card] == [comparison, comparison]
        assert cards[0].order == cards[1].order[::-1]
        for card in cards:
            labels.record_label(
                assignment=card,
                parts={"preference": {"choice": "0:better"}},
                idempotency_key=uuid.uuid4(),
            )


def test_sides_are_drawn_evenly() -> None:
    first = Counter(leases.draw_order([1, 2])[0] for _ in range(2000))
    assert 880 < first[1] < 1120  # 5.4 standard deviations
    assert Counter(sorted(leases.draw_order([1, 2, 3, 4])) == [1, 2, 3, 4] for _ in range(9)) == {
        True: 9
    }


def test_a_claim_costs_a_fixed_number_of_queries(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    open_comparisons(cast.campaign, 30)
    with django_assert_num_queries(7):  # savepoint and release included
        leases.claim_next(rater=cast.rater, campaign=cast.campaign)
    with django_assert_num_queries(7):
        leases.claim_next(rater=cast.rater, campaign=cast.campaign)


def _held_by(rater: User) -> list[uuid.UUID]:
    return list(rater.assignments.filter(state="leased").values_list("public_id", flat=True))


def _answered(card: Assignment | None) -> Assignment | None:
    """The card that follows an answer."""
    assert card is not None
    return labels.record_and_claim(
        assignment=card,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
    ).card


def _ahead(cast: Cast, count: int) -> list[Assignment]:
    """The card in hand and those fetched ahead of it."""
    cards: list[Assignment] = []
    for _ in range(count):
        have = [card.public_id for card in cards]
        card = leases.claim_next(rater=cast.rater, campaign=cast.campaign, have=have)
        assert card is not None
        cards.append(card)
    return cards


def _claimed_in_turn(cast: Cast, count: int) -> list[Comparison]:
    """What the rater is given when each card is put away before the next."""
    claimed = []
    for _ in range(count):
        assignment = leases.claim_next(rater=cast.rater, campaign=cast.campaign)
        assert assignment is not None
        claimed.append(assignment.comparison)
        labels.skip(assignment=assignment, reason="cannot_judge")
    return claimed

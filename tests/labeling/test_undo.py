"""Taking back an answer or a skip, without ever changing a row of the record."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import labels, leases
from labeling.models import Assignment, Comparison, Conversation, Iteration, Label, User
from tests.factories import Cast, open_comparisons

pytestmark = pytest.mark.django_db


def test_undo_brings_the_last_answer_back_and_appends_its_withdrawal(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    answer = _submit(card, "0:better")
    again = labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert again == card
    assert again is not None
    assert (again.state, again.order) == ("leased", card.order)
    withdrawn = answer.superseded_by
    assert (withdrawn.kind, withdrawn.answer["parts"]) == ("withdrawn", {})
    assert _counters(comparison) == (0, 0, "open")
    assert Iteration.objects.get().labels_people == 0


def test_a_new_answer_supersedes_the_withdrawn_one(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    first = _submit(_claim(cast.rater, cast), "0:better")
    again = labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert again is not None
    second = _submit(again, "1:slightly")
    assert second.supersedes is not None
    assert second.supersedes.kind == "withdrawn"
    assert second.supersedes.supersedes == first
    in_force = Label.objects.filter(kind="answer", superseded_by__isnull=True)
    assert list(in_force) == [second]
    assert _counters(comparison) == (0, 1, "complete")


def test_an_old_request_resent_after_the_undo_does_not_bring_the_answer_back(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    card, key = _claim(cast.rater, cast), uuid.uuid4()
    answer = _submit(card, "0:better", key)
    labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert _submit(card, "0:better", key) == answer
    assert Label.objects.count() == 2
    card.refresh_from_db()
    assert card.state == "leased"


def test_undo_again_goes_one_further_back(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    cards = []
    for minute in range(3):
        card = _claim(cast.rater, cast)
        _submit(card, "0:better", now=timezone.now() + timedelta(minutes=minute))
        cards.append(card)
    back = [labels.undo(rater=cast.rater, campaign=cast.campaign) for _ in range(4)]
    assert back == [*reversed(cards), None]
    assert _claim(cast.rater, cast) == cards[0]


def test_undo_takes_back_nobody_elses_answer(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    _submit(_claim(cast.rater, cast), "0:better")
    assert labels.undo(rater=cast.other_rater, campaign=cast.campaign) is None
    assert Label.objects.count() == 1


def test_a_skip_frees_the_slot_and_says_nothing_about_the_texts(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    labels.skip(assignment=card, reason="language")
    labels.skip(assignment=card, reason="language")
    card.refresh_from_db()
    assert (card.state, card.skip_reason) == ("skipped", "language")
    assert _counters(comparison) == (1, 0, "open")
    assert Label.objects.count() == 0
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None
    assert _claim(cast.other_rater, cast).comparison == comparison


def test_an_unknown_reason_or_an_answered_card_cannot_be_skipped(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    with pytest.raises(labels.InvalidAnswer):
        labels.skip(assignment=card, reason="monday")
    _submit(card, "0:better")
    with pytest.raises(labels.NotOpen):
        labels.skip(assignment=card, reason="broken")
    assert _counters(comparison) == (0, 1, "complete")


def test_an_expired_card_can_be_skipped_so_that_it_does_not_come_back(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    leases.release_expired(timezone.now() + timedelta(hours=1))
    labels.skip(assignment=card, reason="broken")
    assert _counters(comparison) == (1, 0, "open")
    assert leases.claim_next(rater=cast.rater, campaign=cast.campaign) is None


def test_a_skipped_card_cannot_be_answered_from_another_tab(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    labels.skip(assignment=card, reason="broken")
    with pytest.raises(labels.NotOpen):
        _submit(card, "0:better")


def test_undo_of_a_skip_takes_the_slot_again(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    labels.skip(assignment=card, reason="broken")
    again = labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert again == card
    assert again is not None
    assert (again.state, again.skip_reason) == ("leased", "")
    assert _counters(comparison) == (0, 0, "open")


def test_undo_of_a_skip_whose_slot_is_gone_comes_back_expired(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    labels.skip(assignment=_claim(cast.rater, cast), reason="broken")
    _submit(_claim(cast.other_rater, cast), "1:better")
    again = labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert again is not None
    assert again.state == "expired"
    label = _submit(again, "0:better")
    assert (label.late, label.counted) == (True, False)
    assert _counters(comparison) == (0, 1, "complete")


def test_undo_of_an_uncounted_answer_moves_no_counter(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    card = _claim(cast.rater, cast)
    leases.release_expired(timezone.now() + timedelta(hours=1))
    _submit(_claim(cast.other_rater, cast), "1:better")
    _submit(card, "0:better")
    again = labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert again is not None
    assert again.state == "expired"
    assert _counters(comparison) == (0, 1, "complete")
    assert Iteration.objects.get().labels_people == 1


def test_one_of_the_last_ten_can_be_taken_back(cast: Cast) -> None:
    open_comparisons(cast.campaign, 12)
    cards = _answered(cast, 11)
    assert _undo(cast, assignment=cards[0]) is None  # the eleventh
    again = _undo(cast, assignment=cards[4])
    assert again == cards[4]
    assert list(Label.objects.filter(kind="withdrawn").values_list("assignment", flat=True)) == [
        cards[4].pk
    ]
    assert _undo(cast, assignment=cards[4]) is None  # in hand again
    assert Label.objects.filter(kind="withdrawn").count() == 1


def test_nobody_takes_back_what_another_rater_answered(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    (card,) = _answered(cast, 1)
    theirs = labels.undo(rater=cast.other_rater, campaign=cast.campaign, assignment=card.public_id)
    assert theirs is None
    assert Label.objects.count() == 1


def test_a_second_press_that_knew_the_same_newest_card_takes_nothing_back(cast: Cast) -> None:
    open_comparisons(cast.campaign, 3)
    _, newest = _answered(cast, 2)
    assert _undo(cast, last=newest.public_id) == newest
    with pytest.raises(labels.NotNewest):
        _undo(cast, last=newest.public_id)
    assert Label.objects.filter(kind="withdrawn").count() == 1
    assert _claim(cast.rater, cast) == newest


def test_a_card_taken_back_pushes_out_what_was_leased_ahead_of_three(cast: Cast) -> None:
    open_comparisons(cast.campaign, 6)
    (answered,) = _answered(cast, 1)
    ahead: list[Assignment] = []
    for _ in range(3):
        have = [card.public_id for card in ahead]
        card = leases.claim_next(rater=cast.rater, campaign=cast.campaign, have=have)
        assert card is not None
        ahead.append(card)
    assert _undo(cast) == answered
    live = Assignment.objects.filter(state="leased").order_by("id")
    assert list(live) == [answered, ahead[0], ahead[1]]
    released = ahead[2].comparison
    assert _counters(released) == (1, 0, "open")
    _submit(answered, "1:better")
    have = [card.public_id for card in ahead[:2]]
    again = leases.claim_next(rater=cast.rater, campaign=cast.campaign, have=have)
    assert again == ahead[2]


def test_what_was_said_in_a_talk_is_taken_back_there_alone(cast: Cast) -> None:
    (comparison,) = open_comparisons(cast.campaign, 1)
    (card,) = _answered(cast, 1)
    comparison.conversation = Conversation.objects.create(campaign=cast.campaign, rater=cast.rater)
    comparison.save(update_fields=["conversation"])
    assert _undo(cast) is None
    assert _undo(cast, card) is None
    assert labels.recent(cast.rater, cast.campaign) == []
    card.refresh_from_db()
    assert (card.state, Label.objects.count()) == ("submitted", 1)


def _answered(cast: Cast, count: int) -> list[Assignment]:
    """Cards answered a minute apart."""
    cards = []
    for minute in range(count):
        card = _claim(cast.rater, cast)
        _submit(card, "0:better", now=timezone.now() + timedelta(minutes=minute))
        cards.append(card)
    return cards


def _undo(cast: Cast, assignment: Assignment | None = None, **said: object) -> Assignment | None:
    which = assignment and assignment.public_id
    return labels.undo(rater=cast.rater, campaign=cast.campaign, assignment=which, **said)


def _claim(rater: User, cast: Cast) -> Assignment:
    card = leases.claim_next(rater=rater, campaign=cast.campaign)
    assert card is not None
    return card


def _submit(card: Assignment, choice: str, key: uuid.UUID | None = None, **sent: object) -> Label:
    return labels.record_label(
        assignment=card,
        parts={"preference": {"choice": choice}},
        idempotency_key=key or uuid.uuid4(),
        **sent,
    )


def _counters(comparison: Comparison) -> tuple[int, int, str]:
    comparison.refresh_from_db()
    return comparison.slots_left, comparison.counted, comparison.state


def test_a_closed_campaign_keeps_its_answers(cast: Cast) -> None:
    """Taken back, one could not be given again."""
    open_comparisons(cast.campaign, 1)
    answer = _submit(_claim(cast.rater, cast), "0:better")
    cast.campaign.state = "closed"
    cast.campaign.save(update_fields=["state"])
    with pytest.raises(labels.NotOpen, match="closed"):
        labels.undo(rater=cast.rater, campaign=cast.campaign)
    assert list(Label.objects.all()) == [answer]

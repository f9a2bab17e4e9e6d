"""What is put up for a lead besides pairs that raters choose differently (test_adjudications)."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import disputes, flags, labels, leases
from labeling.models import Comparison, Dispute, DisputeCursor, Gold, GoldResult
from tests.factories import Cast, make_cast, open_comparisons
from tests.rating import answer

pytestmark = pytest.mark.django_db
TEXTS = ("One.", "Two.", "Three.")


def look() -> None:
    disputes.tick(timezone.now() + timedelta(minutes=1))


def rank(cast: Cast, orders: tuple[tuple[int, ...], tuple[int, ...]]) -> Comparison:
    """Both raters rank three texts: ``orders`` are the places of One, Two and Three."""
    [row] = open_comparisons(cast.campaign, 1, overlap=2, texts=TEXTS)
    shown = list(row.items.order_by("position").values_list("completion_id", flat=True))
    for rater, places in zip((cast.rater, cast.other_rater), orders, strict=True):
        card = leases.claim_next(rater=rater, campaign=cast.campaign)
        assert card is not None
        of = dict(zip(shown, places, strict=True))
        raw = {f"tier-{place}": str(of[pk]) for place, pk in enumerate(card.order)}
        labels.record_label(assignment=card, parts={"order": raw}, idempotency_key=uuid.uuid4())
    return row


def test_rankings_that_differ_in_a_third_of_their_pairs() -> None:
    cast = make_cast(parts={"order": {"type": "ranking"}})
    rank(cast, ((1, 2, 3), (1, 2, 3)))
    turned = rank(cast, ((1, 2, 3), (3, 2, 1)))
    look()
    assert [row.comparison for row in disputes.of(cast.campaign, "ranking")] == [turned]
    assert not disputes.of(cast.campaign, "disagree").exists()


def test_a_known_answer_that_is_missed(cast: Cast) -> None:
    open_comparisons(cast.campaign, 2)
    for right in (True, False):
        label = answer(cast.rater, cast.campaign, "0:better")
        gold = Gold.objects.create(
            comparison=label.comparison,
            campaign=cast.campaign,
            purpose="gold",
            expected={},
            rules={},
        )
        GoldResult.objects.create(label=label, gold=gold, rater=cast.rater, right=right)
    look()
    [found] = disputes.of(cast.campaign, "gold")
    assert found.comparison_id == label.comparison_id


def test_a_flag_that_is_resolved_is_put_up_no_more(cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    label = answer(cast.rater, cast.campaign, "0:better")
    flag = labels.flag(assignment=label.assignment, code="broken")
    assert Dispute.objects.get().flagged
    flags.resolve(flag=flag, actor=cast.lead)
    assert not Dispute.objects.exists()


def test_answers_that_may_still_be_followed_by_an_earlier_one_are_read_later(cast: Cast) -> None:
    """Ids are given before a transaction ends, so the newest seconds are left for later."""
    open_comparisons(cast.campaign, 1)
    label = answer(cast.rater, cast.campaign, "0:better")
    assert disputes.tick(label.created_at + timedelta(seconds=5)) == 0
    assert disputes.tick(label.created_at + timedelta(seconds=11)) == 1
    assert DisputeCursor.objects.get().label == label.pk
    assert disputes.tick(label.created_at + timedelta(seconds=12)) == 0

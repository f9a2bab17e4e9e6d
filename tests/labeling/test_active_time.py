"""Active time is what the browser says, and never more than the time that passed: not by one card,
not by the cards that lie ahead of it, and not by answers that come in a bunch."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from labeling import labels, leases, seats
from labeling.models import Assignment, Label
from tests.factories import Cast, open_comparisons
from tests.rating import held_for

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def claim(cast: Cast, count: int) -> list[Assignment]:
    """As many cards as a browser holds, handed out ten minutes ago."""
    open_comparisons(cast.campaign, count)
    have: list[uuid.UUID] = []
    cards = []
    for _ in range(count):
        card = leases.claim_next(rater=cast.rater, campaign=cast.campaign, have=have)
        assert card is not None
        have.append(card.public_id)
        cards.append(held_for(card, minutes=10))
    return cards


def say(card: Assignment, seconds: float, at: datetime) -> float:
    """What an answer that claims so many seconds is granted."""
    label = labels.record_label(
        assignment=card,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
        active_ms=round(seconds * 1000),
        now=at,
    )
    return round((label.active_ms or 0) / 1000, 1)


def test_no_card_takes_longer_than_it_was_out(cast: Cast) -> None:
    [card] = claim(cast, 1)
    assert say(card, 24 * 3600, card.leased_at + timedelta(minutes=10)) == 600


def test_cards_ahead_do_not_make_an_hour_three(cast: Cast) -> None:
    """Three cards came ten minutes ago: together they took ten minutes at most."""
    cards = claim(cast, 3)
    end = cards[0].leased_at + timedelta(minutes=10)
    assert say(cards[0], 500, end) == 500
    assert say(cards[1], 500, end) == pytest.approx(100, abs=2)
    assert say(cards[2], 500, end) == pytest.approx(0, abs=2)


def test_answers_that_come_in_a_bunch_keep_their_time(cast: Cast) -> None:
    """The network was away: all three arrive within a second, each with its honest minutes."""
    cards = claim(cast, 3)
    end = cards[0].leased_at + timedelta(minutes=10)
    said = [say(card, 180, end + timedelta(seconds=n / 3)) for n, card in enumerate(cards)]
    assert said == [180, 180, 180]
    work = seats.work(cast.rater, cast.campaign)
    assert work.active_ms == sum(label.active_ms or 0 for label in Label.objects.all())


def test_a_clock_that_runs_backwards_grants_nothing(cast: Cast) -> None:
    [card] = claim(cast, 1)
    assert say(card, 60, card.leased_at - timedelta(minutes=1)) == 0


def test_who_measures_nothing_says_nothing(cast: Cast) -> None:
    [card] = claim(cast, 1)
    label = labels.record_label(
        assignment=card,
        parts={"preference": {"choice": "0:better"}},
        idempotency_key=uuid.uuid4(),
        now=timezone.now(),
    )
    assert label.active_ms is None
